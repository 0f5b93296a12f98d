//! Several runs side by side: the first is the baseline, each other run is
//! compared with it setting by setting.
//!
//! The repeats of two runs are not paired, so ratios carry rank-sum intervals;
//! those of a gate's two sides are, and are compared pair by pair. With a single run on either side there is a ratio and no interval, and the
//! text says that it decides nothing.

use crate::charts::forest::{Forest, Row};
use crate::charts::{Chart, Context};
use crate::effects::{ratio_of, ratio_text};
use crate::page::Words;
use crate::sweep::Sweep;
use crate::{PlotError, units};
use plimsoll_results::stats::{Shift, Spread, unpaired_ratio};
use plimsoll_results::{Group, LatencyKind, Metric, RunResult, interleaved};
use std::collections::BTreeSet;

/// A metric that runs are compared by.
struct Compared {
    name: &'static str,
    chart: &'static str,
    metric: Metric,
    text: fn(f64) -> String,
}

const COMPARED: [Compared; 3] = [
    Compared {
        name: "records/s",
        chart: "compare-throughput",
        metric: Metric::RecordsPerSecond,
        text: units::si,
    },
    Compared {
        name: "p99 response",
        chart: "compare-latency",
        metric: Metric::P99(LatencyKind::Response),
        text: units::micros,
    },
    Compared {
        name: "broker CPU s/GB",
        chart: "compare-broker-cpu",
        metric: Metric::BrokerCpuPerGb,
        text: units::digits,
    },
];

/// One setting and metric in both runs, in words.
#[derive(Clone, Debug)]
pub struct ComparisonLine {
    /// The varied parameters' values.
    pub setting: String,
    /// The metric's name.
    pub metric: &'static str,
    /// The baseline's median.
    pub baseline: String,
    /// The candidate's median.
    pub candidate: String,
    /// The change with its interval, or why there is none.
    pub change: String,
    /// The candidate's values over the baseline's; absent when a side has no
    /// valid run of this setting.
    pub ratio: Option<Shift>,
}

impl Comparison {
    /// Keeps the first `most` lines; returns how many there were when some had
    /// to go.
    pub(crate) fn shorten(&mut self, most: usize) -> Option<usize> {
        let all = self.lines.len();
        self.lines.truncate(most);
        (all > most).then_some(all)
    }
}

impl ComparisonLine {
    /// Whether the interval excludes "no change".
    pub fn decided(&self) -> bool {
        self.ratio.is_some_and(|ratio| ratio.excludes(1.0))
    }
}

/// Two runs compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What the candidate is compared with.
    pub baseline: String,
    /// What is compared.
    pub candidate: String,
    /// What makes the comparison doubtful.
    pub cautions: Vec<String>,
    /// One sentence a metric.
    pub summary: Vec<String>,
    /// The candidate's letter.
    pub letter: char,
    /// Setting by setting, one metric after the other.
    pub lines: Vec<ComparisonLine>,
    /// The ratios with their intervals, one chart a metric.
    pub charts: Vec<Chart>,
}

/// Compares every later run with the first.
pub fn compare(runs: &[RunResult]) -> Result<Vec<Comparison>, PlotError> {
    let Some((baseline, candidates)) = runs.split_first() else {
        return Ok(Vec::new());
    };
    candidates
        .iter()
        .enumerate()
        .map(|(i, candidate)| pair(baseline, candidate, i))
        .collect()
}

/// A letter for the run's place, then what it ran on.
pub(crate) fn run_label(run: &RunResult, position: usize) -> String {
    format!(
        "{}: {} on {}",
        letter(position),
        run.name,
        run.target.label()
    )
}

fn letter(position: usize) -> char {
    char::from(b'A' + u8::try_from(position.min(25)).unwrap_or(25))
}

/// The middle setting's change, the range over settings, and how many stand
/// out of their own noise. Settings are not repeats, so they give no interval.
fn in_a_sentence(compared: &Compared, letter: char, rows: &[Row]) -> Option<String> {
    let ratios: Vec<f64> = rows.iter().map(|row| row.ratio.estimate).collect();
    let spread = Spread::of(&ratios)?;
    let decided = rows.iter().filter(|row| row.ratio.excludes(1.0)).count();
    let change = |ratio: f64| units::signed_percent(ratio - 1.0);
    if rows.len() == 1 {
        let (name, change) = (compared.name, change(spread.median));
        let more = if decided == 1 { "more" } else { "no more" };
        return Some(format!(
            "{name}: {letter} against A {change}, {more} than its repeats differ."
        ));
    }
    Some(format!(
        "{}: {letter} against A {} in the middle setting, {} to {} over {} settings, {decided} of \
         which differ by more than their repeats do.",
        compared.name,
        change(spread.median),
        change(spread.min),
        change(spread.max),
        rows.len()
    ))
}

/// A setting's name and its groups in the baseline and the candidate.
type Matched<'a> = (String, &'a Group<'a>, &'a Group<'a>);

