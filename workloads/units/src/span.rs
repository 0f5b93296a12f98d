//! Lengths of time.

use super::decimal::Decimal;
use crate::{TextError, text_form};
use std::{fmt, str::FromStr, time::Duration};

/// A length of time to the nanosecond: `250us`, `5ms`, `1.5s`, `1m30s`, `7d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1000),
    ("ns", 1),
];

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `nanos` nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A span of `millis` milliseconds. Saturates after 584 years.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A span of `secs` seconds. Saturates after 584 years.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// The span in nanoseconds.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The span in whole milliseconds, the rest cut off.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The span in seconds.
    pub fn secs_f64(self) -> f64 {
        self.duration().as_secs_f64()
    }

    /// The span as the standard library's duration.
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The sum of two spans. Saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The span `count` times over. Saturates.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.duration()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |&&(_, unit): &&(&str, u64)| self.0.is_multiple_of(unit);
        match UNITS.iter().find(whole).filter(|_| self.0 > 0) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => f.write_str("0s"),
        }
    }
}

impl FromStr for Span {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let refuse = || TextError::new(text, "a duration such as 500us, 5ms, 30s, 1m30s or 7d");
        let mut rest = text.trim();
        let mut total = 0_u64;
        let mut last_unit = u64::MAX;
        while !rest.is_empty() {
            let (number, after) = Decimal::split(rest).ok_or_else(refuse)?;
            let end = after
                .find(|c: char| c.is_ascii_digit() || c.is_ascii_whitespace())
                .unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            let unit = unit_nanos(name).filter(|&unit| unit < last_unit);
            let unit = unit.ok_or_else(refuse)?;
            let nanos = number.times(unit).ok_or_else(refuse)?;
            total = total.checked_add(nanos).ok_or_else(refuse)?;
            last_unit = unit;
            rest = after.trim_start();
        }
        if last_unit == u64::MAX {
            return Err(refuse());
        }
        Ok(Self(total))
    }
}

fn unit_nanos(name: &str) -> Option<u64> {
    let name = match name {
        "µs" | "μs" => "us",
        "min" => "m",
        other => other,
    };
    let named = |(unit, _): &&(&str, u64)| *unit == name;
    UNITS.iter().find(named).map(|(_, nanos)| *nanos)
}

text_form!(Span: "a length of time, with its unit", as ["string"], such as ["30s"]);
