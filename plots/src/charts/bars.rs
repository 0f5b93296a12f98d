//! Horizontal bars with their values, sorted, with the range over repeats.

use super::rows::Rows;
use crate::page::{HEIGHT, LABEL, Words, page, ticks, x_labels};
use crate::paint::text_width;
use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};

/// More rows than this are cut.
pub(crate) const MAX_ROWS: usize = 36;

/// One bar.
pub(crate) struct Bar {
    pub label: String,
    pub role: Role,
    pub value: f64,
    /// Lowest and highest repeat.
    pub range: Option<(f64, f64)>,
    /// The value in words.
    pub text: String,
}

/// A finished description of the chart.
pub(crate) struct BarChart {
    pub words: Words,
    pub across_label: String,
    pub format: fn(f64) -> String,
    pub bars: Vec<Bar>,
}

impl BarChart {
    /// Draws it; `None` when there is nothing to draw.
    pub(crate) fn scene(&self) -> Option<Scene> {
        let highest = self
            .bars
            .iter()
            .map(|b| b.range.map_or(b.value, |r| r.1))
            .fold(0.0, f64::max);
        if self.bars.is_empty() || highest <= 0.0 {
            return None;
        }
        let rows = Rows::of(self.bars.iter().map(|bar| bar.label.as_str()));
        let height = (164.0 + rows.height()).max(HEIGHT / 2.0);
        let (mut scene, body) = page(&self.words, height);
        let widths = self
            .bars
            .iter()
            .map(|bar| text_width(&bar.text, LABEL, false));
        let text_room = widths.fold(0.0, f64::max) + 14.0;
        let frame = Frame {
            left: body.left + rows.label_room() + 12.0,
            top: body.top,
            right: body.right - text_room,
            bottom: body.top + rows.height() + 4.0,
        };
        let scale = Scale::from_zero(highest, frame.left, frame.right);
        x_labels(&mut scene, frame, &scale, &ticks(&scale, self.format), true);
        for (bar, y) in self.bars.iter().zip(rows.draw(&mut scene, frame)) {
            bar.draw(&mut scene, frame, &scale, y);
        }
        let at = At(frame.middle().0, frame.bottom + 34.0);
        let label = Text::new(at, LABEL, self.across_label.clone()).align(Align::Middle);
        scene.text(label.paint(Role::Muted));
        Some(scene)
    }
}

impl Bar {
    fn draw(&self, scene: &mut Scene, frame: Frame, scale: &Scale, y: f64) {
        let bar = Frame {
            left: frame.left,
            top: y - 7.5,
            right: scale.at(self.value),
            bottom: y + 7.5,
        };
        scene.rect(bar, Paint::from(self.role).opacity(0.85));
        let mut end = bar.right;
        if let Some((low, high)) = self.range {
            scene.whisker_across(y, scale.at(low), scale.at(high), Role::Ink);
            end = scale.at(high);
        }
        scene.text(Text::new(At(end + 8.0, y), LABEL, self.text.clone()));
    }
}
