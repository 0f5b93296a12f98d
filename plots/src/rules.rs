//! The document's rules, and what a result says about them.
//!
//! A verdict is computed from the result's own cells or it is "not measured
//! here". It is tentative when it rests on single runs or on an interval of
//! less than 90 % confidence, as two or three repeats give.

use crate::effects::{
    Change, difference, factor_text, judged, micros_text, ratio, ratio_text, spread_text,
};
use crate::sweep::{Axis, Sweep, number};
use crate::units::{bytes_rate, digits, si};
use plimsoll_results::stats::{Interval, Spread};
use plimsoll_results::{LatencyKind, Metric, value_label};
use serde_json::Value;

/// Confidence from which a verdict is not tentative.
const FIRM: f64 = 0.9;

/// Where a result stands towards a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Holds,
    Differs,
    Undecided,
    NotMeasured,
}

impl Standing {
    /// The standing in words.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds here",
            Self::Differs => "differs here",
            Self::Undecided => "undecided",
            Self::NotMeasured => "not measured here",
        }
    }

    /// The standing's class in a page.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Holds => "good",
            Self::Differs => "open",
            Self::Undecided | Self::NotMeasured => "none",
        }
    }
}

/// A rule with its verdict.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub id: &'static str,
    pub claim: &'static str,
    pub standing: Standing,
    pub tentative: bool,
    pub evidence: String,
}

