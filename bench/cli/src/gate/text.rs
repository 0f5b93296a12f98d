//! The verdict in words and as a table.

use comfy_table::{CellAlignment, Table, presets};
use plimsoll_gate::{Ended, GateReport, Judgement, Method, MetricVerdict, Outcome, Unit, Verdict};
use plimsoll_plots::units::{digits, memory, micros, percent, si, signed_percent};

/// A verdict's word.
pub const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}

/// A value with its unit.
pub fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::RecordsPerSecond => format!("{}/s", si(value)),
        Unit::Micros => micros(value),
        Unit::Nanos if value < 1e3 => format!("{} ns", digits(value)),
        Unit::Nanos => micros(value / 1e3),
        Unit::CpuSecondsPerGb => format!("{} s/GB", digits(value)),
        Unit::Bytes => memory(value),
    }
}

/// `+9.8 % (+8.1 % to +11 %)`, where more is worse.
pub fn change(judgement: &Judgement) -> String {
    let estimate = signed_percent(judgement.change);
    match judgement.interval {
        Some((low, high)) => format!(
            "{estimate} ({} to {})",
            signed_percent(low),
            signed_percent(high)
        ),
        None => format!("{estimate} (a single pair, no interval)"),
    }
}

/// A probability, as small as it is worth saying.
pub fn probability(p: f64) -> String {
    match p {
        p if p < 0.000_1 => "< 0.0001".to_owned(),
        p if p < 0.01 => format!("{p:.4}"),
        p => format!("{p:.2}"),
    }
}

/// What a metric's row says of its part in the verdict.
pub fn standing(metric: &MetricVerdict) -> &'static str {
    match metric.gated {
        true => word(metric.judgement.verdict),
        false => "not gated",
    }
}

/// Metrics that a sentence names; of more it names these and counts the rest.
const NAMED_MAX: usize = 4;

/// The metrics so far in one line, the worst of them where there are many.
pub fn so_far(outcome: &Outcome) -> String {
    let shown =
        |metric: &MetricVerdict| format!("{} {}", metric.rule.name, change(&metric.judgement));
    let metrics = &outcome.metrics;
    if metrics.len() <= NAMED_MAX {
        let all: Vec<String> = metrics.iter().map(shown).collect();
        return all.join(", ");
    }
    let by_change =
        |a: &&MetricVerdict, b: &&MetricVerdict| a.judgement.change.total_cmp(&b.judgement.change);
    let worst = metrics.iter().max_by(by_change).map(shown);
    format!(
        "{} compared, worst {}",
        metrics.len(),
        worst.unwrap_or_default()
    )
}

/// Every metric with its numbers.
pub fn table(report: &GateReport) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(HEADINGS);
    for metric in &report.outcome.metrics {
        table.add_row(row(metric));
    }
    for column in table.column_iter_mut().skip(1).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

/// The columns of the table.
pub const HEADINGS: [&str; 7] = [
    "metric",
    "A",
    "B",
    "worse by (95 % interval)",
    "p",
    "detects",
    "verdict",
];

/// A metric's row.
pub fn row(metric: &MetricVerdict) -> [String; 7] {
    let judgement = &metric.judgement;
    let detects = judgement.detectable_effect.map(percent);
    [
        metric.rule.name.clone(),
        value(metric.rule.unit, metric.medians.0),
        value(metric.rule.unit, metric.medians.1),
        change(judgement),
        probability(judgement.p_value),
        detects.unwrap_or_else(|| "–".to_owned()),
        standing(metric).to_owned(),
    ]
}

/// The verdict and its reasons, the first one the sentence that matters.
pub fn sentences(report: &GateReport) -> Vec<String> {
    let verdict = report.verdict();
    let mut said = vec![format!("{}: {}", word(verdict), reason(report, verdict))];
    said.extend(ending(report));
    if !report.discarded.is_empty() && report.ended != Ended::Unmeasurable {
        said.push(format!(
            "{} did not count, the last because {}.",
            pairs(report.discarded.len()),
            last_reason(report)
        ));
    }
    said.extend(report.notes.iter().cloned());
    said
}

