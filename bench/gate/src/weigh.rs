//! Weighs several metrics together.
//!
//! Metrics share α by Holm's method, so that watching more of them does not
//! make a false alarm more likely. It assumes nothing about how they hang
//! together.

use crate::judge::{Direction, Judgement, Rules, Verdict};
use serde::{Deserialize, Serialize};

/// How a metric's values are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Records per second.
    RecordsPerSecond,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
    /// CPU seconds per 10⁹ bytes.
    CpuSecondsPerGb,
    /// Bytes.
    Bytes,
}

/// One metric that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricRule {
    /// Its name, for messages.
    pub name: String,
    /// How its values are counted.
    pub unit: Unit,
    /// Which way is worse.
    pub direction: Direction,
    /// When it fails and when it passes.
    pub rules: Rules,
    /// The metric is weighed only if an effect of this size can be detected;
    /// otherwise it is shown and decides nothing. Tail percentiles need this.
    pub gated_below_effect: Option<f64>,
}

/// One metric's verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricVerdict {
    /// What was watched.
    #[serde(flatten)]
    pub rule: MetricRule,
    /// Whether it takes part in the verdict.
    pub gated: bool,
    /// Its median in A and in B.
    pub medians: (f64, f64),
    /// What its values say.
    #[serde(flatten)]
    pub judgement: Judgement,
}

/// All metrics, weighed together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The worst verdict of the gated metrics; INCONCLUSIVE when none is gated.
    pub verdict: Verdict,
    /// Pairs weighed, or values of the smaller side where they are not paired.
    pub pairs: usize,
    /// Each metric.
    pub metrics: Vec<MetricVerdict>,
}

/// One metric's values, ready to be judged.
pub(crate) struct Evidence<'a> {
    pub rule: &'a MetricRule,
    /// Its median in A and in B.
    pub medians: (f64, f64),
    /// Judges them at a share of α.
    pub judge: Box<dyn Fn(f64) -> Option<Judgement> + 'a>,
}

/// Weighs all metrics with `alpha` for all of them together.
pub(crate) fn weigh(evidence: &[Evidence<'_>], pairs: usize, alpha: f64) -> Outcome {
    let alone: Vec<Option<Judgement>> = evidence.iter().map(|e| (e.judge)(alpha)).collect();
    let gated: Vec<bool> = evidence
        .iter()
        .zip(&alone)
        .map(|(e, judgement)| is_gated(e.rule, judgement.as_ref()))
        .collect();
    let shares = holm(&alone, &gated, alpha);
    let metrics: Vec<MetricVerdict> = evidence
        .iter()
        .zip(shares)
        .zip(gated)
        .filter_map(|((e, share), gated)| {
            let judgement = (e.judge)(share.alpha)?;
            Some(MetricVerdict {
                rule: e.rule.clone(),
                gated,
                medians: e.medians,
                judgement: match share.may_fail {
                    true => judgement,
                    false => judgement.without_fail(&e.rule.rules),
                },
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
        pairs,
        metrics,
    }
}

/// A metric's share of α.
#[derive(Clone, Copy)]
struct Share {
    alpha: f64,
    may_fail: bool,
}

/// The smallest probability is held against α/m, the next against α/(m − 1),
/// and so on until one is not below its share; from there on nothing fails.
/// What is not gated is shown at α and decides nothing.
fn holm(alone: &[Option<Judgement>], gated: &[bool], alpha: f64) -> Vec<Share> {
    let mut order: Vec<(usize, f64)> = alone
        .iter()
        .enumerate()
        .filter(|(index, _)| gated[*index])
        .filter_map(|(index, judgement)| Some((index, judgement.as_ref()?.p_value)))
        .collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let ungated = Share {
        alpha,
        may_fail: true,
    };
    let mut shares = vec![ungated; alone.len()];
    let count = order.len();
    let mut may_fail = true;
    for (position, (index, p_value)) in order.into_iter().enumerate() {
        let alpha = alpha / (count - position) as f64;
        may_fail = may_fail && p_value <= alpha;
        shares[index] = Share { alpha, may_fail };
    }
    shares
}

fn is_gated(rule: &MetricRule, judgement: Option<&Judgement>) -> bool {
    match (rule.gated_below_effect, judgement) {
        (Some(largest), Some(judgement)) => judgement
            .detectable_effect
            .is_some_and(|effect| effect <= largest),
        _ => true,
    }
}
