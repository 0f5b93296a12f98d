//! The LZ4 frame format, as Kafka has used it since record format 1.
//!
//! Java's reader takes only independent blocks of a declared size class and no
//! content size, so that is what is written: 64 KiB blocks, no checksums, a
//! block stored as it is when compression would grow it.

use super::{Compression, CompressionError, read_capped};

const CODEC: Compression = Compression::Lz4;
/// Magic number, version 1 with independent blocks, 64 KiB blocks, and the
/// header checksum of those two bytes.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const BLOCK_LEN: usize = 64 * 1024;
/// Marks a block that is stored as it is.
const STORED: u32 = 1 << 31;
const END_MARK: [u8; 4] = [0; 4];

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&HEADER);
    let longest = lz4_flex::block::get_maximum_output_size(BLOCK_LEN.min(input.len()));
    let mut block = vec![0; longest];
    for chunk in input.chunks(BLOCK_LEN) {
        let compressed = lz4_flex::block::compress_into(chunk, &mut block)
            .ok()
            .and_then(|len| block.get(..len))
            .filter(|compressed| compressed.len() < chunk.len());
        let (mark, bytes) = match compressed {
            Some(compressed) => (0, compressed),
            None => (STORED, chunk),
        };
        out.extend_from_slice(&(bytes.len() as u32 | mark).to_le_bytes());
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(&END_MARK);
}

pub(super) fn decompress(
    input: &[u8],
    out: &mut Vec<u8>,
    cap: usize,
) -> Result<(), CompressionError> {
    read_capped(CODEC, lz4_flex::frame::FrameDecoder::new(input), out, cap)
}
