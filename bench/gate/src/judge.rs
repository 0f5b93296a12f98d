//! Weighs one metric over pairs of runs.
//!
//! Differences are `ln(B / A)`, turned so that up is worse. The estimate is the
//! Hodges–Lehmann median of Walsh averages and the interval is the one that
//! belongs to the signed-rank test, both from `plimsoll-results`, so that the
//! gate, the tables and the charts never disagree.

use crate::signed_rank::p_greater;
use crate::{GateError, rank_sum};
use plimsoll_results::stats::{Interval, Shift, paired_shift, unpaired_shift};
use serde::{Deserialize, Serialize};

/// Which way is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Latency, CPU, memory.
    HigherIsWorse,
    /// Throughput.
    LowerIsWorse,
}

/// When a metric fails, passes or stays open.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Smallest estimated worsening that fails, as a fraction. Default 0.03.
    pub margin: f64,
    /// Worsening that a PASS must rule out, as a fraction. Default 0.10; above
    /// the margin.
    pub limit: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            margin: 0.03,
            limit: 0.10,
        }
    }
}

impl Rules {
    /// The rules, if they make sense.
    pub fn validated(self) -> Result<Self, GateError> {
        let rule = |field, value, accepted| {
            Err(GateError::Rule {
                field,
                value,
                accepted,
            })
        };
        if !(self.margin >= 0.0 && self.margin < 1.0) {
            return rule("margin", self.margin, "a fraction from 0 to below 1");
        }
        if !(self.limit > self.margin && self.limit < 10.0) {
            return rule(
                "limit",
                self.limit,
                "a fraction above the margin and below 10",
            );
        }
        Ok(self)
    }
}

/// What the pairs say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// No worsening past the limit is compatible with the pairs.
    Pass,
    /// Neither a regression nor its absence is shown.
    Inconclusive,
    /// A real worsening past the margin.
    Fail,
}

/// One metric, weighed. Changes are fractions of A with up as worse: 0.05 is
/// five per cent worse, −0.02 two per cent better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What the pairs say.
    pub verdict: Verdict,
    /// Pairs weighed.
    pub pairs: usize,
    /// Estimated change.
    pub change: f64,
    /// Lower and upper end of the change's interval; absent for one pair.
    pub interval: Option<(f64, f64)>,
    /// The interval's exact confidence.
    pub confidence: Option<f64>,
    /// Probability of such differences when nothing changed.
    pub p_value: f64,
    /// Smallest worsening that this many such pairs fail nine times in ten.
    pub detectable_effect: Option<f64>,
    /// Pairs that would settle an open verdict if the estimate stays.
    pub pairs_to_decide: Option<usize>,
}

/// The differences of pairs `(a, b)`, up is worse.
pub fn differences(
    metric: &str,
    direction: Direction,
    pairs: &[(f64, f64)],
) -> Result<Vec<f64>, GateError> {
    let ln = |index: usize, value: f64| {
        if value > 0.0 && value.is_finite() {
            Ok(value.ln())
        } else {
            Err(GateError::NotPositive {
                metric: metric.to_owned(),
                pair: index + 1,
                value,
            })
        }
    };
    let sign = match direction {
        Direction::HigherIsWorse => 1.0,
        Direction::LowerIsWorse => -1.0,
    };
    pairs
        .iter()
        .enumerate()
        .map(|(i, &(a, b))| Ok(sign * (ln(i, b)? - ln(i, a)?)))
        .collect()
}

/// The largest probability of a false alarm that a whole gate runs by default,
/// early looks and all metrics included.
pub const ALPHA: f64 = 0.01;

/// Most that may be asked for.
const ALPHA_MAX: f64 = 0.2;

/// `alpha`, if it makes sense: above 0 and at most 0.2.
pub fn validated_alpha(alpha: f64) -> Result<f64, GateError> {
    if alpha > 0.0 && alpha <= ALPHA_MAX {
        return Ok(alpha);
    }
    Err(GateError::Rule {
        field: "alpha",
        value: alpha,
        accepted: "a probability above 0 and at most 0.2",
    })
}

