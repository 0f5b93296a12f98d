//! Draws record sizes from their distribution.

use crate::language::SizeSpec;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// A distribution of sizes, ready to draw from.
#[derive(Clone, Debug)]
pub(super) enum Sizes {
    Fixed(usize),
    Uniform {
        min: usize,
        max: usize,
    },
    Lognormal {
        median: f64,
        sigma: f64,
        max: usize,
    },
    /// Each size with the sum of the weights up to it.
    Mix {
        sizes: Vec<(usize, u64)>,
        total: u64,
    },
}

impl Sizes {
    pub(super) fn of(spec: &SizeSpec) -> Self {
        match spec {
            SizeSpec::Fixed(size) => Self::Fixed(size.len()),
            SizeSpec::Uniform { min, max } => Self::Uniform {
                min: min.len(),
                max: max.len(),
            },
            SizeSpec::Lognormal { median, sigma, max } => Self::Lognormal {
                median: median.bytes() as f64,
                sigma: *sigma,
                max: max.len(),
            },
            SizeSpec::Mix(entries) => {
                let mut total = 0;
                let sizes = entries.iter().map(|(size, weight)| {
                    total += u64::from(*weight);
                    (size.len(), total)
                });
                let sizes = sizes.collect();
                Self::Mix { sizes, total }
            }
        }
    }

    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Uniform { min, max } => rng.random_range(*min..=*max),
            Self::Lognormal { median, sigma, max } => {
                let normal: f64 = rng.sample(StandardNormal);
                let size = (median * (sigma * normal).exp()).round() as usize;
                size.clamp(1, *max)
            }
            Self::Mix { sizes, total } => {
                let at = rng.random_range(0..*total);
                let entry = sizes.partition_point(|(_, up_to)| *up_to <= at);
                sizes.get(entry).map_or(1, |(size, _)| *size)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Purpose, random};
    use super::*;

    #[test]
    fn drawn_sizes_have_the_stated_mean_and_bounds() {
        let check = |text: &str| {
            let spec: SizeSpec = text.parse().expect(text);
            let sizes = Sizes::of(&spec);
            let mut rng = random(7, Purpose::Sizes, 0);
            let draws: Vec<_> = (0..200_000).map(|_| sizes.draw(&mut rng)).collect();
            let mean = draws.iter().sum::<usize>() as f64 / draws.len() as f64;
            let expected = spec.mean_bytes();
            assert!(
                (mean / expected - 1.0).abs() < 0.01,
                "{text}: {mean} for {expected}"
            );
            let within = spec.min().len()..=spec.max().len();
            assert!(draws.iter().all(|size| within.contains(size)), "{text}");
        };
        check("1KiB");
        check("uniform(100B, 2KB)");
        check("lognormal(1KiB, 0.5, max=1MiB)");
        check("mix(100B: 90, 10KiB: 9, 64KiB: 1)");
    }
}
