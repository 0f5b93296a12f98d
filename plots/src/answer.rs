//! The answer in a few sentences, computed from the cells.
//!
//! The first sentence answers the workload's question as far as numbers can:
//! which setting won. The others say what each swept parameter cost or
//! brought, with an interval wherever repeats allow one.

use crate::effects::{Change, difference, latency_text, range_text, ratio, ratio_of, spread_text};
use crate::sweep::{Axis, Sweep, named_value};
use crate::units::{bytes_rate, count, digits, micros, percent, si, signed_micros, signed_percent};
use plimsoll_results::stats::{CONFIDENCE, Shift, paired_shift};
use plimsoll_results::{LatencyKind, Metric, RunResult, value_label};
use serde_json::Value;

const P99: Metric = Metric::P99(LatencyKind::Response);
const RATE: Metric = Metric::RecordsPerSecond;

/// The answer to the workload's question in a few sentences, the headline
/// first. Never empty.
pub fn answer(run: &RunResult) -> Vec<String> {
    sentences(&Sweep::of(run))
}

pub(crate) fn sentences(sweep: &Sweep<'_>) -> Vec<String> {
    let mut sentences = vec![headline(sweep)];
    sentences.extend(faults(sweep));
    if sweep.groups.iter().any(|g| g.valid().next().is_some()) {
        sentences.extend(sweep.axes.iter().filter_map(|axis| effect(sweep, axis)));
        sentences.extend(confidence(sweep));
    }
    sentences
}

fn headline(sweep: &Sweep<'_>) -> String {
    if sweep.run.cells.is_empty() {
        return "No answer: the run holds no finished cell.".to_string();
    }
    if !sweep.run.cells.iter().any(|cell| cell.valid) {
        let cell = sweep
            .run
            .cells
            .iter()
            .find(|c| !c.invalid_reasons.is_empty());
        let reason = cell.and_then(|c| c.invalid_reasons.first());
        return format!(
            "No answer: none of the {} cells is valid. The first reason: {}.",
            sweep.run.cells.len(),
            reason.map_or("none was given", String::as_str)
        );
    }
    let told = if sweep.run.cells.iter().any(|cell| cell.search.is_some()) {
        highest(sweep)
    } else if sweep.saturating() {
        fastest(sweep)
    } else {
        most_responsive(sweep)
    };
    told.unwrap_or_else(|| "No answer: no cell carries a throughput.".to_string())
}

/// What a search found: the highest rate that holds, and what limits it.
fn highest(sweep: &Sweep<'_>) -> Option<String> {
    let best = sweep.highest(Metric::MaximumRate)?;
    let rate = best.spread(Metric::MaximumRate)?;
    let searches = || best.valid().filter_map(|cell| cell.search.as_ref());
    let objective = searches().next()?.objective_us;
    let failed = searches()
        .filter_map(|search| search.failed_at)
        .reduce(f64::max);
    let failed = failed.map_or_else(String::new, |at| format!(" and failed at {}", si(at)));
    let limit = searches().find_map(|search| search.limited_by.first());
    let limit = limit.map_or_else(String::new, |limit| format!(": {limit}"));
    let setting = match sweep.axes.is_empty() {
        true => "The highest rate".to_string(),
        false => format!("The highest rate was that of {}, which", sweep.label(best)),
    };
    Some(format!(
        "{setting} held {} with a p99 of at most {}{failed}{limit}.",
        spread_text(&rate, " records/s", si),
        micros(objective)
    ))
}

