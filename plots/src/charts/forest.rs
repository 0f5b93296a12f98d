//! Two runs side by side: the ratio of each setting with its interval.

use super::bars::MAX_ROWS;
use crate::page::{LABEL, Words, page, shorten, ticks, x_labels};
use crate::paint::text_width;
use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};
use crate::units::{digits, signed_percent};
use plimsoll_results::stats::Shift;

const ROW: f64 = 24.0;
const LINE: f64 = 15.0;
const LONGEST_LABEL: f64 = 280.0;
/// Between the parts of a label, after which it may go on in the next line.
const BETWEEN: &str = " · ";

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
        let labels: Vec<Vec<String>> = rows.iter().map(|row| lines(&row.label)).collect();
        let most_lines = labels.iter().map(Vec::len).max().unwrap_or(1);
        let height = ROW + (most_lines - 1) as f64 * LINE;
        let (mut scene, body) = page(&self.words, 164.0 + rows.len() as f64 * height);
        let label_room = labels
            .iter()
            .flatten()
            .map(|line| text_width(line, LABEL, false))
            .fold(0.0, f64::max);
        let frame = Frame {
            left: body.left + label_room + 14.0,
            top: body.top,
            right: body.right - 90.0,
            bottom: body.top + rows.len() as f64 * height + 4.0,
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
        for (i, (row, label)) in rows.iter().zip(&labels).enumerate() {
            let y = frame.top + (i as f64 + 0.5) * height + 2.0;
            let above = (label.len() - 1) as f64 * LINE / 2.0;
            for (line, words) in label.iter().enumerate() {
                let at = At(frame.left - 10.0, y - above + line as f64 * LINE);
                scene.text(Text::new(at, LABEL, words.clone()).align(Align::End));
            }
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

/// A label in as many lines as its parts need; only a part that is too long by
/// itself is cut.
fn lines(label: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in label.split(BETWEEN) {
        let longer = lines.last().map(|line| format!("{line}{BETWEEN}{part}"));
        match (lines.last_mut(), longer) {
            (Some(line), Some(longer)) if text_width(&longer, LABEL, false) <= LONGEST_LABEL => {
                *line = longer;
            }
            _ => lines.push(shorten(part, LABEL, LONGEST_LABEL)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_long_label_takes_lines_and_loses_nothing() {
        let short = "1 partition · acks=all";
        assert_eq!(lines(short), [short]);
        let long = "offered rate max · records per transaction 100 · aborted 0 % · acks=all";
        let found = lines(long);
        assert!(found.len() > 1, "{found:?}");
        assert_eq!(found.join(" · "), long);
    }
}
