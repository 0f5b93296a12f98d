//! Values that a calculation rests on, with where each came from.

use crate::exact::Exact;
use crate::range::Range;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// A rule of the document, by id.
    Document(String),
    /// What this setting is when it is left alone: Kafka's default, unless it
    /// says otherwise.
    Default(String),
    /// A measurement on the user's own machines.
    Measured {
        /// The run it came from.
        run: String,
        /// The interval it lies in, as text with its unit.
        interval: String,
        /// How many repeats it rests on.
        n: u32,
    },
    /// The user said so.
    User,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(rule) => write!(f, "document, rule {rule}"),
            Self::Default(setting) => write!(f, "default: {setting}"),
            Self::Measured { run, interval, n } => {
                write!(f, "measured in {run}: {interval}, n = {n}")
            }
            Self::User => f.write_str("given"),
        }
    }
}

/// A value and its provenance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub provenance: Provenance,
}

impl<T> Parameter<T> {
    /// What the document says in `rule`.
    pub fn document(rule: &str, value: T) -> Self {
        Self {
            value,
            provenance: Provenance::Document(rule.to_owned()),
        }
    }

    /// What the document says in `rule`, in its own words. Panics where `text`
    /// is no such value.
    pub fn quoted(rule: &str, text: &str) -> Self
    where
        T: std::str::FromStr<Err: fmt::Display>,
    {
        let value = text.parse();
        Self::document(
            rule,
            value.unwrap_or_else(|error| panic!("{rule}: {error}")),
        )
    }

    /// What holds when `setting` is left alone.
    pub fn default_of(setting: &str, value: T) -> Self {
        Self {
            value,
            provenance: Provenance::Default(setting.to_owned()),
        }
    }

    /// What the user asked for.
    pub const fn user(value: T) -> Self {
        Self {
            value,
            provenance: Provenance::User,
        }
    }
}

impl<T: Clone> Parameter<T> {
    /// The user's value where there is one.
    #[must_use]
    pub fn or_user(self, value: Option<T>) -> Self {
        value.map_or(self, Self::user)
    }
}

impl<T: Copy + Into<Exact>> Parameter<T> {
    /// The value as an exact number in its base unit.
    pub fn exact(&self) -> Exact {
        self.value.into()
    }
}

/// From the least to the most of a quantity, written `10MB/s..30MB/s`; one
/// value stands for both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between<T> {
    /// The least.
    pub low: T,
    /// The most.
    pub high: T,
}

impl<T> Between<T> {
    /// From `low` to `high`.
    pub const fn new(low: T, high: T) -> Self {
        Self { low, high }
    }
}

impl<T: Copy + Into<Exact>> Between<T> {
    /// The two ends and their mean.
    pub fn range(self) -> Range {
        Range::between(self.low, self.high)
    }
}

impl<T: fmt::Display + PartialEq> fmt::Display for Between<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            return write!(f, "{}", self.low);
        }
        write!(f, "{}..{}", self.low, self.high)
    }
}

impl<T: std::str::FromStr + Copy> std::str::FromStr for Between<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        Ok(Self::new(low.parse()?, high.parse()?))
    }
}
