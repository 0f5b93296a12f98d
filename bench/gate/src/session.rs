//! Takes pairs as they come.
//!
//! A session may stop early, but only to FAIL: a pass that waits for all its
//! pairs cannot be fished for.

use crate::GateError;
use crate::judge::{Verdict, differences, judge, validated_alpha};
use crate::report::Series;
use crate::weigh::{Evidence, MetricRule, Outcome, weigh};
use plimsoll_results::stats::Spread;

/// Pairs so far. Feed it with [`Session::add`] until [`Session::done`].
#[derive(Clone, Debug)]
pub struct Session {
    metrics: Vec<MetricRule>,
    alpha: f64,
    looks: Vec<usize>,
    pairs_planned: usize,
    differences: Vec<Vec<f64>>,
    values: Vec<Vec<(f64, f64)>>,
}

/// Pairs after which a clear FAIL may end the session.
const LOOKS: [usize; 3] = [10, 20, 30];

/// The part of α that each early look may spend. What they do not spend is the
/// last look's, so that all looks together raise a false alarm with a
/// probability of at most α, whatever the noise (Bonferroni).
const EARLY_LOOK_SHARE: f64 = 0.125;

/// The fewest pairs of a session in which `metrics` metrics, all of them worse
/// in every pair, could fail at `alpha`.
pub fn pairs_min(metrics: usize, alpha: f64) -> usize {
    let enough = |pairs: &usize| {
        let early = looks(*pairs).count() as f64 * EARLY_LOOK_SHARE;
        0.5_f64.powf(*pairs as f64) <= alpha * (1.0 - early) / metrics.max(1) as f64
    };
    (1..).find(enough).unwrap_or(usize::MAX)
}

fn looks(pairs_planned: usize) -> impl Iterator<Item = usize> {
    let early = move |look: &usize| *look < pairs_planned;
    LOOKS.into_iter().filter(early)
}

impl Session {
    /// A session over `metrics` that ends after `pairs_planned` pairs and raises
    /// a false alarm with a probability of at most `alpha`.
    pub fn new(
        metrics: Vec<MetricRule>,
        alpha: f64,
        pairs_planned: usize,
    ) -> Result<Self, GateError> {
        let alpha = validated_alpha(alpha)?;
        for metric in &metrics {
            metric.rules.validated()?;
        }
        Ok(Self {
            differences: vec![Vec::with_capacity(pairs_planned); metrics.len()],
            values: vec![Vec::with_capacity(pairs_planned); metrics.len()],
            metrics,
            alpha,
            looks: looks(pairs_planned).collect(),
            pairs_planned,
        })
    }

    /// Adds one pair: for each metric its value in A and in B.
    pub fn add(&mut self, pair: &[(f64, f64)]) -> Result<(), GateError> {
        if pair.len() != self.metrics.len() {
            return Err(GateError::Metrics {
                expected: self.metrics.len(),
                found: pair.len(),
            });
        }
        let number = self.pairs();
        let added = self
            .metrics
            .iter()
            .zip(pair)
            .map(|(metric, &values)| {
                let found = differences(&metric.name, metric.direction, &[values]);
                found.map_err(|error| error.at_pair(number + 1))
            })
            .collect::<Result<Vec<_>, _>>()?;
        for (series, difference) in self.differences.iter_mut().zip(added) {
            series.extend(difference);
        }
        for (series, values) in self.values.iter_mut().zip(pair) {
            series.push(*values);
        }
        Ok(())
    }

    /// Pairs so far.
    pub fn pairs(&self) -> usize {
        self.differences.first().map_or(0, Vec::len)
    }

    /// The outcome when the session is over: all pairs are in, or a look finds
    /// a clear FAIL. `None` means that more pairs are wanted.
    pub fn done(&self) -> Option<Outcome> {
        if self.pairs() >= self.pairs_planned {
            return Some(self.so_far());
        }
        if !self.looks.contains(&self.pairs()) {
            return None;
        }
        Some(self.outcome(self.alpha * EARLY_LOOK_SHARE))
            .filter(|outcome| outcome.verdict == Verdict::Fail)
    }

    /// What the pairs so far say, for a session that was cut short.
    pub fn so_far(&self) -> Outcome {
        let early = self.looks.len() as f64 * EARLY_LOOK_SHARE;
        self.outcome(self.alpha * (1.0 - early))
    }

    /// Pairs that the session ends after.
    pub const fn pairs_planned(&self) -> usize {
        self.pairs_planned
    }

    /// Each metric's values so far, by side.
    pub fn series(&self) -> Vec<Series> {
        let named = self.metrics.iter().zip(&self.values);
        named
            .map(|(metric, pairs)| {
                let (a, b) = pairs.iter().copied().unzip();
                Series {
                    name: metric.name.clone(),
                    a,
                    b,
                }
            })
            .collect()
    }

