//! gzip (RFC 1952), by flate2 over zlib-rs. Several members in a row count as
//! one stream, as in Java.

use super::{Compression, CompressionError, corrupt, level_within, read_capped};
use std::io::Write;

const CODEC: Compression = Compression::Gzip;

pub(super) fn compress(
    level: Option<i32>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let level = level_within(CODEC, level, 6, (1, 9))?;
    let mut encoder =
        flate2::write::GzEncoder::new(out, flate2::Compression::new(level.unsigned_abs()));
    encoder.write_all(input).map_err(|e| corrupt(CODEC, e))?;
    encoder.finish().map_err(|e| corrupt(CODEC, e))?;
    Ok(())
}

pub(super) fn decompress(
    input: &[u8],
    out: &mut Vec<u8>,
    cap: usize,
) -> Result<(), CompressionError> {
    read_capped(CODEC, flate2::bufread::MultiGzDecoder::new(input), out, cap)
}
