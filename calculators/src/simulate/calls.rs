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

    /// The quantiles, as nines (the digits of 1 ÷ (1 − q)) and logarithms of
    /// nanoseconds.
    pub(super) fn curve(self) -> Curve {
        let log = |span: Span| (span.nanos().max(1) as f64).ln();
        Curve([
            (2_f64.log10(), log(self.p50)),
            (1.0, log(self.p90)),
            (2.0, log(self.p99)),
            (3.0, log(self.p999)),
        ])
    }
}

/// Quantiles between which the logarithm of the time rises evenly with the nines:
/// a tail that falls as a power, as those of threads that wait for a core do. Half
/// of all calls take the median: what lies below it matters to nobody.
///
/// Up to the 99th percentile each call is drawn for itself. What lies beyond are
/// pauses of a core, taken by the hypervisor or by somebody else's work. They last
/// longer than the whole way of a write, so that one hits it once however many
/// threads it still calls, and two followers at once: [`Curve::pause`] is drawn for
/// the way as a whole. Nothing takes longer than the last quantile: nobody has
/// measured how much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve([(f64, f64); 4]);

/// The share of calls that are pauses, and its nines.
const PAUSES: f64 = 0.01;
const PAUSES_NINES: f64 = 2.0;

impl Curve {
    /// One call's time in nanoseconds, without pauses.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> f64 {
        self.at(nines(rng).min(PAUSES_NINES))
    }

    /// What a pause adds to a way on which so many threads are called.
    pub(super) fn pause(&self, rng: &mut impl Rng, calls: u32) -> f64 {
        match rng.random::<f64>() < PAUSES * f64::from(calls) {
            true => self.at(PAUSES_NINES + nines(rng)),
            false => 0.0,
        }
    }

    fn at(&self, nines: f64) -> f64 {
        let nines = nines.clamp(self.0[0].0, self.0[3].0);
        let above = (1..3).find(|at| nines <= self.0[*at].0).unwrap_or(3);
        let ((from, low), (to, high)) = (self.0[above - 1], self.0[above]);
        (low + (high - low) * (nines - from) / (to - from)).exp()
    }
}

/// Of a quantile by chance.
fn nines(rng: &mut impl Rng) -> f64 {
    -(1.0 - rng.random::<f64>()).log10()
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

    fn sorted(mut draw: impl FnMut(&mut ChaCha8Rng) -> f64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut drawn: Vec<f64> = (0..400_000).map(|_| draw(&mut rng) / 1e3).collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    #[track_caller]
    fn check(drawn: &[f64], quantile: f64, known: f64) {
        let found = drawn[(quantile * drawn.len() as f64) as usize];
        assert!((found / known - 1.0).abs() < 0.05, "{quantile}: {found}");
    }

    #[test]
    fn what_is_drawn_has_the_quantiles_that_were_given() {
        let curve = micros(20, 60, 400, 3000).curve();
        let drawn = sorted(|rng| curve.draw(rng));
        for (quantile, known) in [(0.5, 20.0), (0.9, 60.0), (0.99, 400.0), (0.999, 400.0)] {
            check(&drawn, quantile, known);
        }
    }

    /// Ten calls, of which one in a hundred is a pause and one in a thousand takes
    /// 3 ms: one way in ten is paused, and one in a hundred for 3 ms.
    #[test]
    fn a_way_is_paused_once() {
        let curve = micros(20, 60, 400, 3000).curve();
        let drawn = sorted(|rng| curve.pause(rng, 10));
        let paused = drawn.iter().filter(|pause| **pause > 0.0).count();
        check(&[paused as f64], 0.0, 40_000.0);
        let between = (400.0_f64 * 3000.0).sqrt();
        for (nines, known) in [(1.5, between), (2.0, 3000.0)] {
            check(&drawn, 1.0 - 10_f64.powf(-nines), known);
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
