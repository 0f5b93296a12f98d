//! Whether a law may be trusted: every other value of N is held back, and
//! predicted from the rest.

use super::Scaling;
use crate::error::InputError;
use plimsoll_results::scaling::{Fit, Prediction, Sample};

/// What came of holding back.
#[derive(Clone, Debug, PartialEq)]
pub struct HoldBack {
    /// The setting that was swept.
    pub setting: String,
    /// The law of the values that were kept.
    pub fit: Fit,
    /// The values that were held back.
    pub held: Vec<Held>,
}

/// One value of N that was held back.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The value.
    pub n: f64,
    /// What was predicted.
    pub predicted: Prediction,
    /// What each run carried.
    pub measured: Vec<f64>,
}

impl Held {
    /// By how much the prediction misses the median run, as a share of it.
    pub fn error(&self) -> f64 {
        let median =
            plimsoll_results::stats::Spread::of(&self.measured).map_or(f64::NAN, |s| s.median);
        self.predicted.likely / median - 1.0
    }

    /// How many runs lie in the interval.
    pub fn covered(&self) -> usize {
        let bounds = self.predicted.bounds;
        self.measured.iter().filter(|v| bounds.hold(**v)).count()
    }
}

impl HoldBack {
    /// The largest error, as a share.
    pub fn worst(&self) -> f64 {
        self.held
            .iter()
            .map(|h| h.error().abs())
            .fold(0.0, f64::max)
    }

    /// The share of the held-back runs that their intervals hold.
    pub fn coverage(&self) -> f64 {
        let runs: usize = self.held.iter().map(|h| h.measured.len()).sum();
        let covered: usize = self.held.iter().map(Held::covered).sum();
        covered as f64 / runs.max(1) as f64
    }
}

/// Fits the first, third, … and last value of N and predicts the others.
pub fn hold_back(scaling: &Scaling) -> Result<HoldBack, InputError> {
    let mut values: Vec<f64> = scaling.samples.iter().map(|s| s.n).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let is_kept = |n: f64| {
        values
            .iter()
            .position(|v| *v == n)
            .is_some_and(|at| at % 2 == 0)
    };
    let kept: Vec<Sample> = scaling
        .samples
        .iter()
        .copied()
        .filter(|s| is_kept(s.n))
        .collect();
    let fit = Fit::of(&kept).map_err(|error| InputError::Calibration {
        reason: format!("half of {}'s values: {error}", scaling.setting),
    })?;
    let held = values
        .iter()
        .copied()
        .filter(|n| !is_kept(*n))
        .map(|n| Held {
            n,
            predicted: fit.predict(n),
            measured: scaling
                .samples
                .iter()
                .filter(|s| s.n == n)
                .map(|s| s.value)
                .collect(),
        });
    Ok(HoldBack {
        setting: scaling.setting.clone(),
        held: held.collect(),
        fit,
    })
}
