//! A heat map of two parameters, one panel per value of a third.

use super::Context;
use crate::page::{LABEL, Words, page, panels, shorten};
use crate::paint::text_width;
use crate::palette::{Role, heat};
use crate::scene::{Align, At, Frame, Scene, Text};
use crate::sweep::{Axis, MAX_PANELS, Sweep, named_value};
use plimsoll_results::stats::Spread;
use plimsoll_results::{Metric, value_label};
use serde_json::Value;

const CELL: f64 = 50.0;
const PANEL_GAP: f64 = 22.0;
/// Size of the range below a value.
const RANGE: f64 = 9.0;

/// The metric and how it reads.
pub(crate) struct Shown {
    pub metric: Metric,
    pub title: &'static str,
    pub format: fn(f64) -> String,
}

/// Which parameter does what, and which settings are shown.
struct Layout<'s> {
    rows: &'s Axis,
    columns: &'s Axis,
    panel_axis: Option<&'s Axis>,
    panels: Vec<Option<&'s Value>>,
    fixed: Vec<(&'s Axis, &'s Value)>,
}

impl<'s> Layout<'s> {
    fn of(sweep: &'s Sweep<'_>, rows: &'s Axis, columns: &'s Axis) -> Self {
        let roles = sweep.roles(&[rows, columns], &["partitions"]);
        // A heat map has no colours to give away: its panels take that parameter.
        let panel_axis = roles.colour.filter(|axis| axis.values.len() <= MAX_PANELS);
        let mut fixed = roles.fixed;
        let spare = roles.colour.into_iter().chain(roles.panel);
        let spare = spare.filter(|axis| panel_axis.is_none_or(|p| p.path != axis.path));
        fixed.extend(spare.filter_map(|axis| sweep.held(axis)));
        Self {
            rows,
            columns,
            panel_axis,
            panels: panel_axis
                .map_or_else(|| vec![None], |axis| axis.values.iter().map(Some).collect()),
            fixed,
        }
    }

    fn spread(
        &self,
        sweep: &Sweep<'_>,
        metric: Metric,
        panel: Option<&Value>,
        (row, column): (&Value, &Value),
    ) -> Option<Spread> {
        let mut wanted = self.fixed.clone();
        wanted.extend([(self.rows, row), (self.columns, column)]);
        wanted.extend(self.panel_axis.zip(panel));
        sweep.matching(&wanted).first()?.spread(metric)
    }

    fn all(&self, sweep: &Sweep<'_>, metric: Metric) -> Vec<Spread> {
        self.panels
            .iter()
            .flat_map(|p| self.rows.values.iter().map(move |r| (*p, r)))
            .flat_map(|(p, r)| self.columns.values.iter().map(move |c| (p, r, c)))
            .filter_map(|(p, r, c)| self.spread(sweep, metric, p, (r, c)))
            .collect()
    }
}

/// Draws `rows` × `columns`; `None` when fewer than two cells have the metric.
pub(crate) fn scene(
    context: &Context<'_>,
    rows: &Axis,
    columns: &Axis,
    shown: &Shown,
) -> Option<Scene> {
    let sweep = &context.sweep;
    let layout = Layout::of(sweep, rows, columns);
    let all = layout.all(sweep, shown.metric);
    if all.len() < 2 {
        return None;
    }
    let by = format!("{} and {}", rows.label(), columns.label());
    let words = Words {
        title: format!("{} by {by}", shown.title),
        ..context.words("", &layout.fixed)
    };
    let (mut scene, body) = page(&words, 178.0 + CELL * rows.values.len() as f64);
    let room = Frame {
        left: body.left + row_label_room(rows),
        ..body
    };
    let frames = panels(room, layout.panels.len(), PANEL_GAP);
    let cell_width = frames.first()?.width() / columns.values.len() as f64;
    let look = Look::of(&all, shown.format, cell_width);
    for (i, (value, frame)) in layout.panels.iter().zip(frames).enumerate() {
        let named = layout.panel_axis.zip(*value);
        let title = named.map_or_else(String::new, |(axis, v)| named_value(axis, v));
        scene.text(Text::new(At(frame.left, body.top + 4.0), 13.0, title).bold());
        let grid = Grid {
            rows,
            columns,
            frame: Frame {
                top: body.top + 20.0,
                ..frame
            },
            labelled: i == 0,
        };
        grid.draw(&mut scene, &look, |r, c| {
            layout.spread(sweep, shown.metric, *value, (r, c))
        });
    }
    let at = At(room.middle().0, body.bottom);
    let label = Text::new(at, LABEL, columns.label()).align(Align::Middle);
    scene.text(label.paint(Role::Muted));
    Some(scene)
}

