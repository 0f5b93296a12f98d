//! How long a thread that is called takes to run.
//!
//! A message that arrives, a wait that ends, work that another thread hands over:
//! each calls a thread, which runs once its core is awake and free of others'
//! work. At moderate loads this, not CPU time, is most of a request's way. The
//! distribution has a long tail, so it is given by its quantiles, as `plimsoll
//! doctor` measures them.

use crate::error::InputError;
use plimsoll_units::Span;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Time from a call until the called thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// The median.
    pub p50: Span,
    /// The 90th percentile.
    pub p90: Span,
    /// The 99th percentile.
    pub p99: Span,
    /// The 99.9th percentile.
    pub p999: Span,
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at p50, {} at p99", self.p50, self.p99)
    }
}

impl Calls {
    /// Refuses quantiles that fall.
    pub(super) fn check(&self) -> Result<(), InputError> {
        let pairs = [
            ("calls.p90", self.p50, self.p90),
            ("calls.p99", self.p90, self.p99),
            ("calls.p999", self.p99, self.p999),
        ];
        match pairs.into_iter().find(|(_, lower, upper)| lower > upper) {
            Some((field, lower, upper)) => {
                let accepted = format!("at least the quantile below it, {lower}");
                Err(InputError::refused(field, upper, accepted))
            }
            None => Ok(()),
        }
    }

    /// The quantiles, as nines (the digits of 1 ÷ (1 − q)) and nanoseconds.
    pub(super) fn curve(self) -> Curve {
        let nanos = |span: Span| span.nanos() as f64;
        Curve([
            (2_f64.log10(), nanos(self.p50)),
            (1.0, nanos(self.p90)),
            (2.0, nanos(self.p99)),
            (3.0, nanos(self.p999)),
        ])
    }
}

/// Quantiles between which a straight line over the nines is drawn. Half of all
/// calls take the median: what lies below it matters to nobody. Beyond the last
/// the line goes on for one more nine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve([(f64, f64); 4]);

impl Curve {
    /// One call's time in nanoseconds.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> f64 {
        let last = self.0[3].0 + 1.0;
        let nines = -(1.0 - rng.random::<f64>()).log10();
        let nines = nines.clamp(self.0[0].0, last);
        let above = (1..3).find(|at| nines <= self.0[*at].0).unwrap_or(3);
        let ((from, low), (to, high)) = (self.0[above - 1], self.0[above]);
        low + (high - low) * (nines - from) / (to - from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    fn micros(p50: u64, p90: u64, p99: u64, p999: u64) -> Calls {
        let span = |micros: u64| Span::from_nanos(micros * 1000);
        Calls {
            p50: span(p50),
            p90: span(p90),
            p99: span(p99),
            p999: span(p999),
        }
    }

    #[test]
    fn what_is_drawn_has_the_quantiles_that_were_given() {
        let calls = micros(20, 60, 400, 3000);
        let (curve, mut rng) = (calls.curve(), ChaCha8Rng::seed_from_u64(1));
        let mut drawn: Vec<f64> = (0..400_000).map(|_| curve.draw(&mut rng) / 1e3).collect();
        drawn.sort_by(f64::total_cmp);
        for (quantile, known) in [(0.5, 20.0), (0.9, 60.0), (0.99, 400.0), (0.999, 3000.0)] {
            let found = drawn[(quantile * drawn.len() as f64) as usize];
            assert!((found / known - 1.0).abs() < 0.05, "{quantile}: {found}");
        }
    }

    #[test]
    fn quantiles_that_fall_are_refused() {
        let error = micros(20, 10, 400, 3000).check().expect_err("falls");
        assert_eq!(
            error.to_string(),
            "calls.p90 is 10us; accepted: at least the quantile below it, 20us"
        );
    }
}
