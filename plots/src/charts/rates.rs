//! Throughput over a numeric parameter, and latency over the offered rate.

use super::Context;
use super::bands::{Band, Edges};
use super::bars::{Bar, BarChart, MAX_ROWS};
use super::lines::{Across, LineChart, Panel, Point, Series, Up};
use crate::page::Tick;
use crate::palette::{Role, series_of};
use crate::scene::Scene;
use crate::sweep::{Axis, Sweep, named_value};
use crate::units::{micros, si};
use plimsoll_results::stats::Spread;
use plimsoll_results::{LatencyKind, Metric, value_label};
use serde_json::Value;

/// What the document gives a partition (P4), in records a second.
const CLAIMED: (f64, f64) = (10e3, 50e3);

const COLOURED_FIRST: [&str; 2] = ["compression", "acks"];

/// Records per second by partitions or, without them, by the first numeric
/// parameter; bars when nothing numeric varies.
pub(super) fn throughput(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let numeric = |axis: &&Axis| axis.numbers().is_some() && axis.short() != "acks";
    let axis = sweep
        .axis("partitions")
        .or_else(|| sweep.axes.iter().find(numeric));
    match axis.and_then(|axis| Some((axis, axis.numbers()?))) {
        Some((axis, _)) => by_axis(context, axis, Metric::RecordsPerSecond),
        None => as_bars(context),
    }
}

/// 99th percentile by offered rate.
pub(super) fn latency(context: &Context<'_>) -> Option<Scene> {
    let axis = context.sweep.axis("rate")?;
    axis.numbers()?;
    by_axis(context, axis, Metric::P99(LatencyKind::Response))
}

fn by_axis(context: &Context<'_>, axis: &Axis, metric: Metric) -> Option<Scene> {
    let sweep = &context.sweep;
    let roles = sweep.roles(&[axis], &COLOURED_FIRST);
    let ticks = axis
        .values
        .iter()
        .zip(axis.numbers()?)
        .map(|(label, value)| Tick {
            value,
            label: value_label(label),
        })
        .collect();
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
            let label = colour.as_ref().map_or_else(String::new, value_label);
            series.push(Series {
                role: roles
                    .colour
                    .map_or(Role::Series(0), |a| series_of(&a.path, &label, i)),
                label: roles
                    .colour
                    .zip(colour.as_ref())
                    .map_or_else(String::new, |(axis, value)| series_label(axis, value)),
                points: points(sweep, axis, &wanted, metric),
            });
        }
        series.retain(|s| !s.points.is_empty());
        let title = roles.panel.zip(panel.as_ref());
        panels.push(Panel {
            title: title.map_or_else(String::new, |(axis, value)| named_value(axis, value)),
            series,
            stretches: Vec::new(),
        });
    }
    let (shown, up_label, up, up_format): (_, _, _, fn(f64) -> String) = match metric {
        Metric::RecordsPerSecond => ("Throughput", "records/s", Up::FromZero, si),
        _ => ("Response time p99", "p99, logarithmic", Up::Log, micros),
    };
    let (bands, lead) = bands(context, axis, metric);
    let mut words = context.words(&lead, &roles.fixed);
    words.title = format!("{shown} by {}", axis.label());
    LineChart {
        words,
        across: Across::At(ticks),
        across_label: axis.label(),
        up,
        up_label: up_label.to_string(),
        up_format,
        dots: true,
        bands,
        panels,
    }
    .scene()
}

/// What lies behind the lines, and a sentence about it.
fn bands(context: &Context<'_>, axis: &Axis, metric: Metric) -> (Vec<Band>, String) {
    let mut bands = Vec::new();
    let told = match metric {
        Metric::RecordsPerSecond if axis.short() == "partitions" => {
            bands.push(Band::claim(Edges::PerX(CLAIMED.0, CLAIMED.1)));
            Some("Tinted: the document's 10K to 50K records/s a partition (P4).".to_string())
        }
        Metric::RecordsPerSecond => None,
        _ => context.floor(&mut bands),
    };
    (bands, told.unwrap_or_default())
}

/// A codec names itself; other values need their parameter.
fn series_label(axis: &Axis, value: &Value) -> String {
    match axis.short() {
        "compression" => value_label(value),
        _ => named_value(axis, value),
    }
}

fn points(
    sweep: &Sweep<'_>,
    axis: &Axis,
    wanted: &[(&Axis, &Value)],
    metric: Metric,
) -> Vec<Point> {
    let mut points: Vec<Point> = sweep
        .matching(wanted)
        .into_iter()
        .filter_map(|group| {
            let spread = group.spread(metric)?;
            Some(Point::over(
                crate::sweep::number(group.param(&axis.path)?)?,
                &spread,
            ))
        })
        .collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points
}

pub(super) fn range(spread: &Spread) -> Option<(f64, f64)> {
    spread.has_width().then_some((spread.min, spread.max))
}

fn as_bars(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    if sweep.groups.len() < 2 {
        return None;
    }
    let colour = sweep.axis("compression").or(sweep.axes.first());
    let mut bars: Vec<Bar> = sweep
        .groups
        .iter()
        .filter_map(|group| {
            let spread = group.spread(Metric::RecordsPerSecond)?;
            Some(Bar {
                label: sweep.label(group),
                role: role(group.params, colour),
                value: spread.median,
                range: range(&spread),
                text: si(spread.median),
            })
        })
        .collect();
    bars.sort_by(|a, b| b.value.total_cmp(&a.value));
    let found = bars.len();
    bars.truncate(MAX_ROWS);
    let lead = if found > MAX_ROWS {
        format!("The {MAX_ROWS} fastest of {found} settings.")
    } else {
        String::new()
    };
    let mut words = context.words(&lead, &[]);
    words.title = "Throughput".to_string();
    BarChart {
        words,
        across_label: "records/s".to_string(),
        format: si,
        bars,
    }
    .scene()
}

/// The colour of a group by one of its parameters.
pub(super) fn role(params: &plimsoll_results::Params, colour: Option<&Axis>) -> Role {
    colour
        .and_then(|axis| Some((axis, params.get(&axis.path)?)))
        .map_or(Role::Series(0), |(axis, value)| {
            series_of(&axis.path, &value_label(value), axis.position(value))
        })
}
