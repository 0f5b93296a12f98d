//! Valid cells with the settings that the fits look at.

use super::Measured;
use plimsoll_results::stats::Spread;
use plimsoll_results::{CellResult, Group, Metric, Params, RunResult, groups, varied_params};
use serde_json::Value;

/// The groups of every run, with repeats together.
pub(super) struct Cells<'a> {
    pub(super) groups: Vec<Setting<'a>>,
}

/// All repeats of one set of parameters in one run.
#[derive(Clone)]
pub(super) struct Setting<'a> {
    pub(super) run: &'a RunResult,
    pub(super) group: Group<'a>,
}

impl<'a> Cells<'a> {
    pub(super) fn of(runs: &'a [RunResult]) -> Self {
        let of_run = |run: &'a RunResult| {
            let groups = groups(&run.cells).into_iter();
            let used = groups.filter(|group| group.valid().next().is_some());
            used.map(move |group| Setting { run, group })
        };
        Self {
            groups: runs.iter().flat_map(of_run).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Settings that were driven as fast as possible.
    pub(super) fn saturating(&self) -> impl Iterator<Item = &Setting<'a>> {
        let open = |cell: &CellResult| cell.throughput.target_records_per_s.is_none();
        self.groups
            .iter()
            .filter(move |s| s.text("load.rate") == "max" && s.group.valid().all(open))
    }
}

impl Setting<'_> {
    /// A parameter as it is written; empty when it is absent.
    pub(super) fn text(&self, path: &str) -> String {
        match self.group.param(path) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        }
    }

    /// A parameter that is a plain number.
    pub(super) fn number(&self, path: &str) -> Option<f64> {
        self.group.param(path)?.as_f64()
    }

    /// A count, one when it is absent.
    pub(super) fn count(&self, path: &str) -> f64 {
        self.number(path).unwrap_or(1.0)
    }

    /// The brokers that were measured.
    pub(super) fn nodes(&self) -> f64 {
        f64::from(self.run.target.nodes.max(1))
    }

    /// What the run varied, with this group's values.
    pub(super) fn at(&self) -> String {
        let label =
            plimsoll_results::params_label(self.group.params, &varied_params(&self.run.cells));
        match label.is_empty() {
            true => "the run's only setting".to_owned(),
            false => label,
        }
    }

    /// `metric` over the repeats, each multiplied by `factor`.
    pub(super) fn measured(&self, metric: Metric, factor: f64) -> Option<Measured> {
        self.over(&self.group.values(metric), factor)
    }

    /// `values` over the repeats, each multiplied by `factor`.
    pub(super) fn over(&self, values: &[f64], factor: f64) -> Option<Measured> {
        let spread = Spread::of(values)?;
        Some(Measured {
            low: spread.min * factor,
            mid: spread.median * factor,
            high: spread.max * factor,
            run: self.run.name.clone(),
            at: self.at(),
            n: u32::try_from(spread.n).unwrap_or(u32::MAX),
        })
    }

    /// The parameters without one, to find settings that differ in it alone.
    pub(super) fn without(&self, path: &str) -> Params {
        let mut params = self.group.params.clone();
        params.remove(path);
        params
    }
}

/// The one with the largest middle value.
pub(super) fn most(found: impl Iterator<Item = Measured>) -> Option<Measured> {
    found
        .filter(|m| m.mid > 0.0)
        .max_by(|a, b| a.mid.total_cmp(&b.mid))
}
