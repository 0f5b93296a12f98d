//! The page every chart is set on: title, subtitle, body, footer, panels,
//! axes and direct labels, so that all charts share margins and type.

use crate::paint::text_width;
use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};

/// Width of every chart.
pub(crate) const WIDTH: f64 = 800.0;
/// Usual height.
pub(crate) const HEIGHT: f64 = 440.0;

const MARGIN: f64 = 24.0;
const TITLE: f64 = 18.0;
const SUBTITLE: f64 = 12.5;
const FOOTER: f64 = 10.5;
/// Size of tick labels and direct labels.
pub(crate) const LABEL: f64 = 12.0;

/// Words around a chart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    /// States what is shown.
    pub title: String,
    /// States under which conditions.
    pub subtitle: String,
    /// Where the numbers come from.
    pub footer: String,
}

/// Starts a chart of this height: an empty page with its words, and the frame
/// left for the drawing.
pub(crate) fn page(words: &Words, height: f64) -> (Scene, Frame) {
    let lines = wrap(&words.subtitle, SUBTITLE, WIDTH - 2.0 * MARGIN);
    let extra = (lines.len().max(1) - 1) as f64 * 17.0;
    let description = format!("{}. {}", words.title, words.subtitle);
    let mut scene = Scene::new(WIDTH, height + extra, description);
    scene.text(Text::new(At(MARGIN, 30.0), TITLE, words.title.clone()).bold());
    for (i, line) in lines.iter().enumerate() {
        let at = At(MARGIN, 54.0 + 17.0 * i as f64);
        scene.text(Text::new(at, SUBTITLE, line.clone()).paint(Role::Muted));
    }
    let at = At(MARGIN, height + extra - 17.0);
    let footer = shorten(&words.footer, FOOTER, WIDTH - 2.0 * MARGIN);
    scene.text(Text::new(at, FOOTER, footer).paint(Role::Muted));
    let body = Frame {
        left: MARGIN,
        top: 82.0 + extra,
        right: WIDTH - MARGIN,
        bottom: height + extra - 40.0,
    };
    (scene, body)
}

/// `n` frames side by side, `gap` apart.
pub(crate) fn panels(body: Frame, n: usize, gap: f64) -> Vec<Frame> {
    let n = n.max(1);
    let width = (body.width() - gap * (n - 1) as f64) / n as f64;
    (0..n)
        .map(|i| {
            let left = body.left + i as f64 * (width + gap);
            Frame {
                left,
                right: left + width,
                ..body
            }
        })
        .collect()
}

/// A labelled position on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub value: f64,
    pub label: String,
}

/// Ticks at a scale's own choice, labelled by `format`.
pub(crate) fn ticks(scale: &Scale, format: impl Fn(f64) -> String) -> Vec<Tick> {
    scale
        .ticks()
        .into_iter()
        .map(|value| Tick {
            value,
            label: format(value),
        })
        .collect()
}

/// Room that the labels of a vertical axis need.
pub(crate) fn label_room(ticks: &[Tick]) -> f64 {
    let widest = ticks
        .iter()
        .map(|t| text_width(&t.label, LABEL, false))
        .fold(0.0, f64::max);
    widest + 10.0
}

/// Horizontal grid lines, with labels left of the frame when `labelled`.
pub(crate) fn y_grid(
    scene: &mut Scene,
    frame: Frame,
    scale: &Scale,
    ticks: &[Tick],
    labelled: bool,
) {
    for tick in ticks {
        let y = scale.at(tick.value);
        scene.line(At(frame.left, y), At(frame.right, y), 0.75, Role::Grid);
        if labelled {
            let label = Text::new(At(frame.left - 8.0, y), LABEL, tick.label.clone());
            scene.text(label.align(Align::End).paint(Role::Muted));
        }
    }
}

/// Labels below a frame; labels that would touch their neighbour are left out.
pub(crate) fn x_labels(scene: &mut Scene, frame: Frame, scale: &Scale, ticks: &[Tick], grid: bool) {
    let mut free_from = f64::NEG_INFINITY;
    for tick in ticks {
        let x = scale.at(tick.value);
        if grid {
            scene.line(At(x, frame.top), At(x, frame.bottom), 0.75, Role::Grid);
        } else {
            scene.line(
                At(x, frame.bottom),
                At(x, frame.bottom + 4.0),
                1.0,
                Role::Axis,
            );
        }
        let half = text_width(&tick.label, LABEL, false) / 2.0;
        if x - half < free_from {
            continue;
        }
        free_from = x + half + 6.0;
        let at = At(x, frame.bottom + 15.0);
        let label = Text::new(at, LABEL, tick.label.clone()).align(Align::Middle);
        scene.text(label.paint(Role::Muted));
    }
}

