//! The four codecs of record batches, and a cap on what they inflate to.
//!
//! [`decompress`] never writes more than its cap. Beyond its output it holds
//! what the codec works in: 32 KiB for gzip, nothing for snappy, two blocks of
//! up to 4 MiB for lz4 (8 MiB for its legacy frames), and for zstd a window of
//! up to the cap or 8 MiB, whichever is more ([`ZSTD_WINDOW_MIN_LOG`]).

mod gzip;
mod lz4;
mod snappy;
mod zstd;

pub use self::zstd::ZSTD_WINDOW_MIN_LOG;

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// How the records of a batch are compressed: attribute bits 0 to 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Raw snappy, or framed as Java's library does; written framed.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878; KIP-110.
    Zstd,
}

impl Compression {
    /// Every codec, by id.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The number in the attributes.
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec with this number, if there is one.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Kafka's name, as in `compression.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(name: &str) -> Result<Self, UnknownCompression> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name() == name)
            .ok_or_else(|| UnknownCompression(name.to_owned()))
    }
}

/// A codec name that Kafka does not have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("compression `{0}`, expected none, gzip, snappy, lz4 or zstd")]
pub struct UnknownCompression(pub String);

/// Why bytes were not compressed or decompressed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompressionError {
    /// The output would pass the caller's cap.
    #[error("{codec} output passes {cap} bytes")]
    TooLarge {
        /// The codec.
        codec: Compression,
        /// The caller's cap.
        cap: usize,
    },
    /// The input is not what the codec writes.
    #[error("{codec} input: {reason}")]
    Corrupt {
        /// The codec.
        codec: Compression,
        /// What the codec says.
        reason: String,
    },
    /// The codec has no such level.
    #[error("{codec} level {level}, expected {min} to {max}")]
    Level {
        /// The codec.
        codec: Compression,
        /// The level asked for.
        level: i32,
        /// The least that would do.
        min: i32,
        /// The most that would do.
        max: i32,
    },
}

/// What codecs keep from one batch to the next: whoever compresses or
/// decompresses many of them keeps one. It does not tell in the output. It holds
/// what zstd works in: about a megabyte to compress, and to decompress a window
/// of the largest stream so far.
#[derive(Default)]
pub struct Workspace {
    zstd: zstd::Contexts,
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace").finish_non_exhaustive()
    }
}

impl Workspace {
    /// As [`compress()`].
    ///
    /// # Errors
    /// When the codec has no such level.
    pub fn compress(
        &mut self,
        codec: Compression,
        level: Option<i32>,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        match codec {
            Compression::None => out.extend_from_slice(input),
            Compression::Gzip => gzip::compress(level, input, out)?,
            Compression::Snappy => snappy::compress(input, out),
            Compression::Lz4 => lz4::compress(input, out),
            Compression::Zstd => self.zstd.compress(level, input, out)?,
        }
        Ok(())
    }

    /// As [`decompress()`].
    ///
    /// # Errors
    /// When the input is not the codec's, or inflates past `cap`.
    pub fn decompress(
        &mut self,
        codec: Compression,
        input: &[u8],
        out: &mut Vec<u8>,
        cap: usize,
    ) -> Result<(), CompressionError> {
        match codec {
            Compression::None if input.len() > cap => {
                Err(CompressionError::TooLarge { codec, cap })
            }
            Compression::None => {
                out.extend_from_slice(input);
                Ok(())
            }
            Compression::Gzip => gzip::decompress(input, out, cap),
            Compression::Snappy => snappy::decompress(input, out, cap),
            Compression::Lz4 => lz4::decompress(input, out, cap),
            Compression::Zstd => self.zstd.decompress(input, out, cap),
        }
    }
}

/// Appends `input`, compressed, to `out`.
///
/// `level` is gzip's 1 to 9 (6 when none is given) or zstd's −131072 to 22 (3);
/// the other codecs have none and ignore it.
///
/// # Errors
/// When the codec has no such level.
pub fn compress(
    codec: Compression,
    level: Option<i32>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    Workspace::default().compress(codec, level, input, out)
}

/// Appends `input`, decompressed, to `out`, adding at most `cap` bytes. On an
/// error `out` may hold part of the output.
///
/// # Errors
/// When the input is not the codec's, or inflates past `cap`.
pub fn decompress(
    codec: Compression,
    input: &[u8],
    out: &mut Vec<u8>,
    cap: usize,
) -> Result<(), CompressionError> {
    Workspace::default().decompress(codec, input, out, cap)
}

/// Checks a level against a codec's range.
fn level_within(
    codec: Compression,
    level: Option<i32>,
    default: i32,
    (min, max): (i32, i32),
) -> Result<i32, CompressionError> {
    let level = level.unwrap_or(default);
    if (min..=max).contains(&level) {
        return Ok(level);
    }
    Err(CompressionError::Level {
        codec,
        level,
        min,
        max,
    })
}

/// What `codec` says about its input.
fn corrupt(codec: Compression, reason: impl fmt::Display) -> CompressionError {
    CompressionError::Corrupt {
        codec,
        reason: reason.to_string(),
    }
}

