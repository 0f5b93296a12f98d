//! What is kept of a run for comparison over weeks, and what moved since.
//!
//! An entry is a few numbers for each setting. Entries become tracks: one
//! metric of one setting of one workload on one machine, in the order of time.
//! Machines are told apart by their fingerprint and never mixed.

use crate::change_points::{ChangePoint, Sensitivity, change_points};
use crate::judge::Direction;
use crate::weigh::Unit;
use plimsoll_results::{
    Group, LatencyKind, Metric, RunResult, groups, params_label, varied_params,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the layout of [`Entry`].
pub const SCHEMA_VERSION: u32 = 1;

/// One run, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The workload.
    pub name: String,
    /// When the run began, RFC 3339 in UTC.
    pub started_at: String,
    /// The git revision that was measured, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The machine's hash.
    pub machine: String,
    /// The machine in words.
    pub machine_text: String,
    /// Each setting that has a valid run.
    pub settings: Vec<Setting>,
}

/// One setting of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// What it varies, as `acks=all compression=lz4`; empty for the only one.
    pub label: String,
    /// Valid repeats.
    pub repeats: usize,
    /// Medians by the metric's name.
    pub medians: BTreeMap<String, f64>,
}

/// A metric that is kept.
struct Kept {
    name: &'static str,
    metric: Metric,
    unit: Unit,
    direction: Direction,
}

const KEPT: [Kept; 5] = [
    Kept {
        name: "throughput",
        metric: Metric::RecordsPerSecond,
        unit: Unit::RecordsPerSecond,
        direction: Direction::LowerIsWorse,
    },
    Kept {
        name: "p50",
        metric: Metric::P50(LatencyKind::Response),
        unit: Unit::Micros,
        direction: Direction::HigherIsWorse,
    },
    Kept {
        name: "p99",
        metric: Metric::P99(LatencyKind::Response),
        unit: Unit::Micros,
        direction: Direction::HigherIsWorse,
    },
    Kept {
        name: "broker_cpu",
        metric: Metric::BrokerCpuPerGb,
        unit: Unit::CpuSecondsPerGb,
        direction: Direction::HigherIsWorse,
    },
    Kept {
        name: "broker_memory",
        metric: Metric::BrokerMemory,
        unit: Unit::Bytes,
        direction: Direction::HigherIsWorse,
    },
];

impl Entry {
    /// What is kept of a run; `None` when no run of it is valid.
    pub fn of(run: &RunResult) -> Option<Self> {
        let varied = match run.varied.is_empty() {
            true => varied_params(&run.cells),
            false => run.varied.clone(),
        };
        let settings: Vec<Setting> = groups(&run.cells)
            .iter()
            .filter(|group| group.valid().next().is_some())
            .map(|group| setting(group, &varied))
            .collect();
        let machine = &run.fingerprint;
        (!settings.is_empty()).then(|| Self {
            schema_version: SCHEMA_VERSION,
            name: run.name.clone(),
            started_at: run.started_at.clone(),
            revision: machine.git_revision.clone(),
            machine: machine.hash.clone(),
            machine_text: format!(
                "{}, {} cores, kernel {}",
                machine.cpu_model, machine.logical_cores, machine.kernel
            ),
            settings,
        })
    }

    /// A file name that two runs do not share and that sorts by time.
    pub fn file_name(&self) -> String {
        let digits = self.started_at.chars().filter(char::is_ascii_alphanumeric);
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = self.name.chars().map(|c| if fits(c) { c } else { '-' });
        let machine = self.machine.get(..8).unwrap_or(&self.machine);
        format!(
            "{}-{}-{machine}.json",
            digits.collect::<String>(),
            name.collect::<String>()
        )
    }
}

fn setting(group: &Group<'_>, varied: &[String]) -> Setting {
    let median = |kept: &Kept| {
        let spread = group.spread(kept.metric)?;
        Some((kept.name.to_owned(), spread.median))
    };
    Setting {
        label: params_label(group.params, varied),
        repeats: group.valid().count(),
        medians: KEPT.iter().filter_map(median).collect(),
    }
}

/// One metric of one setting on one machine over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Track {
    /// The workload.
    pub name: String,
    /// The machine's hash.
    pub machine: String,
    /// The machine in words.
    pub machine_text: String,
    /// The setting; empty for the only one.
    pub setting: String,
    /// The metric.
    pub metric: String,
    /// How it is counted.
    pub unit: Unit,
    /// Which way is worse.
    pub direction: Direction,
    /// In the order of time.
    pub points: Vec<Point>,
    /// Where its level moved: indexes of [`Track::points`].
    pub changes: Vec<ChangePoint>,
}

