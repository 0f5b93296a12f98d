//! The rows of a chart with a setting's words on the left of each: how high they
//! are, how much room the words need, and where they stand.

use crate::page::{LABEL, shorten};
use crate::paint::text_width;
use crate::scene::{Align, At, Frame, Scene, Text};

const ROW: f64 = 24.0;
const LINE: f64 = 15.0;
const LONGEST: f64 = 280.0;
/// Between the parts of a label, after which it may go on in the next line.
const BETWEEN: &str = " · ";

/// The labels of all rows, in lines.
pub(crate) struct Rows {
    labels: Vec<Vec<String>>,
    height: f64,
}

impl Rows {
    pub(crate) fn of<'a>(labels: impl Iterator<Item = &'a str>) -> Self {
        let labels: Vec<Vec<String>> = labels.map(lines).collect();
        let most = labels.iter().map(Vec::len).max().unwrap_or(1);
        let height = ROW + most.saturating_sub(1) as f64 * LINE;
        Self { labels, height }
    }

    /// Of all rows together, in pixels.
    pub(crate) fn height(&self) -> f64 {
        self.labels.len() as f64 * self.height
    }

    /// The width of the widest line, in pixels.
    pub(crate) fn label_room(&self) -> f64 {
        let lines = self.labels.iter().flatten();
        let widths = lines.map(|line| text_width(line, LABEL, false));
        widths.fold(0.0, f64::max)
    }

    /// Writes the labels; the middle of each row, from the top.
    pub(crate) fn draw(&self, scene: &mut Scene, frame: Frame) -> Vec<f64> {
        let mut middles = Vec::with_capacity(self.labels.len());
        for (row, label) in self.labels.iter().enumerate() {
            let middle = frame.top + (row as f64 + 0.5) * self.height + 2.0;
            let above = label.len().saturating_sub(1) as f64 * LINE / 2.0;
            for (line, words) in label.iter().enumerate() {
                let at = At(frame.left - 10.0, middle - above + line as f64 * LINE);
                scene.text(Text::new(at, LABEL, words.clone()).align(Align::End));
            }
            middles.push(middle);
        }
        middles
    }
}

/// A label in as many lines as its parts need; only a part that is too long by
/// itself is cut.
fn lines(label: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in label.split(BETWEEN) {
        let longer = lines.last().map(|line| format!("{line}{BETWEEN}{part}"));
        match (lines.last_mut(), longer) {
            (Some(line), Some(longer)) if text_width(&longer, LABEL, false) <= LONGEST => {
                *line = longer;
            }
            _ => lines.push(shorten(part, LABEL, LONGEST)),
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
