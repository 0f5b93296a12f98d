//! Settings of the run as a whole; these are never swept.

use super::fields::settings;
use crate::units::Span;
use plimsoll_units::{TextError, text_form};
use std::{fmt, str::FromStr};

settings! {
    /// Settings of the run as a whole.
    pub struct RunSpec in "" {
        /// Name of the workload, and of its results; the file's name when unset.
        name: String = String::new(), "";
        /// The question that the workload answers, shown in the report.
        question: String = String::new(), "";
        /// How often each cell is run, once in each block.
        repeats: u32 = 3, "", 1..=1000;
        /// Decides the order of the cells, the keys and the payloads.
        seed: u64 = 1, "";
        /// The part of a full factorial that is run: 1/2, 1/3, …
        fraction: Fraction = Fraction::FULL, "";
        /// Time that the run may take; blocks that do not fit are left out.
        time_budget: Option<Span> = None, "";
    }
}

/// Smallest fraction taken.
const DENOMINATOR_MAX: u32 = 64;

/// A part of a full factorial, written `1/2`; `1/1` is all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fraction(u32);

impl Fraction {
    /// Every combination.
    pub const FULL: Self = Self(1);

    /// The number under the stroke.
    pub const fn denominator(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1/{}", self.0)
    }
}

impl FromStr for Fraction {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let denominator = match text.trim() {
            "1" => Some(1),
            other => other
                .strip_prefix("1/")
                .and_then(|below| below.parse().ok()),
        };
        let denominator = denominator.filter(|below| (1..=DENOMINATOR_MAX).contains(below));
        let refuse = || TextError::new(text, "1/1, 1/2, 1/3, … up to 1/64");
        denominator.map(Self).ok_or_else(refuse)
    }
}

text_form!(
    Fraction: "the part of a full factorial that is run",
    as ["string", "integer"],
    such as ["1/2"]
);