/// One run in a track.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// When it began.
    pub started_at: String,
    /// What was measured, where it is known.
    pub revision: Option<String>,
    /// The median.
    pub value: f64,
}

/// The tracks of all entries, with their change points; machines, workloads,
/// settings and metrics each in a steady order.
pub fn tracks(entries: &[Entry], sensitivity: &Sensitivity) -> Vec<Track> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| a.started_at.cmp(&b.started_at));
    let mut found: BTreeMap<(&str, &str, &str, usize), Track> = BTreeMap::new();
    for entry in sorted {
        for setting in &entry.settings {
            for (place, kept) in KEPT.iter().enumerate() {
                let Some(value) = setting.medians.get(kept.name).filter(|v| v.is_finite()) else {
                    continue;
                };
                let key = (
                    entry.machine.as_str(),
                    entry.name.as_str(),
                    setting.label.as_str(),
                    place,
                );
                let track = found
                    .entry(key)
                    .or_insert_with(|| track(entry, setting, kept));
                track.points.push(Point {
                    started_at: entry.started_at.clone(),
                    revision: entry.revision.clone(),
                    value: *value,
                });
            }
        }
    }
    let mut tracks: Vec<Track> = found.into_values().collect();
    for track in &mut tracks {
        let series: Vec<f64> = track.points.iter().map(|point| point.value).collect();
        track.changes = change_points(&series, sensitivity);
    }
    tracks
}

fn track(entry: &Entry, setting: &Setting, kept: &Kept) -> Track {
    Track {
        name: entry.name.clone(),
        machine: entry.machine.clone(),
        machine_text: entry.machine_text.clone(),
        setting: setting.label.clone(),
        metric: kept.name.to_owned(),
        unit: kept.unit,
        direction: kept.direction,
        points: Vec::new(),
        changes: Vec::new(),
    }
}

impl Track {
    /// Whether a change made things worse.
    pub fn is_worse(&self, change: &ChangePoint) -> bool {
        match self.direction {
            Direction::HigherIsWorse => change.after > change.before,
            Direction::LowerIsWorse => change.after < change.before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_results::CellResult;

    /// A run at `day` on `machine` that carries `rate`.
    fn run(day: usize, machine: &str, rate: f64) -> RunResult {
        let mut run = RunResult {
            name: "gate: this".to_owned(),
            started_at: format!("2026-01-{day:02}T00:00:00Z"),
            cells: vec![CellResult {
                valid: true,
                ..CellResult::default()
            }],
            ..RunResult::default()
        };
        run.cells[0].throughput.records_per_s = rate;
        run.fingerprint.hash = machine.to_owned();
        run.fingerprint.git_revision = Some(format!("{day:040}"));
        run
    }

    fn entry(day: usize, machine: &str, rate: f64) -> Entry {
        Entry::of(&run(day, machine, rate)).expect("a valid run")
    }

    #[test]
    fn machines_are_not_mixed_and_a_fall_is_found_where_it_happened() {
        let noise = |day: usize| 1.0 + 0.01 * ((day * 7 % 5) as f64 - 2.0);
        let level = |day: usize| if day < 15 { 100.0 } else { 80.0 };
        let here = (1..=28)
            .rev()
            .map(|day| entry(day, "here", level(day) * noise(day)));
        let there = (1..=28).map(|day| entry(day, "there", 1_000.0 * noise(day)));
        let all: Vec<Entry> = here.chain(there).collect();
        let tracks = tracks(&all, &Sensitivity::default());
        let of = |machine: &str| {
            let found = tracks
                .iter()
                .find(|t| t.machine == machine && t.metric == "throughput");
            found.expect("a track")
        };
        assert_eq!(of("here").points.len(), 28);
        assert_eq!(of("there").changes, []);
        let [change] = of("here").changes[..] else {
            panic!("{:?}", of("here").changes);
        };
        assert_eq!(
            of("here").points[change.index].started_at,
            "2026-01-15T00:00:00Z"
        );
        assert!(of("here").is_worse(&change));
    }

    #[test]
    fn invalid_runs_are_not_kept_and_names_are_files() {
        let mut invalid = run(1, "here", 1.0);
        invalid.cells[0].valid = false;
        assert_eq!(Entry::of(&invalid), None);
        let name = entry(1, "0123456789abcdef", 1.0).file_name();
        assert_eq!(name, "20260101T000000Z-gate--this-01234567.json");
    }
}
