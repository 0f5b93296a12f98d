//! Shares of a whole.

use crate::TextError;
use std::{fmt, str::FromStr};

/// A share from 0 to 1: `0.25` or `25%`. A number in JSON. Kept in billionths,
/// so that it survives being stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

const WHOLE: f64 = 1e9;

impl Share {
    /// A share of `of_one`, to the nearest billionth; `None` outside of 0 to 1.
    pub fn new(of_one: f64) -> Option<Self> {
        (0.0..=1.0)
            .contains(&of_one)
            .then(|| Self((of_one * WHOLE).round() as u32))
    }

    /// A share of so many billionths, at most all of them.
    pub const fn from_billionths(billionths: u32) -> Self {
        Self(if billionths > 1_000_000_000 {
            1_000_000_000
        } else {
            billionths
        })
    }

    /// The share, from 0 to 1.
    pub fn get(self) -> f64 {
        f64::from(self.0) / WHOLE
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
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

impl serde::Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.get())
    }
}

impl<'de> serde::Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let of_one = f64::deserialize(deserializer)?;
        let refuse = || serde::de::Error::custom(format!("`{of_one}` is not a share from 0 to 1"));
        Self::new(of_one).ok_or_else(refuse)
    }
}

impl schemars::JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "a share from 0 to 1, or a percentage",
            "anyOf": [
                { "type": "number", "minimum": 0, "maximum": 1 },
                { "type": "string", "examples": ["25%"] },
            ],
        })
    }
}
