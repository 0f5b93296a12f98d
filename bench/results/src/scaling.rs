//! How throughput scales: the Universal Scalability Law, fitted to whole runs.
//!
//! X(N) = γN / (1 + σ(N − 1) + κN(N − 1)): γ is what one does alone, σ what
//! waits in line, κ what every one pays for every other (Gunther, *Guerrilla
//! Capacity Planning*, 2007). The reciprocal N/X is linear in three parameters
//! that must not be negative, so the fit is a small non-negative least squares
//! of relative errors, solved exactly.
//!
//! The unit is a run: intervals come from resampling whole runs within each N,
//! with a seed, so that the same runs always give the same answer. A law is
//! never fitted to fewer than [`VALUES_MIN`] values of N with [`REPEATS_MIN`]
//! runs each, and says so when it is asked beyond twice the largest N measured.

mod least_squares;

use least_squares::weighted;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values of N that a fit needs.
pub const VALUES_MIN: usize = 6;
/// Runs that each value of N needs.
pub const REPEATS_MIN: usize = 3;
/// How far beyond the largest N measured a prediction goes without a warning.
pub const REACH: f64 = 2.0;
/// The confidence of the intervals.
pub const CONFIDENCE: f64 = 0.9;

/// Times that the runs are resampled.
const DRAWS: usize = 1000;
/// Rounds of reweighting by the fitted value and by trust.
const ROUNDS: usize = 8;
/// Beyond so many standard deviations a run loses weight; 1.345 keeps 95 % of the
/// efficiency of least squares where noise is normal (Huber, 1964).
const HUBER: f64 = 1.345;
/// The standard deviation of a normal distribution in its median deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// The seed of the resampling.
const SEED: u64 = 0xb007_57a2;

/// One run: its N, and what it carried.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// How many: partitions, producers, consumers.
    pub n: f64,
    /// Throughput.
    pub value: f64,
}

/// The law with its three parameters, none of them negative.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// Throughput of one.
    pub gamma: f64,
    /// Contention: the share that waits in line.
    pub sigma: f64,
    /// Coherence: what each pays for each other.
    pub kappa: f64,
}

/// From the least to the most of a parameter, at [`CONFIDENCE`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

/// A fitted law with its intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The law that fits best.
    pub law: Law,
    /// Where γ lies.
    pub gamma: Bounds,
    /// Where σ lies.
    pub sigma: Bounds,
    /// Where κ lies.
    pub kappa: Bounds,
    /// Different values of N.
    pub values: usize,
    /// Runs in all.
    pub runs: usize,
    /// The largest N measured.
    pub largest: f64,
    draws: Vec<Draw>,
}

/// A law of resampled runs, and by how much (ln) a run strayed from its law.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Draw {
    law: Law,
    stray: f64,
}

/// What one further run at some N would carry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// What the law says.
    pub likely: f64,
    /// Where one run lies at [`CONFIDENCE`].
    pub bounds: Bounds,
    /// Whether N is beyond [`REACH`] times the largest measured.
    pub too_far: bool,
}

/// The N at which throughput is largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Where it is.
    pub n: f64,
    /// Between which N it lies at [`CONFIDENCE`].
    pub bounds: Bounds,
}

/// Why no law is fitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScalingError {
    /// There is too little to go by.
    #[error(
        "{values} values of N with at least {repeats} runs each; a fit needs {VALUES_MIN} values \
         with {REPEATS_MIN} runs each"
    )]
    TooFew {
        /// Different values of N.
        values: usize,
        /// Runs of the value that has fewest.
        repeats: usize,
    },
    /// A run that no law explains.
    #[error(
        "a run with N = {n} and throughput {value}; both must be above zero and finite, N at least 1"
    )]
    Impossible {
        /// Its N.
        n: f64,
        /// Its throughput.
        value: f64,
    },
}

impl Law {
    /// Throughput at `n`.
    pub fn at(&self, n: f64) -> f64 {
        self.gamma * n / (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0))
    }

    /// The N of the largest throughput: √((1 − σ)/κ), at least 1; none while
    /// throughput only rises.
    pub fn peak(&self) -> Option<f64> {
        (self.kappa > 0.0).then(|| ((1.0 - self.sigma).max(0.0) / self.kappa).sqrt().max(1.0))
    }
}

impl Fit {
    /// Fits the law to `samples`.
    pub fn of(samples: &[Sample]) -> Result<Self, ScalingError> {
        let by_n = by_n(samples)?;
        let repeats = by_n.iter().map(Vec::len).min().unwrap_or(0);
        if by_n.len() < VALUES_MIN || repeats < REPEATS_MIN {
            let values = by_n.len();
            return Err(ScalingError::TooFew { values, repeats });
        }
        let law = best(samples);
        let draws = draws(&by_n, law);
        let bounds = |of: fn(&Law) -> f64| Bounds::of(draws.iter().map(|d| of(&d.law)).collect());
        Ok(Self {
            law,
            gamma: bounds(|law| law.gamma),
            sigma: bounds(|law| law.sigma),
            kappa: bounds(|law| law.kappa),
            values: by_n.len(),
            runs: samples.len(),
            largest: samples.iter().map(|s| s.n).fold(0.0, f64::max),
            draws,
        })
    }

