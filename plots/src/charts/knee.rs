//! Latency against rate, up to the knee: every rate that the searches tried, with
//! the objective, and the interval in which the answer lies.
//!
//! A search ends with rates that lie close together, of which some failed and some
//! were held. A line through all of them would be a fence of spikes: it joins what
//! was held, and goes on to the first rate above that failed.

use super::Context;
use super::bands::{Band, Edges};
use super::lines::{Across, LineChart, Panel, Point, Series, Up};
use crate::page::Words;
use crate::palette::Role;
use crate::scene::Scene;
use crate::units::{micros, si};
use plimsoll_results::stats::Spread;
use plimsoll_results::{CellResult, Group, Search};

/// Settings that one chart shows.
const SETTINGS_MAX: usize = 6;

/// Draws the chart; `None` where no rate was searched for.
pub(super) fn scene(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let found: Vec<(&Group<'_>, Vec<&Search>)> = sweep
        .groups
        .iter()
        .map(|group| (group, searches(group).collect()))
        .filter(|(_, searches): &(_, Vec<_>)| !searches.is_empty())
        .collect();
    let shown = found.get(..SETTINGS_MAX).unwrap_or(&found);
    let mut series = Vec::new();
    for (at, (group, searches)) in shown.iter().enumerate() {
        let label = match found.len() {
            1 => String::new(),
            _ => sweep.label(group),
        };
        for (repeat, search) in searches.iter().enumerate() {
            let (points, beside) = curve(probes(search));
            series.extend(beside.into_iter().map(|point| Series {
                label: String::new(),
                role: Role::Series(at),
                points: vec![point],
            }));
            if points.is_empty() {
                continue;
            }
            // One name for all repeats of a setting, at the last.
            let label = if repeat + 1 == searches.len() {
                &label
            } else {
                ""
            };
            series.push(Series {
                label: label.to_string(),
                role: Role::Series(at),
                points,
            });
        }
    }
    let searches: Vec<&Search> = shown.iter().flat_map(|(_, all)| all).copied().collect();
    let mut lead: Vec<String> = context.caveat.map(str::to_string).into_iter().collect();
    lead.push(
        "A line for each search, through the rates that it held to the first that failed; a dot \
         for every rate it tried, a ring where that failed. Its samples are in no other chart."
            .to_string(),
    );
    if shown.len() < found.len() {
        lead.push(format!("{SETTINGS_MAX} of {} settings.", found.len()));
    }
    let mut bands = Vec::new();
    if let Some(objective) = common(searches.iter().map(|search| search.objective_us)) {
        lead.push(format!(
            "Tinted above the objective, {},",
            micros(objective)
        ));
        bands.push(Band {
            shown: true,
            ..Band::claim(Edges::Level(objective, f64::INFINITY))
        });
        let answer = answer(&searches).filter(|_| shown.len() == 1);
        match answer {
            Some((low, high)) => {
                lead.push(format!(
                    "and where the maximum lies, {} to {} records/s.",
                    si(low),
                    si(high)
                ));
                bands.push(Band {
                    role: Role::Series(2),
                    ..Band::claim(Edges::Across(low, high))
                });
            }
            None => {
                let told = lead.last_mut()?;
                told.pop();
                told.push('.');
            }
        }
    }
    lead.extend(context.floor(&mut bands));
    let words = Words {
        title: "Latency against rate, up to the knee".to_string(),
        subtitle: lead.join(" "),
        ..context.words("", &[])
    };
    LineChart {
        words,
        across: Across::Log(si),
        across_label: "offered records/s, logarithmic".to_string(),
        up: Up::Log,
        up_label: "p99 response, logarithmic".to_string(),
        up_format: micros,
        dots: true,
        bands,
        panels: vec![Panel {
            title: String::new(),
            series,
            stretches: Vec::new(),
        }],
    }
    .scene()
}

fn searches<'g>(group: &'g Group<'_>) -> impl Iterator<Item = &'g Search> {
    let of = |cell: &'g CellResult| cell.search.as_ref();
    group.valid().filter_map(of)
}

/// Rates closer than this are one, of which the last try counts.
const SAME: f64 = 0.01;

/// The points of a search that its line joins, from low to high, and those that
/// stand beside it; `probes` are in the order in which they were tried.
fn curve(probes: Vec<Point>) -> (Vec<Point>, Vec<Point>) {
    let (failed, held): (Vec<Point>, Vec<Point>) =
        probes.into_iter().partition(|point| point.failed);
    let (mut line, mut beside): (Vec<Point>, Vec<Point>) = (Vec::new(), Vec::new());
    for point in held {
        let same = |other: &Point| (other.x / point.x - 1.0).abs() < SAME;
        beside.extend(line.extract_if(.., |other| same(other)));
        line.push(point);
    }
    line.sort_by(|a, b| a.x.total_cmp(&b.x));
    let limit = line.last().map_or(0.0, |point| point.x);
    let above = failed.iter().filter(|point| point.x > limit);
    let knee = above
        .min_by(|a, b| a.x.total_cmp(&b.x))
        .map(|point| point.x);
    for point in failed {
        match knee == Some(point.x) && line.last().is_none_or(|last| last.x < point.x) {
            true => line.push(point),
            false => beside.push(point),
        }
    }
    (line, beside)
}

/// The rates tried, in that order; those at which nothing was acknowledged have no
/// latency and no place.
fn probes(search: &Search) -> Vec<Point> {
    let probes = search.probes.iter();
    probes
        .filter_map(|probe| {
            Some(Point {
                x: probe.records_per_s,
                y: probe.p99_us.filter(|p99| *p99 > 0.0)?,
                range: None,
                failed: !probe.failed.is_empty(),
            })
        })
        .filter(|point| point.x > 0.0)
        .collect()
}

/// The interval that holds the maximum: from the lowest that was held to the
/// highest that failed.
fn answer(searches: &[&Search]) -> Option<(f64, f64)> {
    let held = searches.iter().filter(|search| search.confirmed);
    let held: Vec<f64> = held.map(|search| search.records_per_s).collect();
    let failed: Vec<f64> = searches.iter().filter_map(|s| s.failed_at).collect();
    let (held, failed) = (Spread::of(&held)?, Spread::of(&failed)?);
    (failed.max > held.min).then_some((held.min, failed.max))
}

/// The value that all share.
fn common(mut values: impl Iterator<Item = f64>) -> Option<f64> {
    let first = values.next()?;
    let same = values.all(|value| value == first);
    (same && first > 0.0).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_joins_what_was_held_up_to_the_first_rate_that_failed() {
        let point = |(x, y, failed): (f64, f64, bool)| Point {
            x,
            y,
            range: None,
            failed,
        };
        let tried = [
            (20.0, 1.0, false),
            (40.0, 2.0, false),
            (80.0, 900.0, true),
            (60.0, 30.0, true),
            (50.0, 3.0, false),
            (55.0, 60.0, true),
            (50.1, 4.0, false),
            (45.0, 80.0, true),
        ];
        let (line, beside) = curve(tried.map(point).to_vec());
        let at = |points: &[Point]| points.iter().map(|p| (p.x, p.y)).collect::<Vec<_>>();
        assert_eq!(
            at(&line),
            [(20.0, 1.0), (40.0, 2.0), (50.1, 4.0), (55.0, 60.0)]
        );
        assert_eq!(
            at(&beside),
            [(50.0, 3.0), (80.0, 900.0), (60.0, 30.0), (45.0, 80.0)]
        );
        let (line, beside) = curve(vec![point((20.0, 1.0, true)), point((10.0, 1.0, true))]);
        assert_eq!(
            (at(&line), at(&beside)),
            (vec![(10.0, 1.0)], vec![(20.0, 1.0)])
        );
    }
}
