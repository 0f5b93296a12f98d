//! A curve from anybody's numbers: lines over one axis, labelled where they end.

use super::Chart;
use super::lines::{Across, LineChart, Panel, Point, Series, Up};
use crate::PlotError;
use crate::page::Words;
use crate::palette::Role;

/// A direction of a curve.
#[derive(Clone, Debug)]
pub struct CurveAxis {
    /// What it counts.
    pub label: String,
    /// How its values are written.
    pub format: fn(f64) -> String,
    /// Whether its scale is logarithmic.
    pub log: bool,
}

/// Lines over one axis.
#[derive(Clone, Debug)]
pub struct CurveChart {
    /// What it shows.
    pub title: String,
    /// Under which conditions.
    pub subtitle: String,
    /// Where the numbers come from.
    pub footer: String,
    /// Left to right.
    pub across: CurveAxis,
    /// Bottom to top.
    pub up: CurveAxis,
    /// Each line's name and its points.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl CurveChart {
    /// Draws it under `name`. Refuses a curve without a point.
    pub fn draw(&self, name: &str) -> Result<Chart, PlotError> {
        let series = self
            .lines
            .iter()
            .enumerate()
            .map(|(at, (label, points))| Series {
                label: label.clone(),
                role: Role::Series(at % crate::palette::SERIES),
                points: points.iter().map(|&(x, y)| point(x, y)).collect(),
            });
        let chart = LineChart {
            words: Words {
                title: self.title.clone(),
                subtitle: self.subtitle.clone(),
                footer: self.footer.clone(),
            },
            across: match self.across.log {
                true => Across::Log(self.across.format),
                false => Across::Round,
            },
            across_label: self.across.label.clone(),
            up: if self.up.log { Up::Log } else { Up::FromZero },
            up_label: self.up.label.clone(),
            up_format: self.up.format,
            dots: false,
            bands: Vec::new(),
            panels: vec![Panel {
                title: String::new(),
                series: series.collect(),
                stretches: Vec::new(),
            }],
        };
        let scene = chart.scene().ok_or_else(|| PlotError::Draw {
            chart: name.to_owned(),
            reason: "the curve has no point".to_owned(),
        })?;
        Chart::of(name, scene)
    }
}

const fn point(x: f64, y: f64) -> Point {
    Point {
        x,
        y,
        range: None,
        failed: false,
    }
}