    /// What one further run at `n` would carry.
    pub fn predict(&self, n: f64) -> Prediction {
        let strayed = |draw: &Draw| draw.law.at(n) * draw.stray.exp();
        Prediction {
            likely: self.law.at(n),
            bounds: Bounds::of(self.draws.iter().map(strayed).collect()),
            too_far: n > REACH * self.largest,
        }
    }

    /// Where throughput is largest; none when κ may as well be zero, and then
    /// nothing shows that it ever falls.
    pub fn peak(&self) -> Option<Peak> {
        let n = self.law.peak().filter(|_| self.kappa.low > 0.0)?;
        let peaks = self.draws.iter().filter_map(|draw| draw.law.peak());
        Some(Peak {
            n,
            bounds: Bounds::of(peaks.collect()),
        })
    }
}

impl Bounds {
    /// The middle [`CONFIDENCE`] of `values`; zero when there are none.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let last = values.len().saturating_sub(1);
            let index = (share * last as f64).round() as usize;
            values.get(index).copied().unwrap_or(0.0)
        };
        Self {
            low: at((1.0 - CONFIDENCE) / 2.0),
            high: at((1.0 + CONFIDENCE) / 2.0),
        }
    }

    /// Whether `value` lies within.
    pub fn hold(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The runs of each N.
fn by_n(samples: &[Sample]) -> Result<Vec<Vec<Sample>>, ScalingError> {
    let mut found: BTreeMap<u64, Vec<Sample>> = BTreeMap::new();
    for &Sample { n, value } in samples {
        let possible = n.is_finite() && n >= 1.0 && value.is_finite() && value > 0.0;
        if !possible {
            return Err(ScalingError::Impossible { n, value });
        }
        // The bits of positive numbers are in the order of the numbers.
        found
            .entry(n.to_bits())
            .or_default()
            .push(Sample { n, value });
    }
    Ok(found.into_values().collect())
}

/// Laws of resampled runs. Resampling r runs shows (r − 1)/r of their variance,
/// so their spread about the mean of their N is widened by √(r/(r − 1)).
fn draws(by_n: &[Vec<Sample>], law: Law) -> Vec<Draw> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let widened: Vec<Vec<Sample>> = by_n.iter().map(|runs| widen(runs)).collect();
    let runs = widened.iter().map(Vec::len).sum::<usize>();
    let parameters = 3.0_f64.min(runs as f64 - 1.0);
    let inflation = (runs as f64 / (runs as f64 - parameters)).sqrt();
    let strays: Vec<f64> = by_n
        .iter()
        .flatten()
        .map(|s| (s.value / law.at(s.n)).ln() * inflation)
        .collect();
    let mut pick = |from: usize| rng.random_range(0..from);
    (0..DRAWS)
        .map(|_| {
            let drawn: Vec<Sample> = widened
                .iter()
                .flat_map(|runs| {
                    let chosen = (0..runs.len())
                        .map(|_| pick(runs.len()))
                        .collect::<Vec<_>>();
                    chosen.into_iter().filter_map(|at| runs.get(at).copied())
                })
                .collect();
            Draw {
                law: best(&drawn),
                stray: strays.get(pick(strays.len())).copied().unwrap_or(0.0),
            }
        })
        .collect()
}

fn widen(runs: &[Sample]) -> Vec<Sample> {
    let count = runs.len() as f64;
    let mean = runs.iter().map(|s| s.value.ln()).sum::<f64>() / count;
    let factor = (count / (count - 1.0)).sqrt();
    let wide = |s: &Sample| Sample {
        n: s.n,
        value: (mean + (s.value.ln() - mean) * factor).exp(),
    };
    runs.iter().map(wide).collect()
}

/// The law with the least sum of squared relative errors of N/X, in which a run
/// that strays from it as no other does counts for less (Huber's weights): on a
/// shared machine one stalled run would otherwise decide.
fn best(samples: &[Sample]) -> Law {
    let middles = middles(samples);
    let mut weights: Vec<f64> = middles.iter().map(|s| s.value / s.n).collect();
    let mut law = weighted(&middles, &weights);
    for _ in 0..ROUNDS {
        let strays: Vec<f64> = samples
            .iter()
            .map(|s| (law.at(s.n) / s.value - 1.0).abs())
            .collect();
        let usual = HUBER * MAD_TO_DEVIATION * median(&strays);
        let trust = |stray: f64| {
            if stray > usual && usual > 0.0 {
                (usual / stray).sqrt()
            } else {
                1.0
            }
        };
        weights = samples
            .iter()
            .zip(&strays)
            .map(|(s, stray)| law.at(s.n) / s.n * trust(*stray))
            .collect();
        law = weighted(samples, &weights);
    }
    law
}

/// The median run of each N, to start from.
fn middles(samples: &[Sample]) -> Vec<Sample> {
    let mut found: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for s in samples {
        found.entry(s.n.to_bits()).or_default().push(s.value);
    }
    let middle = |(n, values): (u64, Vec<f64>)| Sample {
        n: f64::from_bits(n),
        value: median(&values),
    };
    found.into_iter().map(middle).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