    fn outcome(&self, alpha: f64) -> Outcome {
        let series = self.metrics.iter().zip(&self.values).zip(&self.differences);
        let evidence: Vec<Evidence<'_>> = series
            .map(|((rule, values), differences)| Evidence {
                rule,
                medians: medians(values),
                judge: Box::new(move |alpha| judge(differences, &rule.rules, alpha)),
            })
            .collect();
        weigh(&evidence, self.pairs(), alpha)
    }
}

fn medians(pairs: &[(f64, f64)]) -> (f64, f64) {
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let median = |side: &[f64]| Spread::of(side).map_or(f64::NAN, |spread| spread.median);
    (median(&a), median(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{ALPHA, Direction, Rules};
    use crate::weigh::Unit;

    fn metric(name: &str) -> MetricRule {
        MetricRule {
            name: name.to_owned(),
            unit: Unit::Micros,
            direction: Direction::HigherIsWorse,
            rules: Rules::default(),
            gated_below_effect: None,
        }
    }

    fn session(metrics: Vec<MetricRule>) -> Session {
        Session::new(metrics, ALPHA, 40).expect("good rules")
    }

    /// Feeds pairs whose B is `ratio` times A with a small alternating noise.
    fn feed(session: &mut Session, ratios: &[f64], pairs: usize) {
        for i in 0..pairs {
            let noise = 1.0 + 0.01 * ((i * 7 % 5) as f64 - 2.0);
            let pair: Vec<(f64, f64)> = ratios.iter().map(|r| (100.0, 100.0 * r * noise)).collect();
            session.add(&pair).expect("positive values");
        }
    }

    #[test]
    fn a_clear_regression_ends_the_session_at_the_first_look() {
        let mut session = session(vec![metric("p50")]);
        feed(&mut session, &[1.2], 9);
        assert_eq!(session.done(), None);
        feed(&mut session, &[1.2], 1);
        assert_eq!(session.done().expect("a look").verdict, Verdict::Fail);
    }

    #[test]
    fn a_pass_waits_for_all_its_pairs() {
        let mut session = session(vec![metric("p50")]);
        feed(&mut session, &[1.0], 39);
        assert_eq!(session.done(), None);
        feed(&mut session, &[1.0], 1);
        assert_eq!(session.done().expect("the end").verdict, Verdict::Pass);
    }

    #[test]
    fn one_failing_metric_fails_the_whole() {
        let mut session = session(vec![metric("p50"), metric("cpu")]);
        // Ten pairs cannot be sure enough for one of two metrics.
        feed(&mut session, &[1.0, 1.15], 10);
        assert_eq!(session.done(), None);
        feed(&mut session, &[1.0, 1.15], 10);
        let outcome = session.done().expect("a look");
        assert_eq!(outcome.verdict, Verdict::Fail);
        assert_eq!(outcome.metrics[0].judgement.verdict, Verdict::Pass);
        assert_eq!(outcome.metrics[1].judgement.verdict, Verdict::Fail);
    }

    #[test]
    fn more_metrics_take_more_pairs_until_anything_can_fail() {
        assert_eq!(pairs_min(1, ALPHA), 7);
        for metrics in [1, 3, 24, 200] {
            let least = pairs_min(metrics, ALPHA);
            for (pairs, expected) in [(least, Verdict::Fail), (least - 1, Verdict::Inconclusive)] {
                let rules = (0..metrics).map(|at| metric(&at.to_string())).collect();
                let mut session = Session::new(rules, ALPHA, pairs).expect("good rules");
                feed(&mut session, &vec![2.0; metrics], pairs);
                let outcome = session.so_far();
                assert_eq!(
                    outcome.verdict, expected,
                    "{metrics} metrics, {pairs} pairs"
                );
            }
        }
    }

    #[test]
    fn a_noisy_tail_is_shown_but_decides_nothing() {
        let tail = MetricRule {
            gated_below_effect: Some(0.10),
            ..metric("p99")
        };
        let mut session = session(vec![metric("p50"), tail]);
        for i in 0..40 {
            let wild = f64::exp((f64::from(i) * 2.4).sin());
            session
                .add(&[(100.0, 100.0), (100.0, 100.0 * wild)])
                .expect("positive values");
        }
        let outcome = session.done().expect("the end");
        assert_eq!(outcome.verdict, Verdict::Pass);
        assert!(!outcome.metrics[1].gated);
    }

    #[test]
    fn a_pair_with_the_wrong_number_of_metrics_is_refused_and_nothing_is_added() {
        let mut session = session(vec![metric("p50"), metric("cpu")]);
        assert!(session.add(&[(1.0, 1.0)]).is_err());
        let error = session
            .add(&[(1.0, 1.0), (1.0, -1.0)])
            .expect_err("negative");
        assert_eq!(
            error.to_string(),
            "cpu: pair 1 holds -1; a value must be positive and finite"
        );
        assert_eq!(session.pairs(), 0);
    }
}
