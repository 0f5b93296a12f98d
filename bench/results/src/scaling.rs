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

/// Least squares over every set of parameters that may be above zero: the best
/// one in which none is negative is the constrained optimum.
fn weighted(samples: &[Sample], weights: &[f64]) -> Law {
    const SETS: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];
    let rows: Vec<([f64; 3], f64)> = samples
        .iter()
        .zip(weights)
        .map(|(s, w)| {
            let columns = [1.0, s.n - 1.0, s.n * (s.n - 1.0)];
            (columns.map(|c| c * w), s.n / s.value * w)
        })
        .collect();
    let error = |x: &[f64; 3]| -> f64 {
        let residual = |(row, y): &([f64; 3], f64)| {
            let sum: f64 = row.iter().zip(x).map(|(a, b)| a * b).sum();
            (sum - y).powi(2)
        };
        rows.iter().map(residual).sum()
    };
    let solutions = SETS.iter().filter_map(|set| solve(&rows, set));
    let feasible = solutions.filter(|x| x[0] > 0.0 && x[1] >= 0.0 && x[2] >= 0.0);
    let found = feasible.min_by(|x, y| error(x).total_cmp(&error(y)));
    let [alone, waiting, crosstalk] = found.unwrap_or([1.0, 0.0, 0.0]);
    Law {
        gamma: 1.0 / alone,
        sigma: waiting / alone,
        kappa: crosstalk / alone,
    }
}

