//! Latency over time: whether a cell was steady or had a bad moment.

use super::Context;
use super::lines::{Across, LineChart, Panel, Point, Series, Up};
use crate::palette::Role;
use crate::scene::Scene;
use crate::sweep::{Axis, named_value};
use crate::units::micros;
use plimsoll_results::stats::Spread;
use plimsoll_results::{Group, Second};
use std::collections::BTreeMap;

/// Shorter timelines are not worth a chart.
const FEWEST_SECONDS: usize = 3;

/// Draws the chart; `None` when the cells kept no timeline.
pub(super) fn scene(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let panel_axis = ["acks", "compression"]
        .iter()
        .find_map(|name| sweep.axis(name))
        .or(sweep.axes.first())
        .filter(|axis| axis.values.len() <= 3);
    let best = sweep.highest(plimsoll_results::Metric::RecordsPerSecond)?;
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
                    panels.push(panel(group, named_value(axis, value)));
                }
            }
        }
        None => panels.push(panel(best, String::new())),
    }
    panels.retain(|panel| {
        let mut series = panel.series.iter();
        series.any(|s| s.points.len() >= FEWEST_SECONDS)
    });
    let lead = "Response time of the records acknowledged in each second of the window.";
    let mut words = context.words(lead, &fixed);
    words.title = "Latency over time".to_string();
    LineChart {
        words,
        across: Across::Round,
        across_label: "seconds since the window began".to_string(),
        up: Up::Log,
        up_label: "response time, logarithmic".to_string(),
        up_format: micros,
        dots: false,
        panels,
    }
    .scene()
}

fn panel(group: &Group<'_>, title: String) -> Panel {
    let series = [
        ("p50", Role::Series(0), p50 as fn(&Second) -> Option<f64>),
        ("p99", Role::Series(1), p99),
        ("max", Role::Series(6), max),
    ];
    Panel {
        title,
        series: series
            .into_iter()
            .map(|(label, role, value)| Series {
                label: label.to_string(),
                role,
                points: points(group, value),
            })
            .filter(|s| !s.points.is_empty())
            .collect(),
    }
}

fn p50(second: &Second) -> Option<f64> {
    second.p50_us
}

fn p99(second: &Second) -> Option<f64> {
    second.p99_us
}

fn max(second: &Second) -> Option<f64> {
    second.max_us
}

fn points(group: &Group<'_>, value: fn(&Second) -> Option<f64>) -> Vec<Point> {
    let mut by_second: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for second in group.valid().flat_map(|cell| &cell.timeline) {
        if let Some(us) = value(second).filter(|us| *us > 0.0) {
            by_second.entry(second.second).or_default().push(us);
        }
    }
    by_second
        .into_iter()
        .filter_map(|(second, values)| {
            let spread = Spread::of(&values)?;
            Some(Point {
                x: f64::from(second),
                y: spread.median,
                range: super::rates::range(&spread),
            })
        })
        .collect()
}
