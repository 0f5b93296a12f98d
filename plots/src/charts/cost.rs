//! Broker CPU seconds per gigabyte: the cost that holds still on a noisy
//! machine.

use super::Context;
use super::bars::{Bar, BarChart, MAX_ROWS};
use super::rates::{range, role};
use crate::scene::Scene;
use crate::units::digits;
use plimsoll_results::Metric;

/// Draws the chart; `None` when the broker's CPU was not observed.
pub(super) fn scene(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let colour = sweep.axis("compression").or(sweep.axes.first());
    let mut bars: Vec<Bar> = sweep
        .groups
        .iter()
        .filter_map(|group| {
            let spread = group.spread(Metric::BrokerCpuPerGb)?;
            Some(Bar {
                label: sweep.label(group),
                role: role(group.params, colour),
                value: spread.median,
                range: range(&spread),
                text: format!("{} s", digits(spread.median)),
            })
        })
        .collect();
    bars.sort_by(|a, b| a.value.total_cmp(&b.value));
    let found = bars.len();
    bars.truncate(MAX_ROWS);
    let cut = if found > MAX_ROWS {
        format!(" The {MAX_ROWS} cheapest of {found} settings.")
    } else {
        String::new()
    };
    let lead = format!("Per 10⁹ bytes of keys and values before compression.{cut}");
    let mut words = context.words(&lead, &[]);
    words.title = "Broker CPU seconds per GB".to_string();
    BarChart {
        words,
        across_label: "CPU seconds per GB".to_string(),
        format: digits,
        bars,
    }
    .scene()
}
