//! The plan: every cell of a sweep, hashed, and the order in which they run.
//!
//! A plan is a function of the workload, its input files and the seed, so that
//! a run that was killed makes the same plan again and goes on where it was. A
//! cell's id is a hash of what the cell does; which repeat it is, and when it
//! runs, is kept apart from it.

mod expand;
mod fraction;
mod identity;

use crate::{
    language::{CellSpec, RateSpec},
    units::Span,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// What a cell costs besides its load: making the topic, connecting, draining.
/// An estimate, for [`Plan::expected`] alone.
const CELL_OVERHEAD: Span = Span::from_millis(500);

/// Probes that a search takes, as a rule: six doublings, six halvings and some
/// that fail and are tried again. An estimate, too.
const SEARCH_PROBES: u32 = 18;

/// The version of the plan's JSON and of how ids are made.
pub const PLAN_VERSION: u32 = 1;

/// A hash of all that a cell does, as 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CellId(String);

impl CellId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One combination of the sweep's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// A hash of what the cell does; the same in every repeat and every plan.
    pub id: CellId,
    /// Every setting by its dotted path, for tables and results.
    pub params: BTreeMap<String, Value>,
    /// The settings, typed.
    pub spec: CellSpec,
}

/// A setting that differs between cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanAxis {
    /// Its dotted path: a key of [`Cell::params`].
    pub path: String,
    /// Its values in the order written.
    pub values: Vec<Value>,
}

/// One run of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which of [`Plan::cells`].
    pub cell: usize,
    /// Which repeat, from 0; also the block that it runs in.
    pub repeat: u32,
    /// Decides keys and payloads. The cells of a block share it, so that they
    /// are given the same records.
    pub seed: u64,
}

/// A workload, expanded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`] when it was made.
    pub version: u32,
    /// The workload's name.
    pub name: String,
    /// The question it answers; may be empty.
    pub question: String,
    /// A hash of the cells, the order of the runs and the seed, as 32
    /// hexadecimal digits.
    pub hash: String,
    /// The workload's seed.
    pub seed: u64,
    /// How often each cell is run.
    pub repeats: u32,
    /// Repeats that the workload asked for and the time budget has no room for.
    pub repeats_dropped: u32,
    /// The settings that differ between cells, in the order written.
    pub axes: Vec<PlanAxis>,
    /// Every cell once.
    pub cells: Vec<Cell>,
    /// Every run in its order: blocks one after the other, in each of which
    /// every cell comes once, in random order.
    pub runs: Vec<Run>,
    /// Files that the cells read, with a hash of their content.
    pub inputs: BTreeMap<String, String>,
    /// What may spoil the measurement, to show before the run.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The runs with their cells, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Run, &Cell)> {
        self.runs
            .iter()
            .filter_map(|run| Some((run, self.cells.get(run.cell)?)))
    }

    /// How long the plan takes when nothing goes wrong.
    pub fn expected(&self) -> Span {
        let spans = self.iter().map(|(_, cell)| cell.expected());
        spans.fold(Span::ZERO, Span::plus)
    }

    /// How long the plan takes when every drain takes all its time.
    pub fn at_most(&self) -> Span {
        let drains = self.iter().map(|(_, cell)| cell.spec.load.drain);
        drains.fold(self.expected(), Span::plus)
    }

    /// The values by which `cell` differs from the others, as `path=value`
    /// pairs without the section, such as `acks=all compression=lz4`.
    pub fn label(&self, cell: &Cell) -> String {
        let pairs = self.axes.iter().filter_map(|axis| {
            let value = cell.params.get(&axis.path)?;
            let name = axis
                .path
                .rsplit_once('.')
                .map_or(axis.path.as_str(), |(_, name)| name);
            Some(match value {
                Value::String(text) => format!("{name}={text}"),
                other => format!("{name}={other}"),
            })
        });
        let pairs: Vec<_> = pairs.collect();
        pairs.join(" ")
    }
}

impl Cell {
    /// How long one run of the cell takes when nothing goes wrong.
    pub fn expected(&self) -> Span {
        let hold = self.spec.load_time().plus(CELL_OVERHEAD);
        if self.spec.load.rate != RateSpec::Search {
            return hold;
        }
        let search = &self.spec.search;
        let probe = search.warmup.plus(search.probe).plus(CELL_OVERHEAD);
        (0..SEARCH_PROBES).fold(hold, |sum, _| sum.plus(probe))
    }
}

#[cfg(test)]
mod tests;
