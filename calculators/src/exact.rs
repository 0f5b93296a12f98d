//! Exact arithmetic: non-negative fractions of 128-bit whole numbers.
//!
//! Invariant: a finite value is in lowest terms, so equal values are equal
//! fields. What does not fit, and what is divided by zero, is
//! [`Exact::INFINITE`]; it survives every operation, so that a formula is
//! written without checks and its result is looked at once.

use plimsoll_units::{ByteRate, Count, Rate, Share, Size, Span};
use std::cmp::Ordering;
use std::ops::{Add, Div, Mul};

/// A fraction that is never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact {
    over: u128,
    under: u128,
}

impl Exact {
    /// Nothing.
    pub const ZERO: Self = Self::whole(0);
    /// One.
    pub const ONE: Self = Self::whole(1);
    /// More than can be counted: an overflow, or a division by zero.
    pub const INFINITE: Self = Self { over: 1, under: 0 };

    /// The whole number `value`.
    pub const fn whole(value: u128) -> Self {
        Self {
            over: value,
            under: 1,
        }
    }

    /// The fraction `over / under`.
    pub fn ratio(over: u128, under: u128) -> Self {
        if under == 0 {
            return Self::INFINITE;
        }
        let shared = common_divisor(over, under);
        Self {
            over: over / shared,
            under: under / shared,
        }
    }

    /// The shortest decimal that reads back as `value`; infinite when `value`
    /// is no number, negative, or needs more digits than fit.
    pub fn from_f64(value: f64) -> Self {
        let text = value.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = [whole, fraction].concat();
        let scale = u32::try_from(fraction.len()).ok();
        let scale = scale.and_then(|scale| 10_u128.checked_pow(scale));
        match (digits.parse(), scale) {
            (Ok(over), Some(scale)) => Self::ratio(over, scale),
            _ => Self::INFINITE,
        }
    }

    /// Whether the value is a number.
    pub const fn is_finite(self) -> bool {
        self.under != 0
    }

    /// Whether the value is nothing.
    pub const fn is_zero(self) -> bool {
        self.over == 0
    }

    /// The value less `other`, or nothing when `other` is larger.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        if !self.is_finite() {
            return self;
        }
        if other >= self {
            return Self::ZERO;
        }
        let shared = common_divisor(self.under, other.under);
        let left = self.over.checked_mul(other.under / shared);
        let right = other.over.checked_mul(self.under / shared);
        let under = (self.under / shared).checked_mul(other.under);
        match (left, right, under) {
            (Some(left), Some(right), Some(under)) => Self::ratio(left - right, under),
            _ => Self::INFINITE,
        }
    }

    /// The value rounded up to a whole number.
    #[must_use]
    pub fn ceil(self) -> Self {
        match self.is_finite() {
            true => Self::whole(self.over.div_ceil(self.under)),
            false => self,
        }
    }

    /// The value cut down to a whole number.
    #[must_use]
    pub fn floor(self) -> Self {
        match self.is_finite() {
            true => Self::whole(self.over / self.under),
            false => self,
        }
    }

    /// The value as a whole number, if it is one.
    pub const fn as_whole(self) -> Option<u128> {
        match self.under {
            1 => Some(self.over),
            _ => None,
        }
    }

    /// The nearest floating-point number.
    pub fn to_f64(self) -> f64 {
        self.over as f64 / self.under as f64
    }
}

/// The largest number that divides both; one for zeros.
pub(crate) fn common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

impl Add for Exact {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        if !self.is_finite() || !other.is_finite() {
            return Self::INFINITE;
        }
        let shared = common_divisor(self.under, other.under);
        let left = self.over.checked_mul(other.under / shared);
        let right = other.over.checked_mul(self.under / shared);
        let over = left.zip(right).and_then(|(l, r)| l.checked_add(r));
        let under = (self.under / shared).checked_mul(other.under);
        over.zip(under)
            .map_or(Self::INFINITE, |(over, under)| Self::ratio(over, under))
    }
}

impl Mul for Exact {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        if !self.is_finite() || !other.is_finite() {
            return Self::INFINITE;
        }
        let left = Self::ratio(self.over, other.under);
        let right = Self::ratio(other.over, self.under);
        let over = left.over.checked_mul(right.over);
        let under = left.under.checked_mul(right.under);
        over.zip(under)
            .map_or(Self::INFINITE, |(over, under)| Self { over, under })
    }
}