fn pair(a: &RunResult, b: &RunResult, position: usize) -> Result<Comparison, PlotError> {
    let (left, right) = (Sweep::of(a), Sweep::of(b));
    let axes = left.axes.iter().chain(&right.axes);
    let varied: BTreeSet<&str> = axes.map(|axis| axis.path.as_str()).collect();
    let matched: Vec<Matched<'_>> = left
        .groups
        .iter()
        .filter_map(|group| {
            let same = |g: &&Group<'_>| varied.iter().all(|p| g.param(p) == group.param(p));
            let other = right.groups.iter().find(same)?;
            Some((left.label(group), group, other))
        })
        .collect();
    let letter = letter(position + 1);
    let paired = interleaved(a, b);
    let mut lines = Vec::new();
    let mut summary = Vec::new();
    let mut charts = Vec::new();
    for compared in &COMPARED {
        let mut rows = Vec::new();
        for (setting, one, other) in &matched {
            let metric = compared.metric;
            let ratio = match paired {
                true => ratio_of(one, other, metric),
                false => unpaired_ratio(&one.values(metric), &other.values(metric)),
            };
            if ratio.is_some() || compared.metric == Metric::RecordsPerSecond {
                lines.push(line(compared, setting, one, other, ratio));
            }
            rows.extend(ratio.map(|ratio| Row {
                label: setting.clone(),
                ratio,
            }));
        }
        summary.extend(in_a_sentence(compared, letter, &rows));
        rows.sort_by(|x, y| y.ratio.estimate.total_cmp(&x.ratio.estimate));
        let forest = Forest {
            band: None,
            words: words(compared, a, b, position, rows.len()),
            across_label: format!("ratio of {}, logarithmic", compared.name),
            rows,
        };
        if let Some(scene) = forest.scene() {
            let name = format!("{}-{}", compared.chart, letter.to_ascii_lowercase());
            charts.push(Chart::of(&name, scene)?);
        }
    }
    Ok(Comparison {
        baseline: run_label(a, 0),
        candidate: run_label(b, position + 1),
        cautions: cautions(a, b, &matched, left.groups.len()),
        summary,
        letter,
        lines,
        charts,
    })
}

fn line(
    compared: &Compared,
    setting: &str,
    one: &Group<'_>,
    other: &Group<'_>,
    ratio: Option<Shift>,
) -> ComparisonLine {
    let median = |group: &Group<'_>| {
        let spread = group.spread(compared.metric);
        spread.map_or_else(|| "–".to_string(), |s| (compared.text)(s.median))
    };
    let change = match ratio {
        None => "not compared: a side has no valid run".to_string(),
        Some(ratio) if ratio.interval.is_some() => ratio_text(&ratio),
        Some(_) => "undecided: a single run on one side".to_string(),
    };
    ComparisonLine {
        setting: setting.to_string(),
        metric: compared.name,
        baseline: median(one),
        candidate: median(other),
        change,
        ratio,
    }
}

fn words(compared: &Compared, a: &RunResult, b: &RunResult, position: usize, n: usize) -> Words {
    let context = Context::of(a);
    let title = compared.name;
    Words {
        title: format!("{title}: {} ÷ A", letter(position + 1)),
        subtitle: format!(
            "{} against {}, {n} settings. Lines are intervals at the confidence the repeats give; \
             grey where they hold 1×.",
            run_label(b, position + 1),
            run_label(a, 0)
        ),
        footer: context.words("", &[]).footer,
    }
}

fn cautions(a: &RunResult, b: &RunResult, matched: &[Matched<'_>], all: usize) -> Vec<String> {
    let mut cautions = Vec::new();
    let known = !a.fingerprint.hash.is_empty() && !b.fingerprint.hash.is_empty();
    if known && a.fingerprint.hash != b.fingerprint.hash {
        cautions.push("The runs come from different machines.".to_string());
    }
    let settings = different_settings(matched);
    if !settings.is_empty() {
        let names: Vec<&str> = settings.into_iter().collect();
        cautions.push(format!(
            "Besides what is compared, the runs differ in {}.",
            names.join(", ")
        ));
    }
    if matched.is_empty() {
        cautions.push("No setting is in both runs, so nothing can be compared.".to_string());
    } else if matched.len() < all {
        let n = matched.len();
        cautions.push(format!("Only {n} of {all} settings are in both runs."));
    }
    let how = match interleaved(a, b) {
        true => {
            "The runs took turns in pairs, as the sides of a gate do, and are compared pair by \
             pair; `plimsoll gate WORKLOAD --baseline A --candidate B` says whether that is a regression."
        }
        false => {
            "The runs were not interleaved: a machine that drifted between them shows as a \
             difference."
        }
    };
    cautions.push(how.to_string());
    cautions
}

/// Parameters that neither run varies and that have other values in the two.
fn different_settings<'a>(matched: &[Matched<'a>]) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for (_, one, other) in matched {
        let names = one.params.keys().chain(other.params.keys());
        found.extend(
            names
                .filter(|name| one.param(name) != other.param(name))
                .map(String::as_str),
        );
    }
    found
}
