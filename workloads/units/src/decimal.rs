//! Exact decimal numbers as people write them: `12`, `1.5`, `1_000`.
//!
//! Invariant: no floating point, so that `0.1 × 1000` is 100 and nothing else.

/// Digits allowed after the point; more would overflow the exact arithmetic.
const FRACTION_DIGITS_MAX: u32 = 30;

/// `mantissa / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    mantissa: u128,
    scale: u32,
}

impl Decimal {
    /// Splits `text` into the leading number and the rest, which has no
    /// leading blanks. `None` when it does not start with a number.
    pub(super) fn split(text: &str) -> Option<(Self, &str)> {
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))
            .unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        Some((Self::parse(number)?, rest.trim_start()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let starts_with_digit = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        if !starts_with_digit(whole) || !starts_with_digit(fraction) || whole.ends_with('_') {
            return None;
        }
        let mut value = Self {
            mantissa: 0,
            scale: 0,
        };
        for digit in whole.chars().filter(|&c| c != '_') {
            value = value.push(digit.to_digit(10)?)?;
        }
        let fraction = fraction.trim_end_matches('0');
        for digit in fraction.chars() {
            value = value.push(digit.to_digit(10)?)?;
            value.scale += 1;
        }
        (value.scale <= FRACTION_DIGITS_MAX).then_some(value)
    }

    fn push(self, digit: u32) -> Option<Self> {
        let mantissa = self.mantissa.checked_mul(10)?;
        Some(Self {
            mantissa: mantissa.checked_add(u128::from(digit))?,
            scale: self.scale,
        })
    }

    /// The number times `unit`, if that is a whole number that fits.
    pub(super) fn times(self, unit: u64) -> Option<u64> {
        let product = self.mantissa.checked_mul(u128::from(unit))?;
        let divisor = 10_u128.checked_pow(self.scale)?;
        if product % divisor != 0 {
            return None;
        }
        u64::try_from(product / divisor).ok()
    }

    /// The number as the nearest floating-point value.
    pub(super) fn to_f64(self) -> f64 {
        let text = format!("{}e-{}", self.mantissa, self.scale);
        text.parse().unwrap_or(f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_what_follows_is_left() {
        let check = |text: &str, unit: u64, expected: Option<(Option<u64>, &str)>| {
            let read = Decimal::split(text).map(|(number, rest)| (number.times(unit), rest));
            assert_eq!(read, expected, "{text} x {unit}");
        };
        check("12KB", 1000, Some((Some(12_000), "KB")));
        check("0.1 KB", 1000, Some((Some(100), "KB")));
        check("1_000", 1, Some((Some(1000), "")));
        check("0.1KiB", 1024, Some((None, "KiB")));
        check("1.50", 2, Some((Some(3), "")));
        check("18446744073709551616", 1, Some((None, "")));
        check("KB", 1, None);
        check(".5", 1, None);
        check("1.", 1, None);
        check("1_", 1, None);
        check("1.2.3", 1, None);
        check("-1", 1, None);
        check("", 1, None);
    }
}
