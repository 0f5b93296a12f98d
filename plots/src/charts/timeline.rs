//! Quantities over the seconds of the window: whether a cell was steady, fell
//! behind or had a bad moment. The fastest setting is shown, with a panel for
//! each value of acks, or of the parameter next in line. Faults that the workload
//! caused are shaded.

use super::Context;
use super::bands::{Band, Edges};
use super::lines::{Across, LineChart, Panel, Point, Series, Stretch, Up};
use crate::palette::Role;
use crate::scene::Scene;
use crate::sweep::{Axis, named_value};
use crate::units::{bytes, digits, micros, si};
use plimsoll_results::stats::Spread;
use plimsoll_results::{Fault, Group, Metric, Second};
use std::collections::BTreeMap;

/// Shorter timelines are not worth a chart.
const FEWEST_SECONDS: usize = 3;

type Value = fn(&Second) -> Option<f64>;

/// One chart over time.
pub(super) struct Timeline {
    title: &'static str,
    lead: &'static str,
    up: Up,
    up_label: &'static str,
    format: fn(f64) -> String,
    series: &'static [(&'static str, Role, Value)],
    /// What the document says of the quantity, and how a reader is told.
    claim: Option<(Edges, &'static str)>,
}

/// Response time.
pub(super) const LATENCY: Timeline = Timeline {
    title: "Latency over time",
    lead: "Response time of the records acknowledged in each second of the window.",
    up: Up::Log,
    up_label: "response time, logarithmic",
    format: micros,
    series: &[
        ("p50", Role::Series(0), |s| s.p50_us),
        ("p99", Role::Series(1), |s| s.p99_us),
        ("max", Role::Series(6), |s| s.max_us),
    ],
    claim: None,
};

/// Records in and out.
pub(super) const FLOW: Timeline = Timeline {
    title: "Throughput over time",
    lead: "Records acknowledged and consumed in each second of the window.",
    up: Up::FromZero,
    up_label: "records/s",
    format: si,
    series: &[
        ("acknowledged", Role::Series(0), |s| Some(s.records as f64)),
        ("consumed", Role::Series(2), |s| Some(s.consumed? as f64)),
    ],
    claim: None,
};

/// Records that consumers still have to read.
pub(super) const LAG: Timeline = Timeline {
    title: "Consumer lag over time",
    lead: "Records acknowledged and not yet consumed at the end of each second.",
    up: Up::FromZero,
    up_label: "records",
    format: si,
    series: &[("lag", Role::Series(3), |s| Some(s.lag_records? as f64))],
    claim: Some((
        Edges::Level(10e3, f64::INFINITY),
        "Tinted where the document alerts, above 10K records (C2).",
    )),
};

/// Bytes of the topic's files.
pub(super) const DISK: Timeline = Timeline {
    title: "Bytes on disk over time",
    lead: "Bytes of the topic's files, all replicas, at the end of each second.",
    up: Up::FromZero,
    up_label: "bytes",
    format: bytes,
    series: &[("on disk", Role::Series(5), |s| Some(s.disk_bytes? as f64))],
    claim: None,
};

/// Cores in use.
pub(super) const CPU: Timeline = Timeline {
    title: "CPU over time",
    lead: "Cores that broker and client kept busy in each second of the window.",
    up: Up::FromZero,
    up_label: "cores",
    format: digits,
    series: &[
        ("broker", Role::Series(0), |s| s.broker_cpu_cores),
        ("client", Role::Series(4), |s| s.client_cpu_cores),
    ],
    claim: None,
};

impl Timeline {
    /// Draws the chart; `None` when the cells kept no such timeline.
    pub(super) fn scene(&self, context: &Context<'_>) -> Option<Scene> {
        let sweep = &context.sweep;
        let panel_axis = ["acks", "compression"]
            .iter()
            .find_map(|name| sweep.axis(name))
            .or(sweep.axes.first())
            .filter(|axis| axis.values.len() <= 3);
        let best = sweep.highest(Metric::RecordsPerSecond)?;
        let fixed: Vec<(&Axis, &serde_json::Value)> = sweep
            .axes
            .iter()
            .filter(|axis| panel_axis.is_none_or(|p| p.path != axis.path))
            .filter_map(|axis| Some((axis, best.param(&axis.path)?)))
            .collect();
        let mut panels = Vec::new();
        match panel_axis {
            Some(axis) => {
                for value in &axis.values {
                    let mut wanted = fixed.clone();
                    wanted.push((axis, value));
                    if let Some(group) = sweep.matching(&wanted).first() {
                        panels.push(self.panel(group, named_value(axis, value)));
                    }
                }
            }
            None => panels.push(self.panel(best, String::new())),
        }
        panels.retain(|panel| {
            let mut series = panel.series.iter();
            series.any(|s| s.points.len() >= FEWEST_SECONDS)
        });
        let claim = self.claim;
        let lead = [Some(self.lead), claim.map(|(_, told)| told)];
        let lead: Vec<&str> = lead.into_iter().flatten().collect();
        let mut words = context.words(&lead.join(" "), &fixed);
        words.title = self.title.to_string();
        LineChart {
            words,
            across: Across::Round,
            across_label: "seconds since the window began".to_string(),
            up: self.up,
            up_label: self.up_label.to_string(),
            up_format: self.format,
            dots: false,
            bands: claim
                .map(|(edges, _)| Band::claim(edges))
                .into_iter()
                .collect(),
            panels,
        }
        .scene()
    }

    fn panel(&self, group: &Group<'_>, title: String) -> Panel {
        let series = self.series.iter().map(|(label, role, value)| Series {
            label: (*label).to_string(),
            role: *role,
            points: points(group, *value),
        });
        Panel {
            title,
            series: series.filter(|s| !s.points.is_empty()).collect(),
            stretches: stretches(group),
        }
    }
}

/// The faults that were caused in every repeat, at their median times.
fn stretches(group: &Group<'_>) -> Vec<Stretch> {
    let runs: Vec<&[Fault]> = group.valid().map(|cell| cell.faults.as_slice()).collect();
    let first = runs.first().copied().unwrap_or_default();
    let stretch = |(at, fault): (usize, &Fault)| {
        let same = runs.iter().filter_map(|faults| faults.get(at));
        let same: Vec<&Fault> = same.filter(|other| other.what == fault.what).collect();
        let median = |times: Vec<f64>| Spread::of(&times).map(|spread| spread.median);
        Some(Stretch {
            label: fault.what.clone(),
            from: median(same.iter().map(|fault| fault.from_s).collect())?,
            to: median(same.iter().filter_map(|fault| fault.to_s).collect()),
        })
    };
    first.iter().enumerate().filter_map(stretch).collect()
}

fn points(group: &Group<'_>, value: Value) -> Vec<Point> {
    let mut by_second: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for second in group.valid().flat_map(|cell| &cell.timeline) {
        if let Some(value) = value(second).filter(|v| v.is_finite()) {
            by_second.entry(second.second).or_default().push(value);
        }
    }
    by_second
        .into_iter()
        .filter_map(|(second, values)| {
            let spread = Spread::of(&values)?;
            Some(Point::over(f64::from(second), &spread))
        })
        .collect()
}
