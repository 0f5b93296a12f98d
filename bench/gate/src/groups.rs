//! Weighs two groups of values that are not pairs: stored results.
//!
//! Results that were stored at different times do not share the machine's mood
//! of the minute, so nothing cancels, and the repeats within one result share
//! it, so they are no evidence of their own. Here each *result* is one value.
//! That takes more of them than most people have: with α = 1 % it takes five
//! on each side until anything can fail.

use crate::judge::{Direction, judge_groups, validated_alpha};
use crate::weigh::{Evidence, MetricRule, Outcome, weigh};
use crate::{GateError, rank_sum};

/// A metric's values in each result of A and of B.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// What is watched.
    pub rule: MetricRule,
    /// One value for each result of A.
    pub a: Vec<f64>,
    /// One value for each result of B.
    pub b: Vec<f64>,
}

/// Weighs the groups of all metrics together.
pub fn weigh_groups(metrics: &[Groups], alpha: f64) -> Result<Outcome, GateError> {
    let alpha = validated_alpha(alpha)?;
    let mut logs = Vec::with_capacity(metrics.len());
    for metric in metrics {
        metric.rule.rules.validated()?;
        logs.push((worse_up(metric, &metric.a)?, worse_up(metric, &metric.b)?));
    }
    let evidence: Vec<Evidence<'_>> = metrics
        .iter()
        .zip(&logs)
        .map(|(metric, (a, b))| Evidence {
            rule: &metric.rule,
            medians: (median(&metric.a), median(&metric.b)),
            judge: Box::new(move |alpha| judge_groups(a, b, &metric.rule.rules, alpha)),
        })
        .collect();
    let smaller = metrics.iter().map(|m| m.a.len().min(m.b.len())).min();
    Ok(weigh(&evidence, smaller.unwrap_or(0), alpha))
}

/// The fewest values a side with which `metrics` metrics, every value of B worse
/// than all of A, could fail at `alpha`.
pub fn values_min(metrics: usize, alpha: f64) -> usize {
    let share = alpha / metrics.max(1) as f64;
    // One choice of n out of 2n is the worst one: C(2n, n) ways.
    let ways = |n: usize| (1..=n).fold(1.0, |ways, i| ways * (n + i) as f64 / i as f64);
    let enough = |n: &usize| 1.0 / ways(*n) <= share;
    (1..=rank_sum::GROUP_MAX)
        .find(enough)
        .unwrap_or(rank_sum::GROUP_MAX)
}

fn median(values: &[f64]) -> f64 {
    plimsoll_results::stats::Spread::of(values).map_or(f64::NAN, |spread| spread.median)
}

/// The logarithms of one side, turned so that up is worse.
fn worse_up(metric: &Groups, values: &[f64]) -> Result<Vec<f64>, GateError> {
    if values.len() > rank_sum::GROUP_MAX {
        return Err(GateError::TooMany {
            found: values.len(),
            accepted: rank_sum::GROUP_MAX,
        });
    }
    let sign = match metric.rule.direction {
        Direction::HigherIsWorse => 1.0,
        Direction::LowerIsWorse => -1.0,
    };
    let log = |(index, value): (usize, &f64)| match *value {
        value if value > 0.0 && value.is_finite() => Ok(sign * value.ln()),
        value => Err(GateError::NotPositive {
            metric: metric.rule.name.clone(),
            pair: index + 1,
            value,
        }),
    };
    values.iter().enumerate().map(log).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{ALPHA, Rules, Verdict};
    use crate::weigh::Unit;

    fn groups(a: &[f64], b: &[f64]) -> Groups {
        Groups {
            rule: MetricRule {
                name: "p50".to_owned(),
                unit: Unit::Micros,
                direction: Direction::HigherIsWorse,
                rules: Rules::default(),
                gated_below_effect: None,
            },
            a: a.to_vec(),
            b: b.to_vec(),
        }
    }

    #[track_caller]
    fn check(a: &[f64], b: &[f64], expected: Verdict) {
        let outcome = weigh_groups(&[groups(a, b)], ALPHA).expect("positive values");
        assert_eq!(outcome.verdict, expected, "{outcome:?}");
    }

    #[test]
    fn few_results_prove_nothing() {
        check(&[100.0], &[200.0], Verdict::Inconclusive);
        check(
            &[100.0, 101.0, 99.0],
            &[150.0, 151.0, 149.0],
            Verdict::Inconclusive,
        );
        let (a, b) = (
            [100.0, 101.0, 99.0, 100.5, 99.5],
            [150.0, 151.0, 149.0, 152.0, 148.0],
        );
        check(&a, &b, Verdict::Fail);
        check(&b, &a, Verdict::Pass);
        check(&a, &[100.2, 100.8, 99.2, 100.4, 99.6], Verdict::Pass);
    }

    #[test]
    fn it_takes_some_values_until_anything_can_fail() {
        assert_eq!(values_min(1, ALPHA), 5);
        let (a, b) = ([1.0, 1.01, 1.02, 1.03, 1.04], [2.0, 2.01, 2.02, 2.03, 2.04]);
        check(&a, &b, Verdict::Fail);
        check(&a[..4], &b[..4], Verdict::Inconclusive);
        assert_eq!(values_min(24, ALPHA), 7);
    }

    #[test]
    fn a_value_without_a_logarithm_is_named() {
        let error = weigh_groups(&[groups(&[1.0, 0.0], &[1.0])], ALPHA).expect_err("zero");
        assert!(
            error.to_string().starts_with("p50: pair 2 holds 0"),
            "{error}"
        );
    }
}
