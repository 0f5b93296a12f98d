//! Compression ratio against throughput: what a codec saves and what it costs.

use super::Context;
use super::bands::{Band, Edges};
use crate::page::{
    HEIGHT, LABEL, Label, Words, baseline, direct_labels, label_room, page, ticks, x_labels, y_grid,
};
use crate::palette::{Role, series_of};
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};
use crate::units::{digits, si};
use plimsoll_results::stats::Spread;
use plimsoll_results::{Metric, value_label};

/// How many times the document has compression shrink data (D3).
const CLAIMED: (f64, f64) = (3.0, 6.0);

struct Dot {
    value: String,
    role: Role,
    ratio: Spread,
    rate: Spread,
}

/// Draws the chart; `None` without at least two codecs that have a ratio.
pub(crate) fn scene(context: &Context<'_>) -> Option<Scene> {
    let sweep = &context.sweep;
    let codec = sweep.axis("compression")?;
    let dots: Vec<Dot> = sweep
        .groups
        .iter()
        .filter_map(|group| {
            let value = group.param(&codec.path)?;
            let label = value_label(value);
            Some(Dot {
                role: series_of(&codec.path, &label, codec.position(value)),
                value: label,
                ratio: group.spread(Metric::CompressionRatio)?,
                rate: group.spread(Metric::RecordsPerSecond)?,
            })
        })
        .collect();
    let codecs = codec
        .values
        .iter()
        .filter(|v| dots.iter().any(|d| d.value == value_label(v)))
        .count();
    if codecs < 2 {
        return None;
    }
    let lead = "Each dot is one setting; further up is faster, further right is smaller on the \
                wire and on disk. Tinted: the document's 3 to 6 times (D3).";
    let words = Words {
        title: "Compression ratio against throughput".to_string(),
        ..context.words(lead, &[])
    };
    Some(draw(&words, &dots))
}

fn draw(words: &Words, dots: &[Dot]) -> Scene {
    let (mut scene, body) = page(words, HEIGHT);
    let top_rate = dots.iter().map(|d| d.rate.max).fold(0.0, f64::max);
    let ratios: Vec<f64> = dots
        .iter()
        .flat_map(|d| [d.ratio.min, d.ratio.max])
        .collect();
    let area = Frame {
        top: body.top + 20.0,
        bottom: body.bottom - 36.0,
        right: body.right - 90.0,
        ..body
    };
    let y = Scale::from_zero(top_rate, area.bottom, area.top);
    let y_ticks = ticks(&y, si);
    let frame = Frame {
        left: area.left + label_room(&y_ticks),
        ..area
    };
    let low = ratios.iter().copied().fold(1.0, f64::min);
    let high = ratios.iter().copied().fold(1.0, f64::max);
    let pad = (high - low).max(0.2) * 0.06;
    let x = Scale::linear(low - pad, high + pad, frame.left, frame.right);
    let claim = Band::claim(Edges::Across(CLAIMED.0, CLAIMED.1));
    claim.draw(&mut scene, frame, (&x, &y), (low, high));
    y_grid(&mut scene, frame, &y, &y_ticks, true);
    x_labels(
        &mut scene,
        frame,
        &x,
        &ticks(&x, |v| format!("{}×", digits(v))),
        false,
    );
    baseline(&mut scene, frame);
    scene.text(Text::new(At(body.left, body.top + 2.0), LABEL, "records/s").paint(Role::Muted));
    let at = At(frame.middle().0, body.bottom);
    let label = Text::new(at, LABEL, "uncompressed bytes per byte sent").align(Align::Middle);
    scene.text(label.paint(Role::Muted));
    let mut labelled: Vec<(&str, f64, f64, Role)> = Vec::new();
    for dot in dots {
        let at = At(x.at(dot.ratio.median), y.at(dot.rate.median));
        let paint = Paint::from(dot.role);
        if dot.rate.has_width() {
            scene.whisker(
                at.0,
                y.at(dot.rate.min),
                y.at(dot.rate.max),
                paint.opacity(0.6),
            );
        }
        scene.dot(at, 6.0, Role::Card);
        scene.dot(at, 5.0, paint);
        match labelled.iter_mut().find(|l| l.0 == dot.value) {
            Some(known) => known.2 = known.2.min(at.1),
            None => labelled.push((&dot.value, at.0, at.1, dot.role)),
        }
    }
    for (value, x, top, role) in labelled {
        let label = Label {
            y: (top - 14.0).max(frame.top + 4.0),
            text: value.to_string(),
            paint: role.into(),
        };
        direct_labels(&mut scene, x, frame.top, frame.bottom, vec![label]);
    }
    scene
}
