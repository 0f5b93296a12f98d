//! The offered load: how many records a second, over the run.

use super::call::Call;
use crate::units::{ByteRate, Rate};
use plimsoll_units::{TextError, text_form};
use std::{fmt, str::FromStr};

/// Levels that one step profile may have.
const STEPS_MAX: usize = 1000;

/// The load offered by all producers of a cell together.
#[derive(Clone, Debug, PartialEq)]
pub enum RateSpec {
    /// `max`: as fast as the client can. Nothing is learnt about latency at a
    /// load that users have; see the schedule-based rates for that.
    Max,
    /// `50K/s`: records a second.
    Records(Rate),
    /// `20MB/s`: bytes a second, by the mean record size.
    Bytes(ByteRate),
    /// `ramp(1K/s, 50K/s)`: rises or falls evenly over the measured time.
    Ramp {
        /// The rate at the start, and during the warm-up.
        from: Rate,
        /// The rate at the end.
        to: Rate,
    },
    /// `steps(10K/s, 20K/s, 40K/s)`: levels of equal length over the measured
    /// time; the warm-up runs at the first.
    Steps(Vec<Rate>),
    /// `search`: the highest rate at which the objectives hold, which is what
    /// is to be found out.
    Search,
}

impl RateSpec {
    /// Whether records have fixed intended send times.
    pub fn is_scheduled(&self) -> bool {
        !matches!(self, Self::Max)
    }
}

impl fmt::Display for RateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Search => f.write_str("search"),
            Self::Records(rate) => rate.fmt(f),
            Self::Bytes(rate) => rate.fmt(f),
            Self::Ramp { from, to } => write!(f, "ramp({from}, {to})"),
            Self::Steps(levels) => {
                f.write_str("steps(")?;
                for (at, level) in levels.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{level}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl FromStr for RateSpec {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        read(text).ok_or_else(|| {
            TextError::new(
                text,
                "max, search, a rate such as 50K/s or 20MB/s, ramp(1K/s, 50K/s) \
                 or steps(10K/s, 20K/s)",
            )
        })
    }
}

fn read(text: &str) -> Option<RateSpec> {
    let text = text.trim();
    if let Ok(rate) = text.parse() {
        return Some(RateSpec::Records(rate));
    }
    if let Ok(rate) = text.parse() {
        return Some(RateSpec::Bytes(rate));
    }
    let call = Call::parse(text)?;
    match call.name {
        "max" if text == "max" => Some(RateSpec::Max),
        "search" if text == "search" => Some(RateSpec::Search),
        "ramp" => {
            let [from, to] = call.exactly()?;
            let (from, to) = (from.parse().ok()?, to.parse().ok()?);
            Some(RateSpec::Ramp { from, to })
        }
        "steps" if call.named.is_empty() && (2..=STEPS_MAX).contains(&call.args.len()) => {
            let levels = call.args.iter().map(|level| level.parse().ok());
            levels.collect::<Option<_>>().map(RateSpec::Steps)
        }
        _ => None,
    }
}

text_form!(
    RateSpec: "the offered load of all producers together",
    as ["string"],
    such as ["max", "search", "50K/s", "20MB/s", "ramp(1K/s, 50K/s)", "steps(10K/s, 20K/s, 40K/s)"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_back_and_other_texts_are_refused() {
        let check = |text: &str, expected: Option<&str>| {
            let read = text.parse::<RateSpec>().ok();
            let shown = read.as_ref().map(RateSpec::to_string);
            assert_eq!(shown.as_deref(), expected, "{text}");
            assert_eq!(shown.and_then(|shown| shown.parse().ok()), read, "{text}");
        };
        check("max", Some("max"));
        check("search", Some("search"));
        check("50000/s", Some("50K/s"));
        check("20MB/s", Some("20MB/s"));
        check("ramp(1K/s, 2K/s)", Some("ramp(1K/s, 2K/s)"));
        check("steps(1/s,2/s)", Some("steps(1/s, 2/s)"));
        check("50000", None);
        check("max()", None);
        check("ramp(1K/s)", None);
        check("steps(1K/s)", None);
        check("0/s", None);
    }
}
