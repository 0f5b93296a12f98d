//! Plain counts that may be large.

use super::decimal::Decimal;
use crate::{TextError, text_form};
use std::{fmt, str::FromStr};

/// A number of things: `100`, `10K`, `1.5M`, `1G`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(u64);

const MULTIPLES: [(&str, u64); 3] = [("G", 1_000_000_000), ("M", 1_000_000), ("K", 1000)];

impl Count {
    /// A count of `count`.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |&&(_, multiple): &&(&str, u64)| self.0.is_multiple_of(multiple);
        match MULTIPLES.iter().find(whole).filter(|_| self.0 > 0) {
            Some((name, multiple)) => write!(f, "{}{name}", self.0 / multiple),
            None => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for Count {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let refuse = || TextError::new(text, "a whole number such as 100, 10K or 1M");
        let (number, multiple) = Decimal::split(text.trim()).ok_or_else(refuse)?;
        let same = |(name, _): &&(&str, u64)| name.eq_ignore_ascii_case(multiple);
        let multiple = match MULTIPLES.iter().find(same) {
            Some((_, multiple)) => *multiple,
            None if multiple.is_empty() => 1,
            None => return Err(refuse()),
        };
        number.times(multiple).map(Self).ok_or_else(refuse)
    }
}

text_form!(Count: "a whole number", as ["string", "integer"], such as ["10K"]);
