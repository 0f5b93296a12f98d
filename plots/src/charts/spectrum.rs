//! The latency percentile spectrum: the whole distribution, with the tail
//! stretched so that each further nine takes the same room.

use super::Context;
use super::lines::{Across, LineChart, Panel, Point, Series, Up};
use crate::page::Tick;
use crate::palette::{Role, series_of};
use crate::scene::Scene;
use crate::sweep::{Axis, named_value};
use crate::units::micros;
use plimsoll_results::stats::Spread;
use plimsoll_results::{Group, value_label};
use serde_json::Value;

const COLOURED_FIRST: [&str; 2] = ["acks", "compression"];

/// Percentiles worth a label.
const LABELLED: [(f64, &str); 8] = [
    (0.0, "min"),
    (50.0, "50 %"),
    (90.0, "90 %"),
    (99.0, "99 %"),
    (99.9, "99.9 %"),
    (99.99, "99.99 %"),
    (99.999, "99.999 %"),
    (99.9999, "99.9999 %"),
];

/// Draws the chart; `None` when no cell kept its spectrum.
pub(super) fn scene(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let roles = sweep.roles(&[], &COLOURED_FIRST);
    let each = |axis: Option<&Axis>| -> Vec<Option<Value>> {
        axis.map_or_else(
            || vec![None],
            |a| a.values.iter().cloned().map(Some).collect(),
        )
    };
    let mut panels = Vec::new();
    for panel in each(roles.panel) {
        let mut series = Vec::new();
        for (i, colour) in each(roles.colour).iter().enumerate() {
            let mut wanted = roles.fixed.clone();
            wanted.extend(roles.panel.zip(panel.as_ref()));
            wanted.extend(roles.colour.zip(colour.as_ref()));
            let Some(group) = sweep.matching(&wanted).into_iter().next() else {
                continue;
            };
            let value = colour.as_ref().map_or_else(String::new, value_label);
            let named = roles.colour.zip(colour.as_ref());
            series.push(Series {
                role: roles
                    .colour
                    .map_or(Role::Series(0), |a| series_of(&a.path, &value, i)),
                label: named.map_or_else(String::new, |(a, v)| named_value(a, v)),
                points: points(group),
            });
        }
        series.retain(|s| !s.points.is_empty());
        let title = roles.panel.zip(panel.as_ref());
        panels.push(Panel {
            title: title.map_or_else(String::new, |(a, v)| named_value(a, v)),
            series,
            stretches: Vec::new(),
        });
    }
    let furthest = panels
        .iter()
        .flat_map(|p| &p.series)
        .filter_map(|s| s.points.last())
        .map(|p| p.x)
        .fold(0.0, f64::max);
    let lead = if sweep.saturating() {
        "Response time under a load as fast as possible: the latency of a full queue."
    } else {
        "Response time, from the intended send time to the acknowledgement."
    };
    let mut bands = Vec::new();
    let floor = context.floor(&mut bands);
    let lead = [Some(lead.to_string()), floor].into_iter().flatten();
    let lead: Vec<String> = lead.collect();
    let mut words = context.words(&lead.join(" "), &roles.fixed);
    words.title = "Latency by percentile".to_string();
    LineChart {
        words,
        across: Across::At(labels(furthest, panels.len())),
        across_label: "percentile".to_string(),
        up: Up::Log,
        up_label: "response time, logarithmic".to_string(),
        up_format: micros,
        dots: false,
        bands,
        panels,
    }
    .scene()
}

/// Narrow panels have no room for every nine.
fn labels(furthest: f64, panels: usize) -> Vec<Tick> {
    LABELLED
        .iter()
        .enumerate()
        .filter(|(i, _)| panels < 3 || i % 2 == 1)
        .map(|(_, (percentile, label))| Tick {
            value: nines(*percentile),
            label: (*label).to_string(),
        })
        .filter(|tick| tick.value <= furthest + 1e-6)
        .collect()
}

/// The number of nines: 0 at the minimum, 1 at 90 %, 2 at 99 %.
fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).max(1e-12).log10()
}

/// The median over repeats at each percentile that every repeat resolves. The
/// 100th has no place on the axis.
fn points(group: &Group<'_>) -> Vec<Point> {
    let spectra: Vec<&[(f64, f64)]> = group
        .valid()
        .filter_map(|cell| cell.latency.response.as_ref())
        .map(|summary| summary.spectrum.as_slice())
        .filter(|spectrum| !spectrum.is_empty())
        .collect();
    let Some((first, rest)) = spectra.split_first() else {
        return Vec::new();
    };
    first
        .iter()
        .filter(|(percentile, us)| *percentile < 100.0 && *us > 0.0)
        .filter_map(|(percentile, us)| {
            let mut values = vec![*us];
            for spectrum in rest {
                values.push(spectrum.iter().find(|p| p.0 == *percentile)?.1);
            }
            let spread = Spread::of(&values)?;
            Some(Point::over(nines(*percentile), &spread))
        })
        .collect()
}
