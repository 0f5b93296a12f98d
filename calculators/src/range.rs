//! Low, middle and high of one quantity.

use crate::exact::Exact;
use std::ops::{Add, Mul};

/// A quantity that is not known exactly. Invariant: `low ≤ mid ≤ high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    low: Exact,
    mid: Exact,
    high: Exact,
}

impl Range {
    /// The three values, put in order.
    pub fn new(low: impl Into<Exact>, mid: impl Into<Exact>, high: impl Into<Exact>) -> Self {
        let mut values = [low.into(), mid.into(), high.into()];
        values.sort();
        let [low, mid, high] = values;
        Self { low, mid, high }
    }

    /// From `low` to `high`, with the mean in the middle.
    pub fn between(low: impl Into<Exact>, high: impl Into<Exact>) -> Self {
        let (low, high) = (low.into(), high.into());
        Self::new(low, (low + high) / Exact::whole(2), high)
    }

    /// The least.
    pub const fn low(self) -> Exact {
        self.low
    }

    /// The likely.
    pub const fn mid(self) -> Exact {
        self.mid
    }

    /// The most.
    pub const fn high(self) -> Exact {
        self.high
    }

    /// Whether all three are the same.
    pub fn is_exact(self) -> bool {
        self.low == self.high
    }

    /// Each value through `change`, put in order again.
    #[must_use]
    pub fn map(self, change: impl Fn(Exact) -> Exact) -> Self {
        Self::new(change(self.low), change(self.mid), change(self.high))
    }

    /// The larger of the two, value by value.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            mid: self.mid.max(other.mid),
            high: self.high.max(other.high),
        }
    }
}

impl<T: Into<Exact>> From<T> for Range {
    fn from(value: T) -> Self {
        let value = value.into();
        Self {
            low: value,
            mid: value,
            high: value,
        }
    }
}

impl Add for Range {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            low: self.low + other.low,
            mid: self.mid + other.mid,
            high: self.high + other.high,
        }
    }
}

impl Mul for Range {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self {
            low: self.low * other.low,
            mid: self.mid * other.mid,
            high: self.high * other.high,
        }
    }
}