/// Weighs differences. `alpha` is this metric's share of the gate's. `None` when
/// there are no differences.
pub fn judge(differences: &[f64], rules: &Rules, alpha: f64) -> Option<Judgement> {
    let shift = paired_shift(differences)?;
    Some(judged(shift, p_greater(differences), rules, alpha))
}

/// Weighs two groups of logarithms that are not pairs, up is worse. `None` when
/// either has no values.
pub(crate) fn judge_groups(a: &[f64], b: &[f64], rules: &Rules, alpha: f64) -> Option<Judgement> {
    let shift = unpaired_shift(a, b)?;
    Some(judged(shift, rank_sum::p_greater(a, b), rules, alpha))
}

fn judged(shift: Shift, p_value: f64, rules: &Rules, alpha: f64) -> Judgement {
    let margin = rules.margin.ln_1p();
    let limit = rules.limit.ln_1p();
    let fails = p_value <= alpha && shift.estimate >= margin;
    let high = shift.interval.map(|interval| interval.high);
    let verdict = match fails {
        true => Verdict::Fail,
        false => unless_fail(high, limit),
    };
    let error = shift.interval.map(|interval| standard_error(&interval));
    let pairs_to_decide = error
        .filter(|_| verdict == Verdict::Inconclusive)
        .and_then(|error| pairs_to_decide(shift.estimate, error, shift.n, (margin, limit), alpha));
    Judgement {
        verdict,
        pairs: shift.n,
        change: shift.estimate.exp_m1(),
        interval: shift.interval.map(|i| (i.low.exp_m1(), i.high.exp_m1())),
        confidence: shift.interval.map(|i| i.confidence),
        p_value,
        detectable_effect: error.map(|error| detectable(error, margin, alpha).exp_m1()),
        pairs_to_decide,
    }
}

fn unless_fail(high: Option<f64>, limit: f64) -> Verdict {
    match high {
        Some(high) if high < limit => Verdict::Pass,
        _ => Verdict::Inconclusive,
    }
}

impl Judgement {
    /// What it is when it may not fail, because another metric that is surer of
    /// a failure did not.
    #[must_use]
    pub(crate) fn without_fail(self, rules: &Rules) -> Self {
        let verdict = match self.verdict {
            Verdict::Fail => unless_fail(self.interval.map(|(_, high)| high), rules.limit),
            open => open,
        };
        Self { verdict, ..self }
    }
}

/// How often [`Judgement::detectable_effect`] is caught: nine times in ten.
const POWER: f64 = 0.9;

/// More pairs than this are not worth naming: the change is too close to a
/// threshold to be settled by patience.
const MOST_PAIRS: f64 = 10_000.0;

/// The estimate's standard error, read back from its interval.
fn standard_error(interval: &Interval) -> f64 {
    let half = (interval.high - interval.low) / 2.0;
    half / normal_quantile(f64::midpoint(1.0, interval.confidence.min(0.999_999)))
}

/// A worsening fails when its estimate is past the margin and far enough from
/// zero; both must be likely.
fn detectable(error: f64, margin: f64, alpha: f64) -> f64 {
    let chance = normal_quantile(POWER) * error;
    (margin + chance).max(normal_quantile(1.0 - alpha) * error + chance)
}

fn pairs_to_decide(
    estimate: f64,
    error: f64,
    pairs: usize,
    (margin, limit): (f64, f64),
    alpha: f64,
) -> Option<usize> {
    let (quantile, distance) = if estimate >= margin {
        (normal_quantile(1.0 - alpha), estimate)
    } else {
        (
            normal_quantile(f64::midpoint(1.0, plimsoll_results::stats::CONFIDENCE)),
            limit - estimate,
        )
    };
    let needed = (pairs as f64 * (quantile * error / distance).powi(2)).ceil();
    (needed.is_finite() && needed <= MOST_PAIRS).then(|| (needed as usize).max(pairs + 1))
}

