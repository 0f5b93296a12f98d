//! Several workloads at once, each with a topic, producers, consumers and
//! records of its own.
//!
//! A setting at the top holds for every workload that does not set it itself.
//! What belongs to the cell as a whole, such as its duration and the embedded
//! cluster, is set at the top alone: all workloads run in one window on one
//! cluster.

use super::cell::{CellSpec, ClusterSpec, LoadSpec, SearchSpec};
use super::faults::FaultSpec;
use super::fields::Params;
use super::gate::GateSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The name of the tables that hold workloads, and of the parameter that lists
/// them.
pub const WORKLOAD: &str = "workload";

/// What all workloads of a cell together are called in results; no workload may
/// have this name.
pub const TOGETHER: &str = "together";

/// Workloads that one cell may have.
pub(super) const WORKLOADS_MAX: usize = 32;

/// Bytes of a workload's name: it is part of topics' names.
const NAME_BYTES_MAX: usize = 40;

/// One of several workloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadSpec {
    /// Its name, which no other of the cell has.
    pub name: String,
    /// Its settings, those of the top included.
    pub cell: CellSpec,
    /// The paths that it sets itself.
    own: BTreeSet<String>,
}

impl WorkloadSpec {
    /// A workload that sets nothing itself yet.
    pub(super) const fn new(name: String, cell: CellSpec) -> Self {
        Self {
            name,
            cell,
            own: BTreeSet::new(),
        }
    }

    /// Whether it follows the top in this setting.
    pub(super) fn follows(&self, path: &str) -> bool {
        !self.own.contains(path)
    }

    /// Notes that it sets `path` itself.
    pub(super) fn owns(&mut self, path: &str) {
        self.own.insert(path.to_owned());
    }

    /// Adds what it sets itself to `out`.
    pub(super) fn params(&self, out: &mut Params) {
        let name = &self.name;
        for (path, value) in self.cell.params() {
            if self.own.contains(&path) {
                out.insert(format!("{WORKLOAD}.{name}.{path}"), value);
            }
        }
    }
}

/// A workload's name and the setting within it, of a path such as
/// `workload.orders.producer.acks`.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(WORKLOAD)?.strip_prefix('.')?;
    rest.split_once('.')
}

/// The path of a setting, whichever workload's it is.
pub(crate) fn setting(path: &str) -> &str {
    split(path).map_or(path, |(_, setting)| setting)
}

/// Whether a setting is the same for all workloads of a cell.
pub(super) fn is_shared(path: &str) -> bool {
    const OF_THE_LOAD: [&str; 3] = ["warmup", "duration", "drain"];
    let (section, name) = path.split_once('.').unwrap_or(("", path));
    match section {
        ClusterSpec::SECTION | SearchSpec::SECTION | GateSpec::SECTION => true,
        FaultSpec::SECTION | "broker" => true,
        LoadSpec::SECTION => OF_THE_LOAD.contains(&name),
        "" => name != "driver",
        _ => false,
    }
}

/// What is wrong with a workload's name, if anything is.
pub(super) fn bad_name(name: &str, others: &[String]) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.chars().all(fits) {
        return Some(format!(
            "`{name}` is not 1 to {NAME_BYTES_MAX} letters, digits, `-` and `_`"
        ));
    }
    if name == TOGETHER {
        return Some(format!(
            "`{TOGETHER}` is what the results call all workloads of a cell: take another name"
        ));
    }
    others
        .iter()
        .any(|other| other == name)
        .then(|| format!("two workloads are called `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_all_is_told_from_what_is_a_workloads_own() {
        let check = |path: &str, shared: bool| assert_eq!(is_shared(path), shared, "{path}");
        check("load.duration", true);
        check("cluster.nodes", true);
        check("faults.1.at", true);
        check("broker.num.io.threads", true);
        check("gate.pairs", true);
        check("repeats", true);
        check("driver", false);
        check("load.rate", false);
        check("topic.configs.segment.bytes", false);
    }

    #[test]
    fn a_path_within_a_workload_splits_into_its_name_and_the_setting() {
        let path = "workload.orders.topic.configs.segment.bytes";
        assert_eq!(split(path), Some(("orders", "topic.configs.segment.bytes")));
        assert_eq!(setting(path), "topic.configs.segment.bytes");
        assert_eq!(setting("producer.acks"), "producer.acks");
        assert_eq!(split("workload.orders"), None);
    }
}