impl Div for Exact {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        match (other.is_finite(), other.is_zero()) {
            (true, false) => self.mul(Self {
                over: other.under,
                under: other.over,
            }),
            (true, true) => Self::INFINITE,
            (false, _) => Self::ZERO,
        }
    }
}

impl Ord for Exact {
    /// Compares whole parts, then what remains turned upside down, so that no
    /// product can overflow.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_finite(), other.is_finite()) {
            (false, false) => return Ordering::Equal,
            (false, true) => return Ordering::Greater,
            (true, false) => return Ordering::Less,
            (true, true) => {}
        }
        let (mut left, mut right, mut flipped) = (*self, *other, false);
        loop {
            let wholes = (left.over / left.under).cmp(&(right.over / right.under));
            let rests = (left.over % left.under, right.over % right.under);
            let order = match (wholes, rests) {
                (Ordering::Equal, (0, 0)) => return Ordering::Equal,
                (Ordering::Equal, (0, _)) => Ordering::Less,
                (Ordering::Equal, (_, 0)) => Ordering::Greater,
                (Ordering::Equal, (l, r)) => {
                    (left.over, left.under) = (left.under, l);
                    (right.over, right.under) = (right.under, r);
                    flipped = !flipped;
                    continue;
                }
                (different, _) => different,
            };
            return if flipped { order.reverse() } else { order };
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<u64> for Exact {
    fn from(value: u64) -> Self {
        Self::whole(u128::from(value))
    }
}

impl From<u32> for Exact {
    fn from(value: u32) -> Self {
        Self::whole(u128::from(value))
    }
}

impl From<Size> for Exact {
    /// In bytes.
    fn from(size: Size) -> Self {
        size.bytes().into()
    }
}

impl From<Count> for Exact {
    fn from(count: Count) -> Self {
        count.get().into()
    }
}

impl From<Span> for Exact {
    /// In seconds.
    fn from(span: Span) -> Self {
        Self::ratio(u128::from(span.nanos()), 1_000_000_000)
    }
}

impl From<Rate> for Exact {
    /// Per second.
    fn from(rate: Rate) -> Self {
        Self::from_f64(rate.per_second())
    }
}

impl From<ByteRate> for Exact {
    /// Bytes per second.
    fn from(rate: ByteRate) -> Self {
        rate.bytes_per_second().into()
    }
}

impl From<Share> for Exact {
    fn from(share: Share) -> Self {
        Self::from_f64(share.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_become_the_fractions_that_people_mean() {
        let check = |value: f64, expected| assert_eq!(Exact::from_f64(value), expected, "{value}");
        check(0.1, Exact::ratio(1, 10));
        check(1e12, Exact::whole(1_000_000_000_000));
        check(0.000_000_01, Exact::ratio(1, 100_000_000));
        check(f64::NAN, Exact::INFINITE);
        check(f64::INFINITY, Exact::INFINITE);
        check(-1.0, Exact::INFINITE);
    }

    #[test]
    fn what_does_not_fit_stays_infinite() {
        let huge = Exact::whole(u128::MAX);
        for value in [huge * huge, huge + Exact::ONE, Exact::ONE / Exact::ZERO] {
            assert_eq!(value, Exact::INFINITE);
            assert_eq!((value + Exact::ONE).minus(huge), Exact::INFINITE);
        }
        assert!(Exact::INFINITE > huge);
    }

    proptest! {
        #[test]
        fn fractions_behave_as_numbers(a in 0..1_000_000_u128, b in 1..1_000_000_u128,
                                       c in 0..1_000_000_u128, d in 1..1_000_000_u128) {
            let (x, y) = (Exact::ratio(a, b), Exact::ratio(c, d));
            prop_assert_eq!(x.cmp(&y), (a * d).cmp(&(c * b)));
            prop_assert_eq!((x + y).minus(y), x);
            prop_assert_eq!(x.minus(x + y), Exact::ZERO);
            prop_assert!(x.floor() <= x && x <= x.ceil() && x.ceil() < x.floor() + Exact::whole(2));
            if c > 0 {
                prop_assert_eq!(x * y / y, x);
            }
        }
    }
}