fn normal_quantile(probability: f64) -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal};
    Normal::standard().inverse_cdf(probability)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(differences: &[f64]) -> Judgement {
        judge(differences, &Rules::default(), ALPHA).expect("differences")
    }

    /// `count` differences around `centre`, evenly spread by ± `width`.
    fn spread(centre: f64, width: f64, count: usize) -> Vec<f64> {
        (0..count)
            .map(|i| centre + width * (2.0 * i as f64 / (count - 1) as f64 - 1.0))
            .collect()
    }

    #[track_caller]
    fn check(differences: &[f64], expected: Verdict) {
        assert_eq!(
            judged(differences).verdict,
            expected,
            "{:?}",
            judged(differences)
        );
    }

    #[test]
    fn a_clear_change_fails_and_a_clear_absence_passes() {
        check(&spread(0.10, 0.05, 20), Verdict::Fail);
        check(&spread(0.0, 0.05, 20), Verdict::Pass);
        check(&spread(-0.3, 0.05, 20), Verdict::Pass);
    }

    #[test]
    fn a_real_change_within_the_margin_does_not_fail() {
        let judgement = judged(&spread(0.02, 0.01, 20));
        assert!(judgement.p_value < 0.001);
        assert_eq!(judgement.verdict, Verdict::Pass);
    }

    #[test]
    fn a_wide_interval_is_inconclusive_and_says_how_many_pairs_would_decide() {
        let judgement = judged(&spread(0.01, 0.6, 10));
        assert_eq!(judgement.verdict, Verdict::Inconclusive);
        let needed = judgement.pairs_to_decide.expect("a number of pairs");
        assert!(needed > 10 && needed < 1_000, "{needed}");
        assert!(judgement.detectable_effect.expect("an effect") > 0.10);
    }

    #[test]
    fn six_pairs_cannot_fail_however_bad_they_look() {
        check(&[0.5, 0.6, 0.55, 0.52, 0.7, 0.6], Verdict::Inconclusive);
        check(&[0.5, 0.6, 0.55, 0.52, 0.7, 0.6, 0.5], Verdict::Fail);
    }

    #[test]
    fn up_is_worse_for_latency_and_down_for_throughput() {
        let pairs = [(100.0, 110.0)];
        let latency = differences("p50", Direction::HigherIsWorse, &pairs).expect("positive");
        let throughput = differences("rate", Direction::LowerIsWorse, &pairs).expect("positive");
        assert!(latency[0] > 0.0);
        assert_eq!(latency[0], -throughput[0]);
    }

    #[test]
    fn a_value_without_a_logarithm_is_named() {
        let error = differences("rate", Direction::LowerIsWorse, &[(1.0, 1.0), (0.0, 1.0)]);
        assert_eq!(
            error.expect_err("zero").to_string(),
            "rate: pair 2 holds 0; a value must be positive and finite"
        );
    }

    #[test]
    fn senseless_rules_are_refused() {
        let refused = |rules: Rules| rules.validated().expect_err("senseless").to_string();
        let rules = Rules::default();
        insta::assert_snapshot!(
            [
                refused(Rules { margin: -0.1, ..rules }),
                refused(Rules { limit: 0.02, ..rules }),
                validated_alpha(0.0).expect_err("senseless").to_string(),
                validated_alpha(f64::NAN).expect_err("senseless").to_string(),
            ]
            .join("\n"),
            @r"
        margin = -0.1: expected a fraction from 0 to below 1
        limit = 0.02: expected a fraction above the margin and below 10
        alpha = 0: expected a probability above 0 and at most 0.2
        alpha = NaN: expected a probability above 0 and at most 0.2
        "
        );
    }

    proptest! {
        #[test]
        fn worse_differences_never_judge_better(
            differences in proptest::collection::vec(-0.3f64..0.3, 6..40),
            more in 0.0f64..0.5,
        ) {
            let worse: Vec<f64> = differences.iter().map(|d| d + more).collect();
            let (before, after) = (judged(&differences), judged(&worse));
            prop_assert!(after.change >= before.change - 1e-12);
            prop_assert!(after.p_value <= before.p_value + 1e-12);
        }
    }
}
