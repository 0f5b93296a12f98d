//! Record sizes: one size, or a distribution of them.

use super::call::Call;
use crate::units::Size;
use plimsoll_units::{TextError, text_form};
use std::{fmt, str::FromStr};

/// Largest record that may be asked for: what fits in a request.
pub(super) const RECORD_BYTES_MAX: u64 = 100 * 1024 * 1024;

/// Entries that a mix may have.
const MIX_ENTRIES_MAX: usize = 100;

/// The size of a synthetic record's value.
#[derive(Clone, Debug, PartialEq)]
pub enum SizeSpec {
    /// `1KiB`: each value has this size.
    Fixed(Size),
    /// `uniform(100B, 2KB)`: any size between the two is as likely.
    Uniform {
        /// The smallest.
        min: Size,
        /// The largest.
        max: Size,
    },
    /// `lognormal(1KiB, 0.8, max=64KiB)`: many small values and a long tail.
    Lognormal {
        /// Half of the values are smaller.
        median: Size,
        /// The standard deviation of the size's natural logarithm.
        sigma: f64,
        /// Longer values are cut to this.
        max: Size,
    },
    /// `mix(100B: 90, 10KiB: 10)`: these sizes, by weight.
    Mix(Vec<(Size, u32)>),
}

impl SizeSpec {
    /// The smallest value that can come.
    pub fn min(&self) -> Size {
        match self {
            Self::Fixed(size) => *size,
            Self::Uniform { min, .. } => *min,
            Self::Lognormal { .. } => Size::from_bytes(1),
            Self::Mix(entries) => {
                let sizes = entries.iter().map(|(size, _)| *size);
                sizes.min().unwrap_or_default()
            }
        }
    }

    /// The largest value that can come.
    pub fn max(&self) -> Size {
        match self {
            Self::Fixed(size) => *size,
            Self::Uniform { max, .. } | Self::Lognormal { max, .. } => *max,
            Self::Mix(entries) => {
                let sizes = entries.iter().map(|(size, _)| *size);
                sizes.max().unwrap_or_default()
            }
        }
    }

    /// The mean size in bytes. For `lognormal` the cut at `max` is left out,
    /// which overstates the mean of a heavy tail.
    pub fn mean_bytes(&self) -> f64 {
        match self {
            Self::Fixed(size) => size.bytes() as f64,
            Self::Uniform { min, max } => (min.bytes() as f64 + max.bytes() as f64) / 2.0,
            Self::Lognormal { median, sigma, max } => {
                let mean = median.bytes() as f64 * (sigma * sigma / 2.0).exp();
                mean.min(max.bytes() as f64)
            }
            Self::Mix(entries) => {
                let weight: f64 = entries.iter().map(|(_, weight)| f64::from(*weight)).sum();
                let bytes = |(size, weight): &(Size, u32)| size.bytes() as f64 * f64::from(*weight);
                entries.iter().map(bytes).sum::<f64>() / weight
            }
        }
    }
}

impl fmt::Display for SizeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => size.fmt(f),
            Self::Uniform { min, max } => write!(f, "uniform({min}, {max})"),
            Self::Lognormal { median, sigma, max } => {
                write!(f, "lognormal({median}, {sigma}, max={max})")
            }
            Self::Mix(entries) => {
                f.write_str("mix(")?;
                for (at, (size, weight)) in entries.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{size}: {weight}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl FromStr for SizeSpec {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let trimmed = text.trim();
        if trimmed.starts_with(|c: char| c.is_ascii_digit()) {
            return one_size(trimmed).map(Self::Fixed);
        }
        let refuse = || {
            TextError::new(
                text,
                "a size such as 1KiB, uniform(100B, 2KB), lognormal(1KiB, 0.8, max=64KiB) \
                 or mix(100B: 90, 10KiB: 10)",
            )
        };
        let call = Call::parse(trimmed).ok_or_else(refuse)?;
        match call.name {
            "uniform" => {
                let [min, max] = call.exactly().ok_or_else(refuse)?;
                let (min, max) = (one_size(min)?, one_size(max)?);
                let order = || TextError::new(text, "in order: the smaller size comes first");
                (min <= max)
                    .then_some(Self::Uniform { min, max })
                    .ok_or_else(order)
            }
            "lognormal" => lognormal(&call).ok_or_else(refuse)?,
            "mix" => mix(&call).ok_or_else(refuse)?,
            _ => Err(refuse()),
        }
    }
}

