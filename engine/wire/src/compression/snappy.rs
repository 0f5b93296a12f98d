//! Snappy: raw blocks, and Java's framing of them.
//!
//! Java's library (xerial) writes a 16-byte header, then blocks of raw snappy
//! behind a 4-byte length; librdkafka writes that or one raw block. Both are
//! read. What is written is framed, in blocks of 32 KiB as Kafka's Java client
//! does, because every client reads it.

use super::{Compression, CompressionError, corrupt};
use crate::read::Reader;

const CODEC: Compression = Compression::Snappy;
const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// The header: magic, then version 1 and compatible version 1.
const HEADER: [u8; 16] = [
    0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
];
const BLOCK_LEN: usize = 32 * 1024;

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&HEADER);
    let mut encoder = snap::raw::Encoder::new();
    let mut block = vec![0; snap::raw::max_compress_len(BLOCK_LEN.min(input.len()))];
    for chunk in input.chunks(BLOCK_LEN) {
        // The buffer is as long as the library says it must be.
        let len = encoder.compress(chunk, &mut block).unwrap_or_default();
        let compressed = block.get(..len).unwrap_or_default();
        out.extend_from_slice(&(len as u32).to_be_bytes());
        out.extend_from_slice(compressed);
    }
}

pub(super) fn decompress(
    input: &[u8],
    out: &mut Vec<u8>,
    cap: usize,
) -> Result<(), CompressionError> {
    if !input.starts_with(&MAGIC) {
        return decompress_block(input, out, cap);
    }
    let mut reader = Reader::new(input);
    reader.take(HEADER.len()).map_err(|e| corrupt(CODEC, e))?;
    let mut left = cap;
    while reader.remaining() > 0 {
        let length = reader.u32().map_err(|e| corrupt(CODEC, e))?;
        let block = reader
            .take(length as usize)
            .map_err(|e| corrupt(CODEC, e))?;
        let before = out.len();
        decompress_block(block, out, left).map_err(|error| match error {
            CompressionError::TooLarge { codec, .. } => CompressionError::TooLarge { codec, cap },
            other => other,
        })?;
        left -= out.len() - before;
    }
    Ok(())
}

/// A raw block begins with its inflated length, which no more than 21 times the
/// block can be true; the cap is checked before a byte is allocated.
fn decompress_block(block: &[u8], out: &mut Vec<u8>, cap: usize) -> Result<(), CompressionError> {
    let claimed = snap::raw::decompress_len(block).map_err(|e| corrupt(CODEC, e))?;
    if claimed > cap {
        return Err(CompressionError::TooLarge { codec: CODEC, cap });
    }
    let start = out.len();
    out.reserve_exact(claimed);
    out.resize(start + claimed, 0);
    let space = out.get_mut(start..).unwrap_or_default();
    let len = snap::raw::Decoder::new()
        .decompress(block, space)
        .map_err(|e| corrupt(CODEC, e))?;
    out.truncate(start + len);
    Ok(())
}
