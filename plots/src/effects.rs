//! What changing one parameter does, all else equal.
//!
//! Settings that differ in that parameter alone are matched. Within a block
//! each match gives one difference, and the block's is their median; the
//! blocks are the repeats from which the shift and its interval are estimated.
//! So the matches of one block never pass for independent evidence.

use crate::sweep::{Axis, Sweep};
use crate::units::{digits, micros, percent, signed_micros, signed_percent};
use plimsoll_results::stats::{Interval, Shift, Spread, paired_shift};
use plimsoll_results::{Group, Metric};
use serde_json::Value;
use std::collections::BTreeMap;

/// A change of one parameter.
#[derive(Clone, Copy)]
pub(crate) struct Change<'s> {
    pub axis: &'s Axis,
    pub from: &'s Value,
    pub to: &'s Value,
}

/// The factor by which the change multiplies a metric.
pub(crate) fn ratio(sweep: &Sweep<'_>, change: Change<'_>, metric: Metric) -> Option<Shift> {
    let log_ratio = |a: f64, b: f64| (a > 0.0 && b > 0.0).then(|| (b / a).ln());
    Some(over_blocks(&matches(sweep, change), metric, log_ratio)?.map(f64::exp))
}

/// What the change adds to a metric.
pub(crate) fn difference(sweep: &Sweep<'_>, change: Change<'_>, metric: Metric) -> Option<Shift> {
    over_blocks(&matches(sweep, change), metric, |a, b| Some(b - a))
}

/// The factor between two settings of one run.
pub(crate) fn ratio_of(a: &Group<'_>, b: &Group<'_>, metric: Metric) -> Option<Shift> {
    let log_ratio = |a: f64, b: f64| (a > 0.0 && b > 0.0).then(|| (b / a).ln());
    Some(over_blocks(&[(a, b)], metric, log_ratio)?.map(f64::exp))
}

/// Settings equal in every other varied parameter. Parameters that merely
/// follow another, as idempotence follows acks, are not varied.
fn matches<'s, 'a>(
    sweep: &'s Sweep<'a>,
    change: Change<'_>,
) -> Vec<(&'s Group<'a>, &'s Group<'a>)> {
    let path = &change.axis.path;
    let others: Vec<&Axis> = sweep.axes.iter().filter(|a| a.path != *path).collect();
    let with = |value: &Value| -> BTreeMap<String, &'s Group<'a>> {
        sweep
            .groups
            .iter()
            .filter(|group| group.param(path) == Some(value))
            .map(|group| {
                let rest: Vec<_> = others.iter().map(|axis| group.param(&axis.path)).collect();
                (serde_json::to_string(&rest).unwrap_or_default(), group)
            })
            .collect()
    };
    let mut after = with(change.to);
    with(change.from)
        .into_iter()
        .filter_map(|(rest, before)| Some((before, after.remove(&rest)?)))
        .collect()
}

fn over_blocks(
    matches: &[(&Group<'_>, &Group<'_>)],
    metric: Metric,
    measure: impl Fn(f64, f64) -> Option<f64>,
) -> Option<Shift> {
    let mut blocks: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (a, b) in matches {
        let after = b.by_block(metric);
        for (block, before) in a.by_block(metric) {
            let pair = after.get(&block).and_then(|after| measure(before, *after));
            blocks.entry(block).or_default().extend(pair);
        }
    }
    let medians: Vec<f64> = blocks
        .values()
        .filter_map(|differences| Some(Spread::of(differences)?.median))
        .collect();
    paired_shift(&medians)
}

/// `−9.1 % (−10 % to −8 %; 75 % confidence from 3 blocks)`.
pub(crate) fn ratio_text(ratio: &Shift) -> String {
    let change = |r: f64| signed_percent(r - 1.0);
    format!("{} {}", change(ratio.estimate), support(ratio, change))
}

/// `1.71 × (1.65 to 1.78; …)`.
pub(crate) fn factor_text(ratio: &Shift) -> String {
    let support = support(ratio, digits);
    format!("{} × {support}", digits(ratio.estimate))
}

/// `+1.34 ms (+1.2 ms to +1.5 ms; …)`.
pub(crate) fn micros_text(shift: &Shift) -> String {
    let text = signed_micros(shift.estimate);
    format!("{text} {}", support(shift, signed_micros))
}

/// What an estimate rests on, in brackets.
pub(crate) fn support(shift: &Shift, text: impl Fn(f64) -> String) -> String {
    match shift.interval {
        None => "(a single run, no interval)".to_string(),
        Some(interval) => {
            let unit = if shift.paired { "blocks" } else { "repeats" };
            format!(
                "({} to {}; {} confidence from {} {unit})",
                text(interval.low),
                text(interval.high),
                percent(interval.confidence),
                shift.n
            )
        }
    }
}

/// The interval alone, for texts that state its confidence once.
pub(crate) fn range_text(shift: &Shift, text: impl Fn(f64) -> String) -> String {
    match shift.interval {
        None => "(a single run)".to_string(),
        Some(interval) => format!("({} to {})", text(interval.low), text(interval.high)),
    }
}

/// `2.1 ms (2 ms to 2.2 ms over 3 repeats)`; `unit` follows the median alone.
pub(crate) fn spread_text(spread: &Spread, unit: &str, text: impl Fn(f64) -> String) -> String {
    let median = text(spread.median);
    match spread.n {
        1 => format!("{median}{unit} (a single run)"),
        n => format!(
            "{median}{unit} ({} to {} over {n} repeats)",
            text(spread.min),
            text(spread.max)
        ),
    }
}

/// Latency as [`spread_text`].
pub(crate) fn latency_text(spread: &Spread) -> String {
    spread_text(spread, "", micros)
}

/// An interval to judge by: the given one, or the point when there is none.
pub(crate) fn judged(estimate: f64, interval: Option<Interval>) -> Interval {
    interval.unwrap_or(Interval {
        low: estimate,
        high: estimate,
        confidence: 0.0,
    })
}