/// Appends all that `reader` yields to `out`, at most `cap` bytes, growing the
/// buffer no further than that.
fn read_capped(
    codec: Compression,
    mut reader: impl std::io::Read,
    out: &mut Vec<u8>,
    cap: usize,
) -> Result<(), CompressionError> {
    const STEP_MIN: usize = 16 * 1024;
    let start = out.len();
    let mut filled = start;
    loop {
        let used = filled - start;
        if filled == out.len() {
            let step = used.max(STEP_MIN).min(cap - used);
            if step == 0 {
                break;
            }
            out.reserve_exact(step);
            out.resize(filled + step, 0);
        }
        let space = out.get_mut(filled..).unwrap_or_default();
        match reader.read(space) {
            Ok(0) => {
                out.truncate(filled);
                return Ok(());
            }
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(corrupt(codec, error)),
        }
    }
    // The cap is full: one more byte is one too many.
    out.truncate(filled);
    match reader.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(CompressionError::TooLarge { codec, cap }),
        Err(error) => Err(corrupt(codec, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::zstd as zstd_library;
    use proptest::prelude::*;

    const CAP: usize = 1 << 20;

    fn roundtrip(codec: Compression, level: Option<i32>, input: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        compress(codec, level, input, &mut packed).unwrap();
        let mut out = b"before".to_vec();
        decompress(codec, &packed, &mut out, input.len()).unwrap();
        assert_eq!(&out[6..], input, "{codec}");
        packed
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_codec_gives_back_what_it_took(
            piece in prop::collection::vec(any::<u8>(), 1..300),
            times in 0usize..1000,
        ) {
            let input = piece.repeat(times);
            for codec in Compression::ALL {
                roundtrip(codec, None, &input);
            }
        }

        #[test]
        fn garbage_is_an_error_or_stays_under_the_cap(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            for codec in Compression::ALL {
                let mut out = Vec::new();
                let _ = decompress(codec, &bytes, &mut out, 4096);
                prop_assert!(out.len() <= 4096);
            }
        }
    }

    #[test]
    fn one_byte_over_the_cap_is_refused() {
        let input = vec![7; 300_000];
        for codec in Compression::ALL {
            let packed = roundtrip(codec, None, &input);
            let cap = input.len() - 1;
            let got = decompress(codec, &packed, &mut Vec::new(), cap);
            assert_eq!(
                got,
                Err(CompressionError::TooLarge { codec, cap }),
                "{codec}"
            );
        }
    }

    #[test]
    fn levels_are_used_or_refused_with_their_range() {
        let input = b"abcdefgh".repeat(100);
        for (codec, level) in [
            (Compression::Gzip, 1),
            (Compression::Gzip, 9),
            (Compression::Zstd, -5),
            (Compression::Zstd, 19),
        ] {
            roundtrip(codec, Some(level), &input);
        }
        let got = compress(Compression::Gzip, Some(10), &input, &mut Vec::new());
        assert_eq!(
            got.unwrap_err().to_string(),
            "gzip level 10, expected 1 to 9"
        );
    }

    #[test]
    fn raw_snappy_is_read_as_well_as_framed() {
        let input = b"order order order".repeat(50);
        let raw = snap::raw::Encoder::new().compress_vec(&input).unwrap();
        let mut out = Vec::new();
        decompress(Compression::Snappy, &raw, &mut out, CAP).unwrap();
        assert_eq!(out, input);
    }

    #[test]
    fn lz4_blocks_that_do_not_shrink_are_stored() {
        use rand::RngCore;
        use rand::SeedableRng;
        let mut input = vec![0; 200_000];
        rand_chacha::ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut input);
        let packed = roundtrip(Compression::Lz4, None, &input);
        assert_eq!(packed.len(), input.len() + 7 + 4 * 4 + 4);
    }

    #[test]
    fn a_workspace_serves_again_after_an_error_and_another_codec() {
        let mut workspace = Workspace::default();
        let input = b"order ".repeat(1000);
        let mut garbage = Vec::new();
        compress(Compression::Zstd, None, &input, &mut garbage).unwrap();
        garbage.truncate(20);
        for codec in Compression::ALL.into_iter().chain(Compression::ALL) {
            let (mut packed, mut out) = (Vec::new(), Vec::new());
            let refused = workspace.decompress(Compression::Zstd, &garbage, &mut out, CAP);
            assert!(refused.is_err());
            out.clear();
            workspace
                .compress(codec, None, &input, &mut packed)
                .unwrap();
            workspace.decompress(codec, &packed, &mut out, CAP).unwrap();
            assert_eq!(out, input, "{codec}");
        }
    }

    #[test]
    fn zstd_is_read_without_a_stated_length_and_in_several_frames() {
        use std::io::Write;
        let input = b"order ".repeat(1000);
        let stream = || {
            let mut encoder = zstd_library::stream::write::Encoder::new(Vec::new(), 3).unwrap();
            encoder.write_all(&input).unwrap();
            encoder.finish().unwrap()
        };
        let mut stated = Vec::new();
        compress(Compression::Zstd, None, &input, &mut stated).unwrap();
        for frames in [
            [stream(), stream()],
            [stated.clone(), stream()],
            [stream(), stated],
        ] {
            let mut out = Vec::new();
            decompress(
                Compression::Zstd,
                &frames.concat(),
                &mut out,
                2 * input.len(),
            )
            .unwrap();
            assert_eq!(out, input.repeat(2));
        }
    }

    #[test]
    fn names_are_kafkas() {
        for codec in Compression::ALL {
            assert_eq!(codec.name().parse(), Ok(codec));
            assert_eq!(Compression::from_id(codec.id()), Some(codec));
        }
        assert_eq!(
            "lzma".parse::<Compression>().unwrap_err().to_string(),
            "compression `lzma`, expected none, gzip, snappy, lz4 or zstd"
        );
    }
}
