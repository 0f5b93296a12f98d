//! Response against service: for each cell the 99th percentile from hand-off
//! and from the intended send time, joined by the wait between them.

use super::Context;
use super::bars::MAX_ROWS;
use super::rows::Rows;
use crate::page::{LABEL, Words, page, ticks, x_labels};
use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};
use crate::units::micros;
use plimsoll_results::stats::Spread;
use plimsoll_results::{LatencyKind, Metric};

struct Row {
    label: String,
    service: Spread,
    response: Spread,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.response.median / self.service.median.max(1e-3)
    }
}

/// Draws the chart; `None` without both distributions, and when nothing waits
/// because the load only ever sends when it can.
pub(crate) fn scene(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let mut rows: Vec<Row> = sweep
        .groups
        .iter()
        .filter_map(|group| {
            Some(Row {
                label: sweep.label(group),
                service: group.spread(Metric::P99(LatencyKind::Service))?,
                response: group.spread(Metric::P99(LatencyKind::Response))?,
            })
        })
        .collect();
    let found = rows.len();
    rows.sort_by(|a, b| b.response.median.total_cmp(&a.response.median));
    if found > MAX_ROWS {
        rows.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
        rows.truncate(MAX_ROWS);
    }
    let values: Vec<f64> = rows
        .iter()
        .flat_map(|r| [r.service.min, r.service.max, r.response.min, r.response.max])
        .filter(|v| *v > 0.0)
        .collect();
    if values.is_empty() {
        return None;
    }
    if sweep.saturating() && rows.iter().all(|row| row.ratio() < 1.02) {
        return None;
    }
    let cut = if found > MAX_ROWS {
        format!(" The {MAX_ROWS} widest gaps of {found} cells.")
    } else {
        String::new()
    };
    let lead = format!(
        "99th percentile: ring = service (hand-off to acknowledgement), dot = response (intended \
         send time to acknowledgement). What lies between is waiting to be sent.{cut}"
    );
    let words = Words {
        title: "Response against service time".to_string(),
        ..context.words(&lead, &[])
    };
    Some(draw(&words, &rows, &values))
}

fn draw(words: &Words, rows: &[Row], values: &[f64]) -> Scene {
    let labels = Rows::of(rows.iter().map(|row| row.label.as_str()));
    let (mut scene, body) = page(words, 164.0 + labels.height());
    let frame = Frame {
        left: body.left + labels.label_room() + 14.0,
        top: body.top,
        right: body.right - 84.0,
        bottom: body.top + labels.height() + 4.0,
    };
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    let scale = Scale::log(low, high, frame.left + 8.0, frame.right - 4.0);
    x_labels(&mut scene, frame, &scale, &ticks(&scale, micros), true);
    let head = Text::new(At(frame.right + 10.0, frame.top - 8.0), LABEL, "ratio");
    scene.text(head.paint(Role::Muted));
    for (row, y) in rows.iter().zip(labels.draw(&mut scene, frame)) {
        let (service, response) = (scale.at(row.service.median), scale.at(row.response.median));
        let line = Paint::from(Role::Series(0)).opacity(0.35);
        scene.line(At(service, y), At(response, y), 5.0, line);
        for (spread, role) in [
            (&row.service, Role::Series(6)),
            (&row.response, Role::Series(0)),
        ] {
            if spread.has_width() {
                scene.whisker_across(y, scale.at(spread.min), scale.at(spread.max), role);
            }
        }
        scene.ring(At(service, y), 5.0, Role::Series(6));
        scene.dot(At(response, y), 5.0, Role::Series(0));
        let ratio = row.ratio();
        let text = if ratio < 1.005 {
            "no wait".to_string()
        } else {
            format!("× {}", crate::units::digits(ratio))
        };
        scene.text(Text::new(At(frame.right + 10.0, y), LABEL, text));
    }
    let at = At(frame.middle().0, frame.bottom + 34.0);
    let label = Text::new(at, LABEL, "99th percentile, logarithmic").align(Align::Middle);
    scene.text(label.paint(Role::Muted));
    scene
}
