//! zstd (RFC 8878), by the reference library.

use super::{Compression, CompressionError, corrupt, level_within, read_capped};

const CODEC: Compression = Compression::Zstd;

/// Frames whose window is up to 2²³ bytes are read whatever the cap: the format
/// asks every decoder to support 8 MiB. Larger windows are read up to the cap.
pub const ZSTD_WINDOW_MIN_LOG: u32 = 23;
/// The library's own limit without special settings.
const WINDOW_MAX_LOG: u32 = 27;

pub(super) fn compress(
    level: Option<i32>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let level = level_within(CODEC, level, 3, (-131_072, 22))?;
    let bound = zstd::zstd_safe::compress_bound(input.len());
    let start = out.len();
    out.resize(start + bound, 0);
    let space = out.get_mut(start..).unwrap_or_default();
    let written = zstd::bulk::compress_to_buffer(input, space, level);
    out.truncate(start + *written.as_ref().unwrap_or(&0));
    written.map(drop).map_err(|e| corrupt(CODEC, e))
}

pub(super) fn decompress(
    input: &[u8],
    out: &mut Vec<u8>,
    cap: usize,
) -> Result<(), CompressionError> {
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(input).map_err(|e| corrupt(CODEC, e))?;
    let window = usize::BITS - cap.leading_zeros();
    decoder
        .window_log_max(window.clamp(ZSTD_WINDOW_MIN_LOG, WINDOW_MAX_LOG))
        .map_err(|e| corrupt(CODEC, e))?;
    read_capped(CODEC, decoder, out, cap)
}
