//! Sizes in bytes.

use super::decimal::Decimal;
use crate::{TextError, text_form};
use std::{fmt, str::FromStr};

/// A number of bytes: `100B`, `1KB` (1000), `1KiB` (1024), `1.5GiB`. A bare
/// number is bytes, as in Kafka's own settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// Binary before decimal of the same rank, so that 1024 shows as `1KiB`.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

impl Size {
    /// A size of `bytes` bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory. Saturates where `usize` is
    /// narrower than 64 bits.
    pub fn len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Whether there are no bytes at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |&&(_, unit): &&(&str, u64)| self.0.is_multiple_of(unit);
        match UNITS.iter().find(whole).filter(|_| self.0 > 0) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl FromStr for Size {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        const ACCEPTED: &str = "a size such as 100B, 16KiB (16384) or 1MB (1000000)";
        let refuse = || TextError::new(text, ACCEPTED);
        let (number, unit) = Decimal::split(text.trim()).ok_or_else(refuse)?;
        if let Some(multiple) = unit_bytes(unit) {
            let whole = || TextError::new(text, "a whole number of bytes below 2^64");
            return number.times(multiple).map(Self).ok_or_else(whole);
        }
        let letter = unit.chars().next().unwrap_or('K').to_ascii_uppercase();
        Err(match unit {
            "K" | "k" | "M" | "m" | "G" | "g" | "T" | "t" => TextError::new(
                text,
                format!("a clear size: {letter}B counts in 1000, {letter}iB in 1024"),
            ),
            "Kb" | "kb" | "Mb" | "mb" | "Gb" | "gb" => TextError::new(
                text,
                format!("a size in bytes: write {letter}B (1000) or {letter}iB (1024)"),
            ),
            _ => refuse(),
        })
    }
}

/// The bytes in one `unit`; `kB`, the SI spelling, is taken too.
pub(super) fn unit_bytes(unit: &str) -> Option<u64> {
    if unit.is_empty() {
        return Some(1);
    }
    if unit == "kB" {
        return Some(1000);
    }
    let named = |(name, _): &&(&str, u64)| *name == unit;
    UNITS.iter().find(named).map(|(_, bytes)| *bytes)
}

text_form!(Size: "a number of bytes, with its unit", as ["string", "integer"], such as ["16KiB"]);
