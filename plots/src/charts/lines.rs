//! Lines over a numeric axis, in one to three panels that share both scales,
//! labelled where they end.

use super::bands::Band;
use crate::page::{
    HEIGHT, LABEL, Label, Tick, Words, baseline, direct_labels, label_room, page, panels, ticks,
    x_labels, y_grid,
};
use crate::paint::text_width;
use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};
use plimsoll_results::stats::Spread;

/// Dots keep this clear of the frame's sides.
const DOT_INSET: f64 = 12.0;
/// A line that ends this far from the side is labelled where it ends.
const ENDS_EARLY: f64 = 60.0;

/// One point, with the range over repeats where there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Point {
    pub x: f64,
    pub y: f64,
    pub range: Option<(f64, f64)>,
    /// Whether it is drawn as a ring: measured, and not good enough.
    pub failed: bool,
}

impl Point {
    /// The median over repeats, with their range.
    pub(crate) fn over(x: f64, spread: &Spread) -> Self {
        Self {
            x,
            y: spread.median,
            range: super::rates::range(spread),
            failed: false,
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub label: String,
    pub role: Role,
    pub points: Vec<Point>,
}

/// A stretch of the horizontal axis in which something else was going on.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub label: String,
    pub from: f64,
    /// The end of the axis when absent.
    pub to: Option<f64>,
}

/// One panel.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub title: String,
    pub series: Vec<Series>,
    pub stretches: Vec<Stretch>,
}

/// How the horizontal axis is laid out.
pub(crate) enum Across {
    /// Labelled at exactly these values.
    At(Vec<Tick>),
    /// Labelled at round values from the smallest to the largest.
    Round,
    /// Logarithmic, labelled at round values in this form.
    Log(fn(f64) -> String),
}

/// How the vertical axis is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Up {
    FromZero,
    Log,
}

/// A finished description of the chart.
pub(crate) struct LineChart {
    pub words: Words,
    pub across: Across,
    pub across_label: String,
    pub up: Up,
    pub up_label: String,
    pub up_format: fn(f64) -> String,
    /// Whether points are few enough to be shown as such.
    pub dots: bool,
    /// What lies behind the lines of every panel.
    pub bands: Vec<Band>,
    pub panels: Vec<Panel>,
}

struct Scales {
    x: (f64, f64),
    x_log: bool,
    inset: f64,
    y: (f64, f64),
}

impl LineChart {
    /// Draws it; `None` when there is no line to draw.
    pub(crate) fn scene(&self) -> Option<Scene> {
        let scales = self.scales()?;
        let (mut scene, body) = page(&self.words, HEIGHT);
        let titled = self.panels.iter().any(|p| !p.title.is_empty());
        let area = Frame {
            top: body.top + if titled { 38.0 } else { 20.0 },
            bottom: body.bottom - 36.0,
            ..body
        };
        let up = |frame: Frame| match self.up {
            Up::FromZero => Scale::from_zero(scales.y.1, frame.bottom, frame.top),
            Up::Log => Scale::log(scales.y.0, scales.y.1, frame.bottom, frame.top),
        };
        let y_ticks = ticks(&up(area), self.up_format);
        let left = area.left + label_room(&y_ticks);
        let room = Frame { left, ..area };
        let at = At(body.left, body.top + 2.0);
        scene.text(Text::new(at, LABEL, self.up_label.clone()).paint(Role::Muted));
        let label_width = self.label_width();
        for (panel, frame) in self
            .panels
            .iter()
            .zip(panels(room, self.panels.len(), 14.0))
        {
            let frame = Frame {
                right: frame.right - label_width,
                ..frame
            };
            let first = frame.left <= room.left;
            let y = up(frame);
            y_grid(&mut scene, frame, &y, &y_ticks, first);
            let x = scales.across(frame);
            for band in &self.bands {
                band.draw(&mut scene, frame, (&x, &y), scales.x);
            }
            let x_ticks = match &self.across {
                Across::At(ticks) => ticks.clone(),
                Across::Round => whole(ticks(&x, crate::units::digits)),
                Across::Log(format) => ticks(&x, format),
            };
            x_labels(&mut scene, frame, &x, &x_ticks, false);
            baseline(&mut scene, frame);
            draw_stretches(&mut scene, panel, frame, &x, scales.x.1);
            let title = Text::new(At(frame.left, body.top + 24.0), 13.0, panel.title.clone());
            scene.text(title.bold());
            self.draw_panel(&mut scene, panel, frame, &x, &y);
        }
        let at = At(
            f64::midpoint(room.left, room.right - label_width),
            body.bottom,
        );
        let label = Text::new(at, LABEL, self.across_label.clone()).align(Align::Middle);
        scene.text(label.paint(Role::Muted));
        Some(scene)
    }

