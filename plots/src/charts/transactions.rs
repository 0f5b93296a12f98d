//! What transactions leave of the throughput without them, with the document's
//! claim as a band.

use super::Context;
use super::forest::{Band, Forest, Row};
use crate::effects::{Change, ratio};
use crate::scene::Scene;
use plimsoll_results::{Metric, value_label};

/// What the document says they leave (B3): they cost 20 to 30 %.
const CLAIMED: (f64, f64) = (0.7, 0.8);

/// Draws the chart; `None` without runs both with and without transactions.
pub(super) fn scene(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let mut axes = sweep.axes.iter();
    let axis = axes.find(|axis| axis.path == "transactions.records")?;
    let from = axis.values.iter().find(|v| value_label(v) == "none")?;
    let rows: Vec<Row> = axis
        .values
        .iter()
        .filter(|to| *to != from)
        .filter_map(|to| {
            Some(Row {
                label: format!("{} records each", value_label(to)),
                ratio: ratio(sweep, Change { axis, from, to }, Metric::RecordsPerSecond)?,
            })
        })
        .collect();
    let lead = "All else equal; where a rate was given, what was carried of it.";
    let mut words = context.words(lead, &[]);
    words.title = "Throughput with transactions, against plain".to_string();
    Forest {
        words,
        across_label: "throughput with transactions ÷ without".to_string(),
        rows,
        band: Some(Band {
            low: CLAIMED.0,
            high: CLAIMED.1,
            label: "document's range",
        }),
    }
    .scene()
}