fn reason(report: &GateReport, verdict: Verdict) -> String {
    if let Some(damage) = report.damage.first() {
        return format!("B damaged records: {damage}.");
    }
    let gated = report.outcome.metrics.iter().filter(|metric| metric.gated);
    let of = |wanted: Verdict| gated.clone().filter(move |m| m.judgement.verdict == wanted);
    let mut told: Vec<String> = match verdict {
        Verdict::Fail => of(Verdict::Fail).map(failed).collect(),
        Verdict::Pass if gated.clone().count() > NAMED_MAX => all_passed(gated.clone()),
        Verdict::Pass => gated.clone().map(passed).collect(),
        Verdict::Inconclusive => of(Verdict::Inconclusive)
            .map(|metric| undecided(metric, report.method))
            .collect(),
    };
    let more = told.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        told.truncate(NAMED_MAX);
        told.push(format!("and {more} more"));
    }
    match told.is_empty() {
        true => "no metric could be judged.".to_owned(),
        false => format!("{}.", told.join("; ")),
    }
}

/// What passed, where it is too much to be told one by one.
fn all_passed<'m>(metrics: impl Iterator<Item = &'m MetricVerdict>) -> Vec<String> {
    let worst = |metric: &MetricVerdict| metric.judgement.interval.map_or(0.0, |(_, high)| high);
    let highs: Vec<f64> = metrics.map(worst).collect();
    let most = highs.iter().copied().fold(0.0, f64::max);
    vec![match most > 0.0 {
        true => format!(
            "none of {} is more than {} worse",
            highs.len(),
            percent(most)
        ),
        false => format!("none of {} is worse", highs.len()),
    }]
}

fn failed(metric: &MetricVerdict) -> String {
    let judgement = &metric.judgement;
    let range = judgement.interval.map_or_else(String::new, |(low, high)| {
        format!(" ({} to {})", percent(low), percent(high))
    });
    format!(
        "{} is {} worse{range}, past the margin of {} (p {})",
        metric.rule.name,
        percent(judgement.change),
        percent(metric.rule.rules.margin),
        probability(judgement.p_value)
    )
}

fn passed(metric: &MetricVerdict) -> String {
    let worst = metric.judgement.interval.map_or(0.0, |(_, high)| high);
    let name = &metric.rule.name;
    if worst <= 0.0 {
        return format!("{name} is not worse");
    }
    format!("{name} is at most {} worse", percent(worst))
}

fn undecided(metric: &MetricVerdict, method: Method) -> String {
    let judgement = &metric.judgement;
    let name = &metric.rule.name;
    let counted = counted(judgement.pairs, method);
    let Some((low, high)) = judgement.interval else {
        return format!("{name} cannot be judged from {counted}");
    };
    let range = format!("{} to {}", signed_percent(low), signed_percent(high));
    let mut text = format!("{name} may be {range} worse after {counted}");
    if let Some(effect) = judgement.detectable_effect {
        text.push_str(&format!(", which detect {}", percent(effect)));
    }
    text.push_str(&match judgement.pairs_to_decide {
        Some(needed) => format!(" (about {} would decide)", self::counted(needed, method)),
        None => " (more of them would not decide soon)".to_owned(),
    });
    text
}

fn ending(report: &GateReport) -> Option<String> {
    let done = pairs(report.outcome.pairs);
    let planned = report.pairs_planned;
    Some(match report.ended {
        Ended::Complete | Ended::Damage => return None,
        Ended::ClearFailure => format!("It was clear after {done} of {planned}."),
        Ended::TimeBudget => format!("The time budget ended it after {done} of {planned}."),
        Ended::Stopped => format!("It was stopped after {done} of {planned}."),
        Ended::Unmeasurable => format!(
            "It gave up: {} did not count, the last because {}.",
            pairs(report.discarded.len()),
            last_reason(report)
        ),
    })
}

fn last_reason(report: &GateReport) -> String {
    let last = report.discarded.last();
    last.map_or_else(String::new, |one| {
        format!("{}: {}", one.side.to_uppercase(), one.reason)
    })
}

fn pairs(count: usize) -> String {
    counted(count, Method::Pairs)
}

fn counted(count: usize, method: Method) -> String {
    match (method, count) {
        (Method::Pairs, 1) => "1 pair".to_owned(),
        (Method::Pairs, count) => format!("{count} pairs"),
        (Method::Groups, 1) => "1 result a side".to_owned(),
        (Method::Groups, count) => format!("{count} results a side"),
    }
}