    fn draw_panel(&self, scene: &mut Scene, panel: &Panel, frame: Frame, x: &Scale, y: &Scale) {
        let mut labels = Vec::new();
        let right = frame.right - if self.dots { DOT_INSET } else { 0.0 };
        for series in &panel.series {
            let place = |p: &Point| At(x.at(p.x), y.at(p.y));
            let paint = Paint::from(series.role);
            if !self.dots {
                scene.area(band(&series.points, x, y), paint.opacity(0.16));
            }
            scene.path(series.points.iter().map(place).collect(), 2.0, paint);
            if self.dots {
                for point in &series.points {
                    let at = place(point);
                    if let Some((low, high)) = point.range {
                        scene.whisker(at.0, y.at(low), y.at(high), paint.opacity(0.75));
                    }
                    scene.dot(at, 4.5, Role::Card);
                    match point.failed {
                        true => scene.ring(at, 4.0, paint),
                        false => scene.dot(at, 3.5, paint),
                    }
                }
            }
            let Some(last) = series.points.last() else {
                continue;
            };
            let at = place(last);
            if self.dots && right - at.0 > ENDS_EARLY {
                // It would take a long line to lead from here to the side.
                let text = Text::new(At(at.0 + 10.0, at.1), LABEL, series.label.clone());
                scene.text(text.bold().paint(paint));
            } else if !series.label.is_empty() {
                labels.push(Label {
                    y: at.1,
                    text: series.label.clone(),
                    paint,
                });
            }
        }
        direct_labels(scene, right, frame.top, frame.bottom, labels);
    }

    fn label_width(&self) -> f64 {
        let widest = self
            .panels
            .iter()
            .flat_map(|p| &p.series)
            .map(|s| text_width(&s.label, LABEL, true))
            .fold(0.0, f64::max);
        if widest > 0.0 { widest + 26.0 } else { 8.0 }
    }

    fn scales(&self) -> Option<Scales> {
        let points = || {
            let series = self.panels.iter().flat_map(|p| &p.series);
            series.flat_map(|s| &s.points)
        };
        points().next()?;
        let fold = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, 0.0_f64), |(low, high), v| {
                (low.min(v), high.max(v))
            })
        };
        let x = fold(&mut points().map(|p| p.x));
        let measured = points().flat_map(|p| {
            let (low, high) = p.range.unwrap_or((p.y, p.y));
            [p.y, low, high].into_iter().filter(|v| *v > 0.0)
        });
        let reached = self.bands.iter().filter_map(Band::reach);
        let y = fold(&mut measured.chain(reached));
        let ticked = matches!(&self.across, Across::At(ticks) if ticks.len() > 2);
        Some(Scales {
            x,
            inset: if self.dots { DOT_INSET } else { 2.0 },
            x_log: matches!(self.across, Across::Log(_))
                || (self.dots && ticked && x.0 > 0.0 && x.1 / x.0 >= 8.0),
            y,
        })
    }
}

impl Scales {
    fn across(&self, frame: Frame) -> Scale {
        let (from, to) = (frame.left + self.inset, frame.right - self.inset);
        if self.x_log {
            return Scale::log(self.x.0, self.x.1, from, to);
        }
        Scale::linear(self.x.0, self.x.1, from, to)
    }
}

/// Shades the stretches, with their labels in rows that take turns so that
/// neighbours do not run into each other.
fn draw_stretches(scene: &mut Scene, panel: &Panel, frame: Frame, x: &Scale, end: f64) {
    const ROWS: usize = 3;
    const ROW: f64 = 13.0;
    let paint = Paint::from(Role::Series(1));
    for (at, stretch) in panel.stretches.iter().enumerate() {
        let place = |value: f64| x.at(value.min(end)).clamp(frame.left, frame.right);
        let (left, right) = (place(stretch.from), place(stretch.to.unwrap_or(end)));
        let shade = Frame {
            left,
            right: right.max(left + 1.5),
            ..frame
        };
        scene.rect(shade, paint.opacity(0.14));
        scene.line(
            At(left, frame.top),
            At(left, frame.bottom),
            1.0,
            paint.opacity(0.6),
        );
        let row = frame.top + 7.0 + ROW * (at % ROWS) as f64;
        let room = frame.right - left;
        let text = Text::new(At(left + 4.0, row), LABEL, stretch.label.clone()).paint(Role::Ink);
        let fits = text_width(&stretch.label, LABEL, false) + 8.0 < room;
        scene.text(match fits {
            true => text,
            false => Text {
                at: At(left - 4.0, row),
                ..text.align(Align::End)
            },
        });
    }
}

/// Ticks at whole numbers: there are no half seconds on a timeline.
fn whole(ticks: Vec<Tick>) -> Vec<Tick> {
    let whole = |tick: &Tick| tick.value.fract().abs() < 1e-9;
    ticks.into_iter().filter(whole).collect()
}

/// The outline of the ranges, there and back.
fn band(points: &[Point], x: &Scale, y: &Scale) -> Vec<At> {
    let ranged = || points.iter().filter_map(|p| Some((p.x, p.range?)));
    let upper = ranged().map(|(at, (_, high))| At(x.at(at), y.at(high)));
    let lower = ranged().map(|(at, (low, _))| At(x.at(at), y.at(low)));
    let lower: Vec<At> = lower.collect();
    upper.chain(lower.into_iter().rev()).collect()
}