struct Rule {
    id: &'static str,
    claim: &'static str,
    judge: fn(&Sweep<'_>) -> Option<Judgement>,
}

struct Judgement {
    standing: Standing,
    confidence: f64,
    evidence: String,
}

const RULES: [Rule; 8] = [
    Rule {
        id: "B1",
        claim: "One broker takes 100 to 200 MB/s of writes.",
        judge: broker_rate,
    },
    Rule {
        id: "B2",
        claim: "acks=all adds 1 to 5 ms to a batch over acks=1.",
        judge: acks_cost,
    },
    Rule {
        id: "B3",
        claim: "Transactions cost 20 to 30 % of throughput.",
        judge: transaction_cost,
    },
    Rule {
        id: "B6",
        claim: "Larger batches and a longer linger bring throughput and cost latency.",
        judge: batching,
    },
    Rule {
        id: "D3",
        claim: "Compression shrinks data to a third, down to a sixth.",
        judge: compression,
    },
    Rule {
        id: "P3",
        claim: "One partition sustains 10 to 30 MB/s.",
        judge: partition_bytes,
    },
    Rule {
        id: "P4",
        claim: "One partition takes 10K to 50K messages/s.",
        judge: partition_records,
    },
    Rule {
        id: "P7",
        claim: "Throughput grows in proportion to partitions, up to a point.",
        judge: partition_scaling,
    },
];

/// Verdicts on every rule that the result bears on, then the workload's rules
/// that it cannot judge.
pub(crate) fn verdicts(sweep: &Sweep<'_>) -> Vec<Verdict> {
    let named = |id: &str| sweep.run.rules.iter().any(|rule| rule == id);
    let judged = RULES.iter().filter_map(|rule| {
        let judgement = (rule.judge)(sweep);
        if judgement.is_none() && !named(rule.id) {
            return None;
        }
        Some(match judgement {
            Some(judgement) => Verdict {
                id: rule.id,
                claim: rule.claim,
                standing: judgement.standing,
                tentative: judgement.confidence < FIRM,
                evidence: judgement.evidence,
            },
            None => Verdict {
                id: rule.id,
                claim: rule.claim,
                standing: Standing::NotMeasured,
                tentative: false,
                evidence: "The valid cells do not carry what this rule needs.".to_string(),
            },
        })
    });
    let mut verdicts: Vec<Verdict> = judged.collect();
    verdicts.sort_by_key(|v| v.standing == Standing::NotMeasured);
    verdicts
}

/// Ids that the workload names and no judge here knows.
pub(crate) fn unjudged(sweep: &Sweep<'_>) -> Vec<String> {
    let known = |id: &str| RULES.iter().any(|rule| rule.id == id);
    let ids = sweep.run.rules.iter();
    ids.filter(|id| !known(id)).cloned().collect()
}

/// Inside the claimed range, outside, or across its edge.
fn within(interval: Interval, low: f64, high: f64) -> Standing {
    if interval.low >= low && interval.high <= high {
        Standing::Holds
    } else if interval.high < low || interval.low > high {
        Standing::Differs
    } else {
        Standing::Undecided
    }
}

fn spread_interval(spread: &Spread) -> Interval {
    judged(spread.median, spread.interval)
}

fn broker_rate(sweep: &Sweep<'_>) -> Option<Judgement> {
    if !sweep.saturating() {
        return None;
    }
    let best = sweep.highest(Metric::BytesPerSecond)?;
    let spread = best.spread(Metric::BytesPerSecond)?;
    let nodes = f64::from(sweep.run.target.nodes.max(1));
    let interval = spread_interval(&spread);
    let standing = match (interval.low / nodes, interval.high / nodes) {
        (low, _) if low > 200e6 => Standing::Differs,
        (low, high) if low >= 100e6 && high <= 200e6 => Standing::Holds,
        _ => Standing::Undecided,
    };
    Some(Judgement {
        standing,
        confidence: interval.confidence,
        evidence: format!(
            "The fastest cell took {} on {nodes} node(s). A sweep finds what was carried, not the \
             maximum.",
            spread_text(&spread, "", bytes_rate)
        ),
    })
}

fn acks_cost(sweep: &Sweep<'_>) -> Option<Judgement> {
    let axis = sweep.axis("acks")?;
    let find = |wanted: &[&str]| {
        let mut values = axis.values.iter();
        values.find(|v| wanted.contains(&value_label(v).as_str()))
    };
    let change = Change {
        axis,
        from: find(&["1"])?,
        to: find(&["all", "-1"])?,
    };
    let at = |metric| difference(sweep, change, metric);
    let p50 = at(Metric::P50(LatencyKind::Service))?;
    let p99 = at(Metric::P99(LatencyKind::Service))?;
    let interval = judged(p50.estimate, p50.interval);
    let mut evidence = format!(
        "Service time changed by {} at the median and {} at p99.",
        micros_text(&p50),
        micros_text(&p99)
    );
    if sweep.run.target.nodes == 1 {
        evidence.push_str(" With one node acks=all waits for no follower.");
    }
    if sweep.saturating() {
        evidence.push_str(" The load was as fast as possible, so queueing is part of it.");
    }
    Some(Judgement {
        standing: within(interval, 1e3, 5e3),
        confidence: interval.confidence,
        evidence,
    })
}

fn transaction_cost(sweep: &Sweep<'_>) -> Option<Judgement> {
    let axis = sweep
        .axes
        .iter()
        .find(|axis| axis.path.contains("transaction"))?;
    let plain = |v: &&Value| matches!(value_label(v).as_str(), "false" | "0" | "none" | "off");
    let from = axis.values.iter().find(plain)?;
    let to = axis.values.iter().rev().find(|v| !plain(v))?;
    let rate = ratio(sweep, Change { axis, from, to }, Metric::RecordsPerSecond)?;
    let interval = judged(rate.estimate, rate.interval);
    Some(Judgement {
        standing: within(interval, 0.7, 0.8),
        confidence: interval.confidence,
        evidence: format!("Throughput changed by {}.", ratio_text(&rate)),
    })
}

fn batching(sweep: &Sweep<'_>) -> Option<Judgement> {
    let axis = ["batch_bytes", "batch", "batch_size", "linger"]
        .iter()
        .find_map(|name| sweep.axis(name))?;
    let change = Change {
        axis,
        from: axis.values.first()?,
        to: axis.values.last()?,
    };
    let rate = ratio(sweep, change, Metric::RecordsPerSecond)?;
    let p50 = ratio(sweep, change, Metric::P50(LatencyKind::Response))?;
    let (r, l) = (
        judged(rate.estimate, rate.interval),
        judged(p50.estimate, p50.interval),
    );
    let standing = if r.low > 1.0 && l.low > 1.0 {
        Standing::Holds
    } else if r.high < 1.0 || l.high < 1.0 {
        Standing::Differs
    } else {
        Standing::Undecided
    };
    Some(Judgement {
        standing,
        confidence: r.confidence.min(l.confidence),
        evidence: format!(
            "From {} {} to {}, throughput changed by {} and the median response time by {}.",
            axis.label(),
            value_label(change.from),
            value_label(change.to),
            ratio_text(&rate),
            ratio_text(&p50)
        ),
    })
}

fn compression(sweep: &Sweep<'_>) -> Option<Judgement> {
    let mut codecs: Vec<(String, Spread)> = Vec::new();
    let axis = sweep.axis("compression")?;
    for value in axis.values.iter().filter(|v| value_label(v) != "none") {
        let groups = sweep.matching(&[(axis, value)]);
        let ratios: Vec<f64> = groups
            .iter()
            .flat_map(|g| g.values(Metric::CompressionRatio))
            .collect();
        codecs.extend(Spread::of(&ratios).map(|spread| (value_label(value), spread)));
    }
    let (first, rest) = codecs.split_first()?;
    let standing = |spread: &Spread| within(spread_interval(spread), 3.0, 6.0);
    let agreed = rest.iter().all(|c| standing(&c.1) == standing(&first.1));
    let listed: Vec<String> = codecs
        .iter()
        .map(|(name, spread)| format!("{name} {} ×", digits(spread.median)))
        .collect();
    Some(Judgement {
        standing: if agreed {
            standing(&first.1)
        } else {
            Standing::Undecided
        },
        confidence: codecs
            .iter()
            .map(|c| spread_interval(&c.1).confidence)
            .fold(1.0, f64::min),
        evidence: format!("With these records: {}.", listed.join(", ")),
    })
}

fn one_partition(sweep: &Sweep<'_>, metric: Metric) -> Option<Spread> {
    if !sweep.saturating() {
        return None;
    }
    let single = |params: &plimsoll_results::Params| {
        let mut found = params
            .iter()
            .filter(|(name, _)| name.ends_with(".partitions"));
        found.any(|(_, value)| number(value) == Some(1.0))
    };
    sweep
        .groups
        .iter()
        .filter(|group| single(group.params))
        .filter_map(|group| group.spread(metric))
        .max_by(|a, b| a.median.total_cmp(&b.median))
}

fn partition_bytes(sweep: &Sweep<'_>) -> Option<Judgement> {
    let spread = one_partition(sweep, Metric::BytesPerSecond)?;
    let interval = spread_interval(&spread);
    Some(Judgement {
        standing: within(interval, 10e6, 30e6),
        confidence: interval.confidence,
        evidence: format!(
            "One partition carried {} in its fastest setting.",
            spread_text(&spread, "", bytes_rate)
        ),
    })
}

fn partition_records(sweep: &Sweep<'_>) -> Option<Judgement> {
    let spread = one_partition(sweep, Metric::RecordsPerSecond)?;
    let interval = spread_interval(&spread);
    Some(Judgement {
        standing: within(interval, 10e3, 50e3),
        confidence: interval.confidence,
        evidence: format!(
            "One partition carried {} in its fastest setting.",
            spread_text(&spread, " records/s", si)
        ),
    })
}

fn partition_scaling(sweep: &Sweep<'_>) -> Option<Judgement> {
    /// This share of proportional growth still counts as proportional.
    const NEARLY: f64 = 0.8;
    if !sweep.saturating() {
        return None;
    }
    let axis: &Axis = sweep.axis("partitions")?;
    let numbers = axis.numbers()?;
    let times = numbers.last()? / numbers.first()?;
    let change = Change {
        axis,
        from: axis.values.first()?,
        to: axis.values.last()?,
    };
    let rate = ratio(sweep, change, Metric::RecordsPerSecond)?;
    let interval = judged(rate.estimate, rate.interval);
    Some(Judgement {
        standing: within(interval, NEARLY * times, f64::INFINITY),
        confidence: interval.confidence,
        evidence: format!(
            "{} × the partitions carried {} the throughput.",
            digits(times),
            factor_text(&rate)
        ),
    })
}