/// The line that a frame stands on.
pub(crate) fn baseline(scene: &mut Scene, frame: Frame) {
    scene.line(
        At(frame.left, frame.bottom),
        At(frame.right, frame.bottom),
        1.0,
        Role::Axis,
    );
}

/// A direct label: a text that wants to stand at a height.
pub(crate) struct Label {
    pub y: f64,
    pub text: String,
    pub paint: Paint,
}

/// Sets direct labels right of `x`, pushed apart where they would overlap, with
/// a thin leader where one had to move.
pub(crate) fn direct_labels(
    scene: &mut Scene,
    x: f64,
    top: f64,
    bottom: f64,
    mut labels: Vec<Label>,
) {
    const GAP: f64 = 15.0;
    labels.sort_by(|a, b| a.y.total_cmp(&b.y));
    let wanted: Vec<f64> = labels.iter().map(|l| l.y).collect();
    for (label, y) in labels.into_iter().zip(spaced(&wanted, GAP, top, bottom)) {
        let moved = (y - label.y).abs() > 3.0;
        if moved {
            let muted = label.paint.opacity(0.5);
            scene.line(At(x + 3.0, label.y), At(x + 10.0, y), 1.0, muted);
        }
        let at = At(x + if moved { 13.0 } else { 8.0 }, y);
        scene.text(Text::new(at, LABEL, label.text).bold().paint(label.paint));
    }
}

/// Positions at least `gap` apart, as near to the sorted `wanted` as one pass
/// down and one pass up bring them, within `top..=bottom` where they fit.
fn spaced(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut placed: Vec<f64> = wanted.to_vec();
    // Clusters are moved by half their overlap, so that they stay centred.
    for _ in 0..60 {
        let mut settled = true;
        for i in 1..placed.len() {
            let overlap = gap - (placed[i] - placed[i - 1]);
            if overlap > 0.01 {
                placed[i - 1] -= overlap / 2.0;
                placed[i] += overlap / 2.0;
                settled = false;
            }
        }
        if let Some(first) = placed.first_mut() {
            *first = first.max(top);
        }
        if let Some(last) = placed.last_mut() {
            *last = last.min(bottom);
        }
        if settled {
            break;
        }
    }
    placed
}

/// Splits a text into lines no wider than `width`.
fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().map_or_else(String::new, std::mem::take);
        let longer = if line.is_empty() {
            word.to_string()
        } else {
            format!("{line} {word}")
        };
        if line.is_empty() || text_width(&longer, size, false) <= width {
            if let Some(last) = lines.last_mut() {
                *last = longer;
            }
        } else {
            if let Some(last) = lines.last_mut() {
                *last = line;
            }
            lines.push(word.to_string());
        }
    }
    lines
}

/// Cuts a text that is too wide, with an ellipsis.
pub(crate) fn shorten(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size, false) <= width {
        return text.to_string();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.len() > 1 {
        kept.pop();
        let cut: String = kept.iter().collect::<String>().trim_end().to_string() + "…";
        if text_width(&cut, size, false) <= width {
            return cut;
        }
    }
    "…".to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_spaced(wanted: &[f64], expected: &[f64]) {
        let got = spaced(wanted, 10.0, 0.0, 100.0);
        for (got, want) in got.iter().zip(expected) {
            assert!((got - want).abs() < 0.5, "{got} for {want}");
        }
    }

    #[test]
    fn labels_are_pushed_apart_around_their_middle() {
        check_spaced(&[], &[]);
        check_spaced(&[10.0, 40.0], &[10.0, 40.0]);
        check_spaced(&[50.0, 50.0], &[45.0, 55.0]);
        check_spaced(&[99.0, 99.0], &[90.0, 100.0]);
    }

    #[test]
    fn text_is_wrapped_and_cut_to_width() {
        let lines = wrap("one two three four five six", 12.0, 90.0);
        assert!(lines.len() > 1);
        assert_eq!(lines.join(" "), "one two three four five six");
        assert!(shorten(&"wide ".repeat(40), 12.0, 100.0).ends_with('…'));
        assert_eq!(wrap("", 12.0, 90.0), [""]);
    }
}
