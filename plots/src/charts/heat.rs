//! A heat map of two parameters, one panel per value of a third.

use super::Context;
use crate::page::{LABEL, Words, page, panels, shorten};
use crate::paint::text_width;
use crate::palette::{Role, heat};
use crate::scene::{Align, At, Frame, Scene, Text};
use crate::sweep::{Axis, named_value};
use plimsoll_results::stats::Spread;
use plimsoll_results::{Metric, value_label};
use serde_json::Value;

const CELL: f64 = 50.0;

/// The metric and how it reads.
pub(crate) struct Shown {
    pub metric: Metric,
    pub title: &'static str,
    pub format: fn(f64) -> String,
}

/// Draws `rows` × `columns`; `None` when fewer than two cells have the metric.
pub(crate) fn scene(
    context: &Context<'_>,
    rows: &Axis,
    columns: &Axis,
    shown: &Shown,
) -> Option<Scene> {
    let sweep = &context.sweep;
    let roles = sweep.roles(&[rows, columns], &["partitions"]);
    // A heat map has no colours to give away: its panels take that parameter.
    let panel_axis = roles.colour.filter(|axis| axis.values.len() <= 3);
    let mut fixed = roles.fixed.clone();
    for axis in roles.colour.into_iter().chain(roles.panel) {
        if panel_axis.is_none_or(|p| p.path != axis.path) {
            fixed.push((axis, axis.values.last()?));
        }
    }
    let value_of = |panel: Option<&Value>, row: &Value, column: &Value| {
        let mut wanted = fixed.clone();
        wanted.extend([(rows, row), (columns, column)]);
        wanted.extend(panel_axis.zip(panel));
        sweep.matching(&wanted).first()?.spread(shown.metric)
    };
    let panel_values: Vec<Option<&Value>> = match panel_axis {
        Some(axis) => axis.values.iter().map(Some).collect(),
        None => vec![None],
    };
    let all: Vec<f64> = panel_values
        .iter()
        .flat_map(|p| rows.values.iter().map(move |r| (*p, r)))
        .flat_map(|(p, r)| columns.values.iter().map(move |c| (p, r, c)))
        .filter_map(|(p, r, c)| Some(value_of(p, r, c)?.median))
        .collect();
    if all.len() < 2 {
        return None;
    }
    let words = Words {
        title: format!(
            "{} by {} and {}",
            shown.title,
            rows.label(),
            columns.label()
        ),
        ..context.words("", &fixed)
    };
    let height = 178.0 + CELL * rows.values.len() as f64;
    let (mut scene, body) = page(&words, height);
    let row_room = row_label_room(rows);
    let room = Frame {
        left: body.left + row_room,
        ..body
    };
    let shade = Shade::over(&all);
    for (i, (value, frame)) in panel_values
        .iter()
        .zip(panels(room, panel_values.len(), 22.0))
        .enumerate()
    {
        let title = panel_axis
            .zip(*value)
            .map_or_else(String::new, |(axis, v)| named_value(axis, v));
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
        grid.draw(&mut scene, &shade, shown.format, |r, c| {
            value_of(*value, r, c)
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
        shade: &Shade,
        format: fn(f64) -> String,
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
                    Some(spread) => fill(scene, cell, shade, &spread, format),
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

fn fill(scene: &mut Scene, cell: Frame, shade: &Shade, spread: &Spread, format: fn(f64) -> String) {
    let (colour, ink) = heat(shade.share(spread.median));
    scene.rect(cell, colour);
    let At(x, y) = cell.middle();
    let range = crate::units::range(&format(spread.min), &format(spread.max));
    let ranged = spread.has_width() && text_width(&range, 9.5, false) < cell.width() - 4.0;
    let value = Text::new(
        At(x, if ranged { y - 7.0 } else { y }),
        13.0,
        shorten(&format(spread.median), 13.0, cell.width() - 4.0),
    );
    scene.text(value.bold().align(Align::Middle).paint(ink));
    if ranged {
        let text = Text::new(At(x, y + 10.0), 9.5, range).align(Align::Middle);
        scene.text(text.paint(ink));
    }
}
