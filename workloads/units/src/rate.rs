//! Rates: things per second, and bytes per second.

use super::{decimal::Decimal, size};
use crate::{TextError, text_form};
use std::{fmt, str::FromStr};

/// Things per second: `100/s`, `50K/s`, `1.5M/s`, `10M/d`. Always above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// Bytes per second: `20MB/s`, `1GiB/s`. Always above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRate(u64);

/// The fastest rate taken: a thousand times what any cluster does.
const PER_SECOND_MAX: f64 = 1e12;

/// The slowest rate taken: one in about three years.
const PER_SECOND_MIN: f64 = 1e-8;

const MULTIPLES: [(&str, u64); 4] = [("G", 1_000_000_000), ("M", 1_000_000), ("K", 1000), ("", 1)];

impl Rate {
    /// A thousand a second.
    pub const THOUSAND: Self = Self(1000.0);

    /// A rate of `per_second`; `None` outside of 1e-8 to 1e12 a second.
    pub fn from_per_second(per_second: f64) -> Option<Self> {
        (PER_SECOND_MIN..=PER_SECOND_MAX)
            .contains(&per_second)
            .then_some(Self(per_second))
    }

    /// How many in a second.
    pub const fn per_second(self) -> f64 {
        self.0
    }
}

impl ByteRate {
    /// A rate of `bytes` a second; `None` when zero.
    pub fn from_bytes_per_second(bytes: u64) -> Option<Self> {
        (bytes > 0).then_some(Self(bytes))
    }

    /// How many bytes in a second.
    pub const fn bytes_per_second(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, multiple) in MULTIPLES {
            let scaled = self.0 / multiple as f64;
            let text = format!("{scaled}{name}/s");
            if scaled >= 1.0 && text.parse() == Ok(*self) {
                return f.write_str(&text);
            }
        }
        write!(f, "{}/s", self.0)
    }
}

impl FromStr for Rate {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let refuse = || TextError::new(text, "a rate such as 100/s, 50K/s or 1.5M/s");
        let (quantity, seconds) = split_period(text).ok_or_else(refuse)?;
        let (number, multiple) = Decimal::split(quantity).ok_or_else(refuse)?;
        let same = |(name, _): &&(&str, u64)| name.eq_ignore_ascii_case(multiple);
        let (_, multiple) = MULTIPLES.iter().find(same).ok_or_else(refuse)?;
        let per_second = match number.times(*multiple) {
            Some(whole) => whole as f64 / seconds as f64,
            None => number.to_f64() * *multiple as f64 / seconds as f64,
        };
        let range = || TextError::new(text, "a rate above zero and at most 1000G/s");
        Self::from_per_second(per_second).ok_or_else(range)
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", size::Size::from_bytes(self.0))
    }
}

impl FromStr for ByteRate {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let refuse = || TextError::new(text, "a rate in bytes such as 20MB/s or 1GiB/s");
        let (quantity, seconds) = split_period(text).ok_or_else(refuse)?;
        let (number, unit) = Decimal::split(quantity).ok_or_else(refuse)?;
        if unit.is_empty() {
            return Err(refuse());
        }
        let bytes = size::unit_bytes(unit).and_then(|unit| number.times(unit));
        let whole = |bytes: &u64| *bytes > 0 && bytes.is_multiple_of(seconds);
        match bytes.filter(whole) {
            Some(bytes) => Ok(Self(bytes / seconds)),
            None => Err(refuse()),
        }
    }
}

/// Splits `50K/s` into the quantity and the seconds of its period.
fn split_period(text: &str) -> Option<(&str, u64)> {
    let (quantity, period) = text.trim().split_once('/')?;
    let seconds = match period.trim() {
        "s" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        "d" | "day" => 86_400,
        _ => return None,
    };
    Some((quantity.trim_end(), seconds))
}

text_form!(Rate: "things per second", as ["string"], such as ["50K/s"]);
text_form!(ByteRate: "bytes per second", as ["string"], such as ["20MB/s"]);
