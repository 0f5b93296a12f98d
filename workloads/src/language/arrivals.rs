//! Arrivals: how records are spaced around the offered rate.

use super::call::Call;
use crate::units::Count;
use plimsoll_units::{TextError, text_form};
use std::{fmt, path::PathBuf, str::FromStr};

/// Records that may come at once.
const BURST_MAX: u64 = 10_000_000;

/// The process that turns an offered rate into intended send times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArrivalSpec {
    /// `constant`: evenly spaced, the kindest load there is.
    Constant,
    /// `poisson`: independent arrivals, as from many users.
    Poisson,
    /// `burst(100)`: this many at once, the bursts evenly spaced so that the
    /// rate holds.
    Burst(Count),
    /// `trace(arrivals.txt)`: the times in a file, which has one a line in
    /// seconds (`12.5`) or with a unit (`12500ms`), sorted; the first is zero.
    Trace(PathBuf),
}

impl fmt::Display for ArrivalSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Poisson => f.write_str("poisson"),
            Self::Burst(records) => write!(f, "burst({records})"),
            Self::Trace(path) => write!(f, "trace({})", path.display()),
        }
    }
}

impl FromStr for ArrivalSpec {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let trimmed = text.trim();
        let refuse =
            || TextError::new(text, "constant, poisson, burst(100) or trace(arrivals.txt)");
        match trimmed {
            "constant" => return Ok(Self::Constant),
            "poisson" => return Ok(Self::Poisson),
            _ => {}
        }
        let inside = trimmed
            .strip_prefix("trace(")
            .and_then(|rest| rest.strip_suffix(')'));
        if let Some(path) = inside.map(str::trim).filter(|path| !path.is_empty()) {
            return Ok(Self::Trace(PathBuf::from(path)));
        }
        let call = Call::parse(trimmed).filter(|call| call.name == "burst");
        let records = call.and_then(|call| call.exactly::<1>());
        let records = records.and_then(|[records]| records.parse::<Count>().ok());
        let records = records.filter(|records| (1..=BURST_MAX).contains(&records.get()));
        records.map(Self::Burst).ok_or_else(refuse)
    }
}

text_form!(
    ArrivalSpec: "how records are spaced around the offered rate",
    as ["string"],
    such as ["constant", "poisson", "burst(100)", "trace(arrivals.txt)"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_read_back_and_other_texts_are_refused() {
        let check = |text: &str, expected: Option<&str>| {
            let read = text.parse::<ArrivalSpec>().ok();
            let shown = read.as_ref().map(ArrivalSpec::to_string);
            assert_eq!(shown.as_deref(), expected, "{text}");
            assert_eq!(shown.and_then(|shown| shown.parse().ok()), read, "{text}");
        };
        check("constant", Some("constant"));
        check(" poisson ", Some("poisson"));
        check("burst(1000)", Some("burst(1K)"));
        check(
            "trace(a dir/times (1).txt)",
            Some("trace(a dir/times (1).txt)"),
        );
        check("burst", None);
        check("burst(0)", None);
        check("trace()", None);
        check("bursty", None);
    }
}
