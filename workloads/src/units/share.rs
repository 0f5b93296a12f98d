//! Shares of a whole.

use crate::text_form::{TextError, text_form};
use std::{fmt, str::FromStr};

/// A share from 0 to 1: `0.25` or `25%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// A share of `of_one`; `None` outside of 0 to 1.
    pub fn new(of_one: f64) -> Option<Self> {
        // Adding zero turns −0 into 0, which would show as `-0`.
        (0.0..=1.0).contains(&of_one).then_some(Self(of_one + 0.0))
    }

    /// The share, from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Share {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let trimmed = text.trim();
        let (number, of) = match trimmed.strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 100.0),
            None => (trimmed, 1.0),
        };
        let share = number.parse::<f64>().ok().map(|number| number / of);
        let refuse = || TextError::new(text, "a share from 0 to 1, such as 0.25 or 25%");
        share.and_then(Self::new).ok_or_else(refuse)
    }
}

text_form!(Share: "a share from 0 to 1", as ["string", "number"], such as ["0.25"]);