fn row_label_room(rows: &Axis) -> f64 {
    rows.values
        .iter()
        .map(|v| text_width(&named_value(rows, v), LABEL, false))
        .fold(0.0, f64::max)
        + 12.0
}

/// Values to shades, logarithmic when they span much.
struct Shade {
    low: f64,
    high: f64,
    log: bool,
}

impl Shade {
    fn over(values: &[f64]) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self {
            low,
            high,
            log: low > 0.0 && high / low > 20.0,
        }
    }

    fn share(&self, value: f64) -> f64 {
        if self.high <= self.low {
            return 0.35;
        }
        if self.log {
            return (value / self.low).ln() / (self.high / self.low).ln();
        }
        (value - self.low) / (self.high - self.low)
    }
}

struct Grid<'a> {
    rows: &'a Axis,
    columns: &'a Axis,
    frame: Frame,
    labelled: bool,
}

impl Grid<'_> {
    fn draw(
        &self,
        scene: &mut Scene,
        look: &Look,
        value: impl Fn(&Value, &Value) -> Option<Spread>,
    ) {
        let width = self.frame.width() / self.columns.values.len() as f64;
        for (r, row) in self.rows.values.iter().enumerate() {
            let y = self.frame.top + (r as f64 + 0.5) * CELL;
            if self.labelled {
                let at = At(self.frame.left - 8.0, y);
                let label = Text::new(at, LABEL, named_value(self.rows, row));
                scene.text(label.align(Align::End));
            }
            for (c, column) in self.columns.values.iter().enumerate() {
                let left = self.frame.left + c as f64 * width;
                let cell = Frame {
                    left: left + 1.0,
                    top: y - CELL / 2.0 + 1.0,
                    right: left + width - 1.0,
                    bottom: y + CELL / 2.0 - 1.0,
                };
                match value(row, column) {
                    Some(spread) => look.fill(scene, cell, &spread),
                    None => {
                        scene.rect(cell, Role::Grid);
                        let text = Text::new(cell.middle(), LABEL, "–").align(Align::Middle);
                        scene.text(text.paint(Role::Muted));
                    }
                }
            }
        }
        let bottom = self.frame.top + CELL * self.rows.values.len() as f64;
        for (c, column) in self.columns.values.iter().enumerate() {
            let x = self.frame.left + (c as f64 + 0.5) * width;
            let label = shorten(&value_label(column), LABEL, width - 4.0);
            let text = Text::new(At(x, bottom + 13.0), LABEL, label).align(Align::Middle);
            scene.text(text.paint(Role::Muted));
        }
    }
}

/// How every cell of a chart is filled.
struct Look {
    shade: Shade,
    format: fn(f64) -> String,
    /// Whether the ranges fit; all are shown or none.
    ranged: bool,
}

impl Look {
    fn of(all: &[Spread], format: fn(f64) -> String, cell_width: f64) -> Self {
        let medians: Vec<f64> = all.iter().map(|spread| spread.median).collect();
        let fits = |spread: &Spread| {
            text_width(&range_text(spread, format), RANGE, false) < cell_width - 6.0
        };
        Self {
            shade: Shade::over(&medians),
            format,
            ranged: all.iter().all(fits),
        }
    }

    fn fill(&self, scene: &mut Scene, cell: Frame, spread: &Spread) {
        let (colour, ink) = heat(self.shade.share(spread.median));
        scene.rect(cell, colour);
        let At(x, y) = cell.middle();
        let ranged = self.ranged && spread.has_width();
        let value = Text::new(
            At(x, if ranged { y - 7.0 } else { y }),
            13.0,
            shorten(&(self.format)(spread.median), 13.0, cell.width() - 4.0),
        );
        scene.text(value.bold().align(Align::Middle).paint(ink));
        if ranged {
            let range = range_text(spread, self.format);
            let text = Text::new(At(x, y + 10.0), RANGE, range).align(Align::Middle);
            scene.text(text.paint(ink));
        }
    }
}

fn range_text(spread: &Spread, format: fn(f64) -> String) -> String {
    crate::units::range(&format(spread.min), &format(spread.max))
}
