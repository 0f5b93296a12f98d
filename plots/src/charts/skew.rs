//! How unevenly records fell on partitions: each partition's share, from the
//! fullest to the emptiest, against an even share.

use super::Context;
use super::lines::{Across, LineChart, Panel, Point, Series, Up};
use crate::palette::Role;
use crate::scene::Scene;
use crate::units::digits;
use plimsoll_results::stats::Spread;
use plimsoll_results::{CellResult, Group};

/// Settings that one chart shows.
const SETTINGS_MAX: usize = 6;

/// Draws the chart; `None` when no setting has records on two partitions or
/// more.
pub(super) fn scene(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let mut series: Vec<(f64, Series)> = Vec::new();
    for group in &sweep.groups {
        let points = points(group);
        if let Some(fullest) = points.first() {
            let label = sweep.label(group);
            let role = Role::Series(series.len());
            series.push((
                fullest.y,
                Series {
                    label,
                    role,
                    points,
                },
            ));
        }
    }
    if series.is_empty() {
        return None;
    }
    series.sort_by(|a, b| b.0.total_cmp(&a.0));
    let shown = series.len().min(SETTINGS_MAX);
    let lead = match shown < series.len() {
        true => format!("The {shown} most uneven of {} settings.", series.len()),
        false => String::new(),
    };
    series.truncate(SETTINGS_MAX);
    let mut words = context.words(&lead, &[]);
    words.title = "Records by partition, against an even share".to_string();
    LineChart {
        words,
        across: Across::Round,
        across_label: "partitions, the fullest first".to_string(),
        up: Up::FromZero,
        up_label: "times an even share".to_string(),
        up_format: |share| format!("{}×", digits(share)),
        dots: false,
        bands: Vec::new(),
        panels: vec![Panel {
            title: String::new(),
            series: series.into_iter().map(|(_, series)| series).collect(),
            stretches: Vec::new(),
        }],
    }
    .scene()
}

/// Over the repeats, what the fullest partition has, the second fullest, …
fn points(group: &Group<'_>) -> Vec<Point> {
    let repeats: Vec<Vec<f64>> = group.valid().filter_map(shares).collect();
    let partitions = repeats.iter().map(Vec::len).min().unwrap_or(0);
    (0..partitions)
        .filter_map(|rank| {
            let values: Vec<f64> = repeats.iter().map(|shares| shares[rank]).collect();
            let spread = Spread::of(&values)?;
            Some(Point::over((rank + 1) as f64, &spread))
        })
        .collect()
}

/// Each partition's records as a multiple of an even share, the fullest first.
fn shares(cell: &CellResult) -> Option<Vec<f64>> {
    let records = &cell.partition_records;
    let total: u64 = records.iter().sum();
    if records.len() < 2 || total == 0 {
        return None;
    }
    let even = total as f64 / records.len() as f64;
    let mut shares: Vec<f64> = records.iter().map(|count| *count as f64 / even).collect();
    shares.sort_by(|a, b| b.total_cmp(a));
    Some(shares)
}
