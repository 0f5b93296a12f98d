//! Takes pairs as they come and weighs several metrics together.
//!
//! A session may stop early, but only to FAIL: a pass that waits for all its
//! pairs cannot be fished for. Metrics share α by Holm's method, so that
//! watching more of them does not make a false alarm more likely.

use crate::GateError;
use crate::judge::{Direction, Judgement, Rules, Verdict, differences, judge};
use crate::signed_rank::p_greater;
use serde::Serialize;

/// One metric that is watched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricRule {
    /// Its name, for messages.
    pub name: String,
    /// Which way is worse.
    pub direction: Direction,
    /// The metric is weighed only if an effect of this size can be detected;
    /// otherwise it is shown and decides nothing. Tail percentiles need this.
    pub gated_below_effect: Option<f64>,
}

/// One metric's verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricVerdict {
    /// The metric's name.
    pub name: String,
    /// Whether it takes part in the verdict.
    pub gated: bool,
    /// What its pairs say.
    #[serde(flatten)]
    pub judgement: Judgement,
}

/// All metrics, weighed together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The worst verdict of the gated metrics; INCONCLUSIVE when none is gated.
    pub verdict: Verdict,
    /// Pairs weighed.
    pub pairs: usize,
    /// Each metric.
    pub metrics: Vec<MetricVerdict>,
}

/// Pairs so far. Feed it with [`Session::add`] until [`Session::done`].
#[derive(Clone, Debug)]
pub struct Session {
    metrics: Vec<MetricRule>,
    rules: Rules,
    looks: Vec<usize>,
    pairs_planned: usize,
    differences: Vec<Vec<f64>>,
}

/// Pairs after which a clear FAIL may end the session.
const LOOKS: [usize; 3] = [10, 20, 30];

/// The part of α that each early look may spend. What they do not spend is the
/// last look's, so that all looks together raise a false alarm with a
/// probability of at most α, whatever the noise (Bonferroni).
const EARLY_LOOK_SHARE: f64 = 0.125;

impl Session {
    /// A session over `metrics` that ends after `pairs_planned` pairs.
    pub fn new(
        metrics: Vec<MetricRule>,
        rules: Rules,
        pairs_planned: usize,
    ) -> Result<Self, GateError> {
        let rules = rules.validated()?;
        let looks = LOOKS
            .into_iter()
            .filter(|look| *look < pairs_planned)
            .collect();
        let differences = vec![Vec::with_capacity(pairs_planned); metrics.len()];
        Ok(Self {
            metrics,
            rules,
            looks,
            pairs_planned,
            differences,
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
        Some(self.outcome(self.rules.alpha * EARLY_LOOK_SHARE))
            .filter(|outcome| outcome.verdict == Verdict::Fail)
    }

    /// What the pairs so far say, for a session that was cut short.
    pub fn so_far(&self) -> Outcome {
        let early = self.looks.len() as f64 * EARLY_LOOK_SHARE;
        self.outcome(self.rules.alpha * (1.0 - early))
    }

    fn outcome(&self, alpha: f64) -> Outcome {
        let alone = self.judged(&vec![alpha; self.metrics.len()]);
        let gated: Vec<bool> = self
            .metrics
            .iter()
            .zip(&alone)
            .map(|(metric, judgement)| is_gated(metric, judgement.as_ref()))
            .collect();
        let alphas = self.holm(&gated, alpha);
        let metrics: Vec<MetricVerdict> = self
            .metrics
            .iter()
            .zip(self.judged(&alphas))
            .zip(gated)
            .filter_map(|((metric, judgement), gated)| {
                Some(MetricVerdict {
                    name: metric.name.clone(),
                    gated,
                    judgement: judgement?,
                })
            })
            .collect();
        let verdict = metrics
            .iter()
            .filter(|metric| metric.gated)
            .map(|metric| metric.judgement.verdict)
            .max()
            .unwrap_or(Verdict::Inconclusive);
        Outcome {
            verdict,
            pairs: self.pairs(),
            metrics,
        }
    }

    fn judged(&self, alphas: &[f64]) -> Vec<Option<Judgement>> {
        let series = self.differences.iter().zip(alphas);
        series
            .map(|(differences, alpha)| judge(differences, &self.rules, *alpha))
            .collect()
    }

    /// Holm's α for each metric: the smallest probability is held against α/m,
    /// the next against α/(m − 1), and so on until one is not below its share;
    /// from there on nothing fails.
    fn holm(&self, gated: &[bool], alpha: f64) -> Vec<f64> {
        let mut order: Vec<(usize, f64)> = (0..self.metrics.len())
            .filter(|index| gated[*index])
            .map(|index| (index, p_greater(&self.differences[index])))
            .collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut alphas = vec![alpha; self.metrics.len()];
        let count = order.len();
        let mut open = true;
        for (position, (index, p_value)) in order.into_iter().enumerate() {
            let share = alpha / (count - position) as f64;
            open = open && p_value <= share;
            alphas[index] = if open { share } else { 0.0 };
        }
        alphas
    }
}

fn is_gated(metric: &MetricRule, judgement: Option<&Judgement>) -> bool {
    match (metric.gated_below_effect, judgement) {
        (Some(largest), Some(judgement)) => judgement
            .detectable_effect
            .is_some_and(|effect| effect <= largest),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> MetricRule {
        MetricRule {
            name: name.to_owned(),
            direction: Direction::HigherIsWorse,
            gated_below_effect: None,
        }
    }

    fn session(metrics: Vec<MetricRule>) -> Session {
        Session::new(metrics, Rules::default(), 40).expect("good rules")
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