/// The normal equations of the columns in `set`, by elimination with columns
/// scaled to length one; `None` when they are not independent.
fn solve(rows: &[([f64; 3], f64)], set: &[usize]) -> Option<[f64; 3]> {
    const SINGULAR: f64 = 1e-13;
    let scale = [0, 1, 2].map(|c: usize| rows.iter().map(|(r, _)| r[c] * r[c]).sum::<f64>().sqrt());
    if set.iter().any(|&c| scale[c] <= 0.0) {
        return None;
    }
    let size = set.len();
    let mut system = vec![vec![0.0; size + 1]; size];
    for (i, &a) in set.iter().enumerate() {
        for (j, &b) in set.iter().enumerate() {
            system[i][j] =
                rows.iter().map(|(r, _)| r[a] * r[b]).sum::<f64>() / (scale[a] * scale[b]);
        }
        system[i][size] = rows.iter().map(|(r, y)| r[a] * y).sum::<f64>() / scale[a];
    }
    for pivot in 0..size {
        if system[pivot][pivot].abs() < SINGULAR {
            return None;
        }
        let upper = system[pivot].clone();
        for row in system.iter_mut().skip(pivot + 1) {
            let factor = row[pivot] / upper[pivot];
            for (cell, above) in row.iter_mut().zip(&upper) {
                *cell -= factor * above;
            }
        }
    }
    let mut x = [0.0; 3];
    for i in (0..size).rev() {
        let known: f64 = (i + 1..size)
            .map(|j| system[i][j] * x[set[j]] * scale[set[j]])
            .sum();
        x[set[i]] = (system[i][size] - known) / system[i][i] / scale[set[i]];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARTITIONS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

    /// `repeats` runs of `law` at each of `ns`, each off by up to `noise`.
    fn runs(law: Law, ns: &[f64], repeats: usize, noise: f64, seed: u64) -> Vec<Sample> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut samples = Vec::new();
        for &n in ns {
            for _ in 0..repeats {
                let off = if noise > 0.0 {
                    rng.random_range(-noise..noise)
                } else {
                    0.0
                };
                let value = law.at(n) * (1.0 + off);
                samples.push(Sample { n, value });
            }
        }
        samples
    }

    fn law(gamma: f64, sigma: f64, kappa: f64) -> Law {
        Law {
            gamma,
            sigma,
            kappa,
        }
    }

    #[test]
    fn the_peak_is_where_the_formula_says() {
        let law = law(1000.0, 0.02, 0.0005);
        let peak = law.peak().expect("it falls in the end");
        assert!((peak - (0.98_f64 / 0.0005).sqrt()).abs() < 1e-9);
        assert!(law.at(peak) > law.at(peak - 1.0) && law.at(peak) > law.at(peak + 1.0));
        assert_eq!(Law { kappa: 0.0, ..law }.peak(), None);
        assert_eq!(law.at(1.0), 1000.0);
    }

    #[test]
    fn too_few_runs_are_refused_with_what_is_needed() {
        let check = |values: usize, repeats: usize| {
            let samples = runs(law(1.0, 0.1, 0.0), &PARTITIONS[..values], repeats, 0.0, 1);
            let refused = Fit::of(&samples).expect_err("too few");
            assert_eq!(refused, ScalingError::TooFew { values, repeats });
        };
        check(5, 3);
        check(8, 2);
        let mut samples = runs(law(1.0, 0.1, 0.0), &PARTITIONS, 3, 0.0, 1);
        samples[0].value = f64::NAN;
        let refused = Fit::of(&samples).expect_err("no number").to_string();
        assert!(
            refused.starts_with("a run with N = 1 and throughput NaN"),
            "{refused}"
        );
    }

    #[test]
    fn a_peak_is_reported_only_when_kappa_is_told_from_zero() {
        let falls = law(10_000.0, 0.05, 0.002);
        let fit = Fit::of(&runs(falls, &PARTITIONS, 3, 0.05, 7)).expect("enough runs");
        let peak = fit.peak().expect("kappa is well above zero");
        let truth = falls.peak().expect("it falls");
        assert!(peak.bounds.hold(truth), "{peak:?} for {truth}");
        let rises = law(10_000.0, 0.05, 0.0);
        let fit = Fit::of(&runs(rises, &PARTITIONS, 3, 0.05, 7)).expect("enough runs");
        assert_eq!(fit.kappa.low, 0.0);
        assert_eq!(fit.peak(), None);
    }

    #[test]
    fn predictions_beyond_twice_the_largest_are_marked() {
        let fit = Fit::of(&runs(law(1e4, 0.1, 1e-4), &PARTITIONS, 3, 0.02, 3)).expect("enough");
        assert!(!fit.predict(256.0).too_far);
        assert!(fit.predict(257.0).too_far);
    }

    /// Half of the values of N predict the other half: within 15 %, and 90 %
    /// intervals hold at least 80 % of the held-back runs.
    #[test]
    fn half_of_a_sweep_predicts_the_other_half() {
        let ns = [
            1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0,
        ];
        let shapes = [
            law(120_000.0, 0.3, 0.0),
            law(90_000.0, 0.08, 0.001),
            law(400_000.0, 0.9, 0.002),
            law(50_000.0, 0.0, 0.0),
        ];
        let (mut held, mut worst, mut all) = (0, 0.0_f64, 0);
        for (seed, shape) in (0..8).zip(shapes.iter().cycle()) {
            let sweep = runs(*shape, &ns, 3, 0.08, 100 + seed);
            let is_kept = |s: &&Sample| {
                ns.iter()
                    .position(|n| *n == s.n)
                    .is_some_and(|at| at % 2 == 0)
            };
            let kept: Vec<Sample> = sweep.iter().filter(is_kept).copied().collect();
            let fit = Fit::of(&kept).expect("six values, three runs each");
            for cell in sweep.iter().filter(|s| !is_kept(s)) {
                let told = fit.predict(cell.n);
                worst = worst.max((told.likely / shape.at(cell.n) - 1.0).abs());
                held += usize::from(told.bounds.hold(cell.value));
                all += 1;
            }
        }
        assert!(worst < 0.15, "off by {worst}");
        assert!(held * 10 >= all * 8, "{held} of {all}");
        assert!(held < all, "intervals that hold everything say nothing");
    }

    /// One run in twelve stalled to a twentieth: the law is that of the others.
    #[test]
    fn stalled_runs_do_not_decide() {
        let truth = law(120_000.0, 0.2, 1e-4);
        let mut samples = runs(truth, &PARTITIONS, 3, 0.03, 5);
        for at in [4, 16] {
            samples[at].value /= 20.0;
        }
        let found = Fit::of(&samples).expect("enough runs").law;
        for n in PARTITIONS {
            let off = (found.at(n) / truth.at(n) - 1.0).abs();
            assert!(off < 0.08, "{off} at {n}: {found:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_law_without_noise_is_found_again(gamma in 1.0..1e7_f64, sigma in 0.0..0.9_f64,
                                              kappa in 0.0..0.01_f64) {
            let truth = law(gamma, sigma, kappa);
            let found = best(&runs(truth, &PARTITIONS, 3, 0.0, 1));
            for n in PARTITIONS {
                prop_assert!((found.at(n) / truth.at(n) - 1.0).abs() < 1e-6, "{:?} for {:?}", found, truth);
            }
        }

        #[test]
        fn parameters_are_never_negative(seed in 0..10_000_u64, noise in 0.0..0.9_f64) {
            let found = best(&runs(law(1000.0, 0.01, 0.0), &PARTITIONS, 3, noise, seed));
            prop_assert!(found.gamma > 0.0 && found.sigma >= 0.0 && found.kappa >= 0.0);
        }
    }
}