/// Reads one size and refuses an empty or an impossible one.
fn one_size(text: &str) -> Result<Size, TextError> {
    let size: Size = text.parse()?;
    if (1..=RECORD_BYTES_MAX).contains(&size.bytes()) {
        return Ok(size);
    }
    let max = Size::from_bytes(RECORD_BYTES_MAX);
    Err(TextError::new(
        text,
        format!("a record size from 1B to {max}"),
    ))
}

fn lognormal(call: &Call<'_>) -> Option<Result<SizeSpec, TextError>> {
    let ([median, sigma], [("max", max)]) = (call.args.as_slice(), call.named.as_slice()) else {
        return None;
    };
    let sigma: f64 = sigma.parse().ok().filter(|s| (0.01..=5.0).contains(s))?;
    Some(one_size(median).and_then(|median| {
        let max = one_size(max)?;
        Ok(SizeSpec::Lognormal { median, sigma, max })
    }))
}

fn mix(call: &Call<'_>) -> Option<Result<SizeSpec, TextError>> {
    if call.args.is_empty() || call.args.len() > MIX_ENTRIES_MAX || !call.named.is_empty() {
        return None;
    }
    let mut entries = Vec::with_capacity(call.args.len());
    for argument in &call.args {
        let (size, weight) = argument.split_once(':')?;
        let weight = weight.trim().parse().ok().filter(|&weight| weight > 0)?;
        match one_size(size) {
            Ok(size) => entries.push((size, weight)),
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(SizeSpec::Mix(entries)))
}

text_form!(
    SizeSpec: "one size or a distribution of sizes",
    as ["string", "integer"],
    such as ["1KiB", "uniform(100B, 2KB)", "lognormal(1KiB, 0.8, max=64KiB)", "mix(100B: 90, 10KiB: 10)"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_back_and_impossible_ones_are_refused() {
        let check = |text: &str, expected: Result<(&str, f64), &str>| {
            let read = text.parse::<SizeSpec>();
            match expected {
                Ok((shown, mean)) => {
                    let spec = read.expect(text);
                    assert_eq!(spec.to_string(), shown, "{text}");
                    assert_eq!(spec.mean_bytes().round(), mean, "{text}");
                    assert_eq!(shown.parse(), Ok(spec), "{text}");
                }
                Err(part) => {
                    let error = read.expect_err(text).to_string();
                    assert!(error.contains(part), "{text}: {error}");
                }
            }
        };
        check("1024", Ok(("1KiB", 1024.0)));
        check("uniform(100B,200)", Ok(("uniform(100B, 200B)", 150.0)));
        check("mix(100B: 3, 1KB:1)", Ok(("mix(100B: 3, 1KB: 1)", 325.0)));
        check(
            "lognormal(1KB, 1, max=10KB)",
            Ok(("lognormal(1KB, 1, max=10KB)", 1649.0)),
        );
        check("0B", Err("a record size from 1B to 100MiB"));
        check("1GiB", Err("a record size from 1B to 100MiB"));
        check("1K", Err("KB counts in 1000"));
        check("uniform(2KB, 1KB)", Err("the smaller size comes first"));
        check("uniform(2KB)", Err("a size such as"));
        check("mix(1KB: 0)", Err("a size such as"));
        check("lognormal(1KB, 99, max=1MB)", Err("a size such as"));
        check("normal(1KB, 1)", Err("a size such as"));
    }
}
