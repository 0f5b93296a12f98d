//! Throughput by partitions with the Universal Scalability Law fitted to every
//! run, and the range that the document gives a partition.
//!
//! Drawn for the fastest setting, and only where there are runs enough for a
//! fit; without one the throughput chart has to do.

use super::Context;
use crate::page::{
    HEIGHT, LABEL, Label, baseline, direct_labels, label_room, page, ticks, x_labels, y_grid,
};
use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};
use crate::sweep::{Axis, number};
use crate::units::{bytes_rate, digits, percent};
use plimsoll_results::Metric;
use plimsoll_results::scaling::{Fit, Sample};
use serde_json::Value;

/// What the document gives a partition (P3), in bytes a second.
const CLAIMED: (f64, f64) = (10e6, 30e6);
/// Steps in which the law is drawn.
const STEPS: u32 = 80;
/// Room right of the drawing, for labels.
const LABELS: f64 = 128.0;

/// Draws the chart; `None` without a fit.
pub(super) fn scene(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let axis = sweep.axis("partitions")?;
    let held: Vec<(&Axis, &Value)> = sweep
        .axes
        .iter()
        .filter(|other| other.path != axis.path)
        .filter_map(|other| sweep.held(other))
        .collect();
    let samples: Vec<Sample> = sweep
        .matching(&held)
        .into_iter()
        .filter_map(|group| Some((number(group.param(&axis.path)?)?, group)))
        .flat_map(|(n, group)| {
            let values = group.values(Metric::BytesPerSecond);
            values.into_iter().map(move |value| Sample { n, value })
        })
        .collect();
    let fit = Fit::of(&samples).ok()?;
    let law = format!(
        "The Universal Scalability Law through {} runs: {} wait in line (σ), {} for each other \
         (κ).",
        fit.runs,
        percent(fit.law.sigma),
        percent(fit.law.kappa)
    );
    let mut words = context.words(&law, &held);
    words.title = "Throughput by partitions with the fitted law".to_string();
    let (mut scene, body) = page(&words, HEIGHT);
    let area = Frame {
        top: body.top + 20.0,
        bottom: body.bottom - 36.0,
        right: body.right - LABELS,
        ..body
    };
    let highest = samples.iter().map(|s| s.value).fold(0.0, f64::max);
    let y = Scale::from_zero(highest, area.bottom, area.top);
    let marks = ticks(&y, bytes_rate);
    let frame = Frame {
        left: area.left + label_room(&marks),
        ..area
    };
    let x = Scale::linear(0.0, fit.largest, frame.left, frame.right - 6.0);
    y_grid(&mut scene, frame, &y, &marks, true);
    claim(&mut scene, (fit.largest, highest), (&x, &y));
    curve(&mut scene, &fit, (&x, &y));
    for Sample { n, value } in &samples {
        scene.dot(
            At(x.at(*n), y.at(*value)),
            3.2,
            Paint::from(Role::Series(0)).opacity(0.6),
        );
    }
    x_labels(&mut scene, frame, &x, &ticks(&x, digits), false);
    baseline(&mut scene, frame);
    let up = Text::new(At(body.left, body.top + 2.0), LABEL, "records' bytes/s");
    scene.text(up.paint(Role::Muted));
    let across = Text::new(At(frame.middle().0, body.bottom), LABEL, axis.label());
    scene.text(across.align(Align::Middle).paint(Role::Muted));
    let labels = labels(&fit, highest, &y);
    direct_labels(&mut scene, frame.right, frame.top, frame.bottom, labels);
    Some(scene)
}

/// Between two lines from nothing to the largest N, cut off at the top of what
/// was measured.
fn claim(scene: &mut Scene, (n, top): (f64, f64), (x, y): (&Scale, &Scale)) {
    let (low, high) = CLAIMED;
    let at = |n: f64, value: f64| At(x.at(n), y.at(value));
    let mut corners = vec![at(0.0, 0.0)];
    for claimed in [high, low] {
        let until = n.min(top / claimed);
        if claimed == low && until == n {
            // The upper line may have been cut off long before the right side.
            corners.push(at(n, top.min(high * n)));
        }
        corners.push(at(until, claimed * until));
    }
    scene.area(corners, Paint::from(Role::Series(4)).opacity(0.30));
}

fn curve(scene: &mut Scene, fit: &Fit, (x, y): (&Scale, &Scale)) {
    let steps = || {
        let step = |i: u32| 1.0 + (fit.largest - 1.0) * f64::from(i) / f64::from(STEPS);
        (0..=STEPS).map(step)
    };
    let at = |n: f64, value: f64| At(x.at(n), y.at(value));
    let upper = steps().map(|n| at(n, fit.predict(n).bounds.high));
    let lower: Vec<At> = steps().map(|n| at(n, fit.predict(n).bounds.low)).collect();
    let outline = upper.chain(lower.into_iter().rev()).collect();
    scene.area(outline, Paint::from(Role::Series(0)).opacity(0.12));
    let line = steps().map(|n| at(n, fit.law.at(n))).collect();
    scene.path(line, 2.5, Role::Series(0));
}

fn labels(fit: &Fit, top: f64, y: &Scale) -> Vec<Label> {
    let n = fit.largest;
    let middle = f64::midpoint(top.min(CLAIMED.0 * n), top.min(CLAIMED.1 * n));
    vec![
        Label {
            y: y.at(fit.law.at(n)),
            text: "fitted law".to_string(),
            paint: Role::Series(0).into(),
        },
        Label {
            y: y.at(middle),
            text: "document's range".to_string(),
            paint: Role::Series(4).into(),
        },
    ]
}