fn fastest(sweep: &Sweep<'_>) -> Option<String> {
    let best = sweep.highest(RATE)?;
    let rate = best.spread(RATE)?;
    let bytes = best.spread(Metric::BytesPerSecond)?;
    let told = format!(
        "{}, {}",
        spread_text(&rate, " records/s", si),
        bytes_rate(bytes.median)
    );
    if sweep.axes.is_empty() {
        return Some(format!("This setting carried {told}."));
    }
    let others = sweep.groups.iter().filter(|g| g.params != best.params);
    let next = others
        .filter_map(|g| Some((g, g.spread(RATE)?.median)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(group, _)| group);
    let lead = next.and_then(|next| {
        let ratio = ratio_of(next, best, RATE)?;
        let label = sweep.label(next);
        Some(if ratio.excludes(1.0) {
            let by = percent((ratio.estimate - 1.0).abs());
            let range = range_text(&ratio, |r| signed_percent(r - 1.0));
            format!(", ahead of {label} by {by} {range}")
        } else {
            let change = |r: f64| signed_percent(r - 1.0);
            let (by, range) = (change(ratio.estimate), range_text(&ratio, change));
            format!(", not told apart from {label}: {by} {range}")
        })
    });
    Some(format!(
        "Fastest was {} with {told}{}.",
        sweep.label(best),
        lead.unwrap_or_default()
    ))
}

fn most_responsive(sweep: &Sweep<'_>) -> Option<String> {
    let best = sweep.lowest(P99)?;
    let p99 = best.spread(P99)?;
    let told = format!(
        "99 % of records were acknowledged within {}",
        latency_text(&p99)
    );
    if sweep.axes.is_empty() {
        return Some(format!("At the offered rate, {told}."));
    }
    Some(format!(
        "Most responsive was {}: {told} of their intended send time.",
        sweep.label(best)
    ))
}

/// A run that lost data says so before anything else.
fn faults(sweep: &Sweep<'_>) -> Option<String> {
    let sum = |field: fn(&plimsoll_results::Verified) -> u64| {
        let cells = sweep.run.cells.iter();
        cells.map(|cell| field(&cell.verified)).sum::<u64>()
    };
    let faults = [
        (sum(|v| v.lost), "lost"),
        (sum(|v| v.corrupt), "corrupt"),
        (sum(|v| v.duplicated), "duplicated"),
        (sum(|v| v.reordered), "out of order"),
        (sum(|v| v.aborted_read), "read although aborted"),
    ];
    let found: Vec<String> = faults
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", count(*n)))
        .collect();
    if found.is_empty() {
        return None;
    }
    Some(format!(
        "Records were not all intact: {}.",
        found.join(", ")
    ))
}

/// How far the ranges after differences may be trusted.
fn confidence(sweep: &Sweep<'_>) -> Option<String> {
    if sweep.axes.is_empty() {
        return None;
    }
    let (fewest, _) = sweep.repeats();
    if fewest < 2 {
        return Some(
            "Every setting ran once, so nothing here can be told from chance; repeats = 6 gives \
             differences with 97 % confidence."
                .to_string(),
        );
    }
    let interval = paired_shift(&vec![0.0; fewest])?.interval?;
    let enough = if interval.confidence < CONFIDENCE {
        "; repeats = 6 gives 97 %"
    } else {
        ""
    };
    Some(format!(
        "The ranges after differences carry {} confidence, which is what {fewest} repeats \
         allow{enough}.",
        percent(interval.confidence)
    ))
}

/// One sentence on a parameter, from its natural baseline to its telling value.
fn effect(sweep: &Sweep<'_>, axis: &Axis) -> Option<String> {
    let (from, to) = span(sweep, axis)?;
    let change = Change { axis, from, to };
    let rate = ratio(sweep, change, RATE);
    let p99 = difference(sweep, change, P99);
    let subject = format!(
        "{} instead of {}",
        capitalised(&named_value(axis, to)),
        named_value(axis, from)
    );
    let scaling = axis.short() == "partitions" || axis.short() == "count";
    let mut parts = Vec::new();
    if sweep.saturating() {
        parts.extend(rate.as_ref().map(|rate| rate_part(rate, scaling)));
    }
    parts.extend(p99.as_ref().map(latency_part));
    parts.extend(compression_part(sweep, axis, to));
    if parts.is_empty() {
        return None;
    }
    let text = parts.join("; ");
    Some(format!("{subject} {text}."))
}

fn rate_part(rate: &Shift, scaling: bool) -> String {
    if scaling {
        let range = range_text(rate, digits);
        return format!("carried {} × the throughput {range}", digits(rate.estimate));
    }
    let change = |r: f64| signed_percent(r - 1.0);
    let range = range_text(rate, change);
    match direction(rate, 1.0) {
        Some(verb) => {
            let by = percent((rate.estimate - 1.0).abs());
            format!("{verb} throughput by {by} {range}")
        }
        None => format!(
            "made no difference to throughput that can be told: {} {range}",
            change(rate.estimate)
        ),
    }
}

fn latency_part(shift: &Shift) -> String {
    let range = range_text(shift, signed_micros);
    match direction(shift, 0.0) {
        Some(verb) => {
            let by = micros(shift.estimate.abs());
            format!("{verb} p99 response time by {by} {range}")
        }
        None => format!(
            "left p99 response time as it was as far as can be told: {} {range}",
            signed_micros(shift.estimate)
        ),
    }
}

/// Which way a shift went, unless its interval holds `same`.
fn direction(shift: &Shift, same: f64) -> Option<&'static str> {
    if shift.interval.is_some() && !shift.excludes(same) {
        return None;
    }
    Some(if shift.estimate < same {
        "lowered"
    } else {
        "raised"
    })
}

fn compression_part(sweep: &Sweep<'_>, axis: &Axis, to: &Value) -> Option<String> {
    if axis.short() != "compression" {
        return None;
    }
    let groups = sweep.matching(&[(axis, to)]);
    let values: Vec<f64> = groups
        .iter()
        .flat_map(|g| g.values(Metric::CompressionRatio))
        .collect();
    let ratio = plimsoll_results::stats::Spread::of(&values)?;
    Some(format!(
        "sent one byte for every {} of the records",
        digits(ratio.median)
    ))
}

/// acks from 1 to all, compression from none to the fastest codec, numbers and
/// switches from first to last. Other words have no baseline.
fn span<'s>(sweep: &'s Sweep<'_>, axis: &'s Axis) -> Option<(&'s Value, &'s Value)> {
    let find = |wanted: &str| axis.values.iter().find(|v| value_label(v) == wanted);
    let (first, last) = (axis.values.first()?, axis.values.last()?);
    match axis.short() {
        "acks" => Some((find("1").unwrap_or(first), last)),
        "compression" => {
            let none = find("none")?;
            let codecs = axis.values.iter().filter(|v| *v != none);
            let speed = |to: &Value| {
                let change = Change {
                    axis,
                    from: none,
                    to,
                };
                ratio(sweep, change, RATE).map_or(0.0, |r| r.estimate)
            };
            codecs
                .max_by(|a, b| speed(a).total_cmp(&speed(b)))
                .map(|best| (none, best))
        }
        _ if axis.numbers().is_some() || first.is_boolean() => Some((first, last)),
        _ => None,
    }
}

/// Settings and codecs keep their spelling.
fn capitalised(text: &str) -> String {
    let named = text.contains('=') || matches!(text, "lz4" | "zstd" | "snappy" | "gzip");
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !named => first.to_uppercase().chain(chars).collect(),
        _ => text.to_string(),
    }
}
