//! Content hashes of cells and of the plan.
//!
//! A cell's hash is taken over its settings, one a line in the order of their
//! paths. A setting at its default is left out, so that the ids of old cells
//! hold when the language gains a setting; a file is named by its content, so
//! that they hold when it moves.

use super::{CellId, PLAN_VERSION, Run};
use crate::language::{CellSpec, Params, setting};
use std::collections::BTreeMap;

/// What tells this program's hashes from others'.
const DOMAIN: &str = "plimsoll";

/// The settings that name a file.
const FILE_SETTINGS: [&str; 2] = ["records.sample", "load.arrivals"];

/// The id of a cell with these settings. `inputs` has the content hashes of
/// files by the value that names them.
pub(super) fn cell_id(params: &Params, inputs: &BTreeMap<String, String>) -> CellId {
    let defaults = CellSpec::default().resolved().params();
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{DOMAIN} cell {PLAN_VERSION}\n").as_bytes());
    for (path, value) in params {
        let text = value.as_str().unwrap_or_default();
        let line = match inputs
            .get(text)
            .filter(|_| FILE_SETTINGS.contains(&setting(path)))
        {
            Some(hash) => format!("{path}=content {hash}\n"),
            None if defaults.get(path) == Some(value) => continue,
            None => format!("{path}={value}\n"),
        };
        hasher.update(line.as_bytes());
    }
    CellId(short_hex(&hasher, 16))
}

/// The hash of a plan that runs these cells in this order.
pub(super) fn plan_hash(name: &str, ids: &[&CellId], runs: &[Run]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{DOMAIN} plan {PLAN_VERSION}\n{name}\n").as_bytes());
    for id in ids {
        hasher.update(format!("{id}\n").as_bytes());
    }
    for run in runs {
        hasher.update(format!("{} {} {}\n", run.cell, run.repeat, run.seed).as_bytes());
    }
    short_hex(&hasher, 32)
}

/// The content hash of a file.
pub(super) fn content_hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn short_hex(hasher: &blake3::Hasher, digits: usize) -> String {
    hasher.finalize().to_hex().chars().take(digits).collect()
}
