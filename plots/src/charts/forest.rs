//! Two runs side by side: the ratio of each setting with its interval.

use super::bars::MAX_ROWS;
use super::rows::Rows;
use crate::page::{LABEL, Words, page, ticks, x_labels};
use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};
use crate::units::{digits, signed_percent};
use plimsoll_results::stats::Shift;

/// One setting's ratio.
pub(crate) struct Row {
    pub label: String,
    pub ratio: Shift,
}

/// A finished description of the chart.
pub(crate) struct Forest {
    pub words: Words,
    pub across_label: String,
    pub rows: Vec<Row>,
    /// A range that somebody claims, drawn behind the rows.
    pub band: Option<Band>,
}

/// A claimed range of the ratio.
pub(crate) struct Band {
    pub low: f64,
    pub high: f64,
    pub label: &'static str,
}

impl Forest {
    /// Draws it; `None` without rows.
    pub(crate) fn scene(&self) -> Option<Scene> {
        let rows: Vec<&Row> = self.rows.iter().take(MAX_ROWS).collect();
        let ends = rows.iter().flat_map(|row| {
            let interval = row.ratio.interval.map(|i| [i.low, i.high]);
            interval.into_iter().flatten().chain([row.ratio.estimate])
        });
        let mut ends: Vec<f64> = ends.filter(|v| v.is_finite() && *v > 0.0).collect();
        if ends.is_empty() {
            return None;
        }
        ends.extend(self.band.iter().flat_map(|band| [band.low, band.high]));
        let labels = Rows::of(rows.iter().map(|row| row.label.as_str()));
        let (mut scene, body) = page(&self.words, 164.0 + labels.height());
        let frame = Frame {
            left: body.left + labels.label_room() + 14.0,
            top: body.top,
            right: body.right - 90.0,
            bottom: body.top + labels.height() + 4.0,
        };
        let low = ends.iter().copied().fold(0.95, f64::min);
        let high = ends.iter().copied().fold(1.05, f64::max);
        let scale = Scale::log(low, high, frame.left + 8.0, frame.right - 8.0);
        if let Some(band) = &self.band {
            band.draw(&mut scene, frame, &scale);
        }
        let marks = ticks(&scale, |v| format!("{}×", digits(v)));
        x_labels(&mut scene, frame, &scale, &marks, true);
        let one = scale.at(1.0);
        scene.line(At(one, frame.top), At(one, frame.bottom), 1.5, Role::Axis);
        for (row, y) in rows.iter().zip(labels.draw(&mut scene, frame)) {
            row.draw(&mut scene, frame, &scale, y);
        }
        let at = At(frame.middle().0, frame.bottom + 34.0);
        let label = Text::new(at, LABEL, self.across_label.clone()).align(Align::Middle);
        scene.text(label.paint(Role::Muted));
        Some(scene)
    }
}

impl Band {
    fn draw(&self, scene: &mut Scene, frame: Frame, scale: &Scale) {
        let (left, right) = (scale.at(self.low), scale.at(self.high));
        let band = Frame {
            left,
            right,
            ..frame
        };
        scene.rect(band, Paint::from(Role::Series(4)).opacity(0.22));
        let at = At(band.middle().0, frame.top - 9.0);
        let label = Text::new(at, LABEL, self.label).align(Align::Middle);
        scene.text(label.paint(Role::Series(4)));
    }
}

impl Row {
    fn draw(&self, scene: &mut Scene, frame: Frame, scale: &Scale, y: f64) {
        let decided = self.ratio.excludes(1.0);
        let paint = Paint::from(if decided {
            Role::Series(0)
        } else {
            Role::Series(6)
        });
        if let Some(interval) = self.ratio.interval {
            let (low, high) = (scale.at(interval.low), scale.at(interval.high));
            scene.whisker_across(y, low, high, paint);
        }
        scene.dot(At(scale.at(self.ratio.estimate), y), 5.0, paint);
        let text = signed_percent(self.ratio.estimate - 1.0);
        scene.text(Text::new(At(frame.right + 10.0, y), LABEL, text));
    }
}
