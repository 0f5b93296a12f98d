//! Curves that say more than a number: series over one axis, as data. Whoever
//! draws them decides how.

use crate::unit::Unit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a direction of a curve counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// What it is.
    pub label: String,
    /// Its unit.
    pub unit: Unit,
    /// Whether its values spread over so many magnitudes that only a
    /// logarithmic scale shows them.
    #[serde(default)]
    pub log: bool,
}

/// One line of a curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Its name.
    pub label: String,
    /// Its points, in base units, along the first axis.
    pub points: Vec<(f64, f64)>,
}

/// Lines over one axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// What it shows.
    pub title: String,
    /// Left to right.
    pub across: Axis,
    /// Bottom to top.
    pub up: Axis,
    /// The lines.
    pub series: Vec<Series>,
}

impl Axis {
    pub(crate) fn new(label: &str, unit: Unit) -> Self {
        Self {
            label: label.to_owned(),
            unit,
            log: false,
        }
    }

    pub(crate) fn log(label: &str, unit: Unit) -> Self {
        Self {
            log: true,
            ..Self::new(label, unit)
        }
    }
}

impl Curve {
    pub(crate) fn new(title: &str, across: Axis, up: Axis) -> Self {
        Self {
            title: title.to_owned(),
            across,
            up,
            series: Vec::new(),
        }
    }

    /// Adds a line; points that are no finite numbers are left out.
    pub(crate) fn line(&mut self, label: &str, points: impl IntoIterator<Item = (f64, f64)>) {
        let finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
        self.series.push(Series {
            label: label.to_owned(),
            points: points.into_iter().filter(finite).collect(),
        });
    }
}
