//! zstd (RFC 8878), by the reference library.
//!
//! Making a context costs more than a small batch, so both are kept. A frame
//! that says how much it inflates to is inflated in one go, without a window;
//! Java's does not say, and is read as a stream.

use super::{Compression, CompressionError, corrupt, level_within, read_capped};
use zstd::zstd_safe::{self, CCtx, CParameter, DCtx, DParameter, ResetDirective};

const CODEC: Compression = Compression::Zstd;

/// Frames whose window is up to 2²³ bytes are read whatever the cap: the format
/// asks every decoder to support 8 MiB. Larger windows are read up to the cap.
pub const ZSTD_WINDOW_MIN_LOG: u32 = 23;
/// The library's own limit without special settings.
const WINDOW_MAX_LOG: u32 = 27;

/// The library's contexts, made at first use.
#[derive(Default)]
pub(super) struct Contexts {
    compress: Option<CCtx<'static>>,
    decompress: Option<DCtx<'static>>,
}

impl Contexts {
    pub fn compress(
        &mut self,
        level: Option<i32>,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let level = level_within(CODEC, level, 3, (-131_072, 22))?;
        let context = self.compress.get_or_insert_default();
        context
            .set_parameter(CParameter::CompressionLevel(level))
            .map_err(refused)?;
        let start = out.len();
        out.resize(start + zstd_safe::compress_bound(input.len()), 0);
        let space = out.get_mut(start..).unwrap_or_default();
        match context.compress2(space, input) {
            Ok(written) => {
                out.truncate(start + written);
                Ok(())
            }
            Err(code) => {
                out.truncate(start);
                self.compress = None;
                Err(refused(code))
            }
        }
    }

    pub fn decompress(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        cap: usize,
    ) -> Result<(), CompressionError> {
        let start = out.len();
        if self.in_one_go(input, out, cap)? {
            return Ok(());
        }
        out.truncate(start);
        let context = self.decompress.get_or_insert_default();
        context
            .reset(ResetDirective::SessionOnly)
            .map_err(refused)?;
        let window = (usize::BITS - cap.leading_zeros()).clamp(ZSTD_WINDOW_MIN_LOG, WINDOW_MAX_LOG);
        context
            .set_parameter(DParameter::WindowLogMax(window))
            .map_err(refused)?;
        let stream = zstd::stream::read::Decoder::with_context(input, context);
        read_capped(CODEC, stream, out, cap)
    }

    /// Inflates a frame that says its length. `false` leaves the verdict to the
    /// stream: the length is unknown or untrue, or another frame follows.
    fn in_one_go(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        cap: usize,
    ) -> Result<bool, CompressionError> {
        let Ok(Some(claimed)) = zstd_safe::get_frame_content_size(input) else {
            return Ok(false);
        };
        let len = match usize::try_from(claimed) {
            Ok(len) if len <= cap => len,
            _ => return Err(CompressionError::TooLarge { codec: CODEC, cap }),
        };
        let start = out.len();
        out.reserve_exact(len);
        out.resize(start + len, 0);
        let space = out.get_mut(start..).unwrap_or_default();
        let context = self.decompress.get_or_insert_default();
        Ok(context.decompress(space, input) == Ok(len))
    }
}

fn refused(code: usize) -> CompressionError {
    corrupt(CODEC, zstd_safe::get_error_name(code))
}
