//! Compression: a codec and, where the codec has them, a level.

use plimsoll_units::{TextError, text_form};
use std::{fmt, ops::RangeInclusive, str::FromStr};

/// A compression codec of the record-batch format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not compressed.
    None,
    /// gzip: slow, compresses well.
    Gzip,
    /// Snappy: fast, compresses little.
    Snappy,
    /// LZ4: fast, compresses a little more.
    Lz4,
    /// Zstandard: compresses best for its cost.
    Zstd,
}

/// A codec with its level, written `zstd` or `zstd:9`. Without a level the
/// client's own default for the codec is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compression {
    codec: Codec,
    level: Option<i32>,
}

impl Codec {
    /// Every codec, in the order of their numbers on the wire.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The name, as in Kafka's `compression.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The levels that the codec takes (KIP-390); `None` when it has none.
    pub const fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some(1..=9),
            Self::Lz4 => Some(1..=17),
            Self::Zstd => Some(-131_072..=22),
        }
    }
}

impl Compression {
    /// No compression.
    pub const NONE: Self = Self {
        codec: Codec::None,
        level: None,
    };

    /// The codec.
    pub const fn codec(self) -> Codec {
        self.codec
    }

    /// The level, when one was asked for; always one that the codec takes.
    pub const fn level(self) -> Option<i32> {
        self.level
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.codec.name())?;
        match self.level {
            Some(level) => write!(f, ":{level}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Compression {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (name, level) = match text.trim().split_once(':') {
            Some((name, level)) => (name.trim(), Some(level.trim())),
            None => (text.trim(), None),
        };
        let codec = Codec::ALL.into_iter().find(|codec| codec.name() == name);
        let codec = codec.ok_or_else(|| {
            TextError::new(
                text,
                "none, gzip, snappy, lz4 or zstd, with a level as in zstd:9",
            )
        })?;
        let Some(level) = level else {
            return Ok(Self { codec, level: None });
        };
        let Some(levels) = codec.levels() else {
            let accepted = format!("possible: {name} has no levels, write {name}");
            return Err(TextError::new(text, accepted));
        };
        match level.parse() {
            Ok(level) if levels.contains(&level) => Ok(Self {
                codec,
                level: Some(level),
            }),
            _ => {
                let (from, to) = (levels.start(), levels.end());
                let accepted = format!("possible: {name} takes a level from {from} to {to}");
                Err(TextError::new(text, accepted))
            }
        }
    }
}

text_form!(
    Compression: "a codec, with a level after a colon",
    as ["string"],
    such as ["none", "gzip", "snappy", "lz4", "zstd", "zstd:9"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_must_be_one_that_the_codec_takes() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let read = text.parse::<Compression>();
            let read = read.map(|c| c.to_string()).map_err(|e| e.to_string());
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(read, expected, "{text}");
        };
        check("zstd", Ok("zstd"));
        check("zstd:-5", Ok("zstd:-5"));
        check(" lz4 : 17 ", Ok("lz4:17"));
        check(
            "gzip:10",
            Err("`gzip:10` is not possible: gzip takes a level from 1 to 9"),
        );
        check(
            "snappy:1",
            Err("`snappy:1` is not possible: snappy has no levels, write snappy"),
        );
        check(
            "brotli",
            Err("`brotli` is not none, gzip, snappy, lz4 or zstd, with a level as in zstd:9"),
        );
    }
}
