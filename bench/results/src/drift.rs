//! Whether the machine changed while a run went on.
//!
//! The cells of a block ran close together, and every setting stands in every
//! block once. A block whose cells are all slower than the same settings
//! elsewhere is no effect of a setting: a neighbour was busy, or a core hot.

use crate::stats::Spread;
use crate::{CellResult, Finding, Metric, Severity, groups};
use std::collections::BTreeMap;

/// Least difference between two blocks, as a share, that is told.
const DRIFT_MIN: f64 = 0.10;
/// Settings that a block must have: the spread of fewer says as much itself.
const SETTINGS_MIN: usize = 3;

/// Tells of the slowest and the fastest block when they differ by a tenth or
/// more over all settings.
pub fn drift(cells: &[CellResult]) -> Option<Finding> {
    let mut by_block: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for group in groups(cells) {
        let Some(spread) = group.spread(Metric::RecordsPerSecond) else {
            continue;
        };
        if spread.n < 2 || spread.median <= 0.0 {
            continue;
        }
        for (block, rate) in group.by_block(Metric::RecordsPerSecond) {
            by_block
                .entry(block)
                .or_default()
                .push(rate / spread.median);
        }
    }
    let medians = by_block
        .iter()
        .filter(|(_, shares)| shares.len() >= SETTINGS_MIN)
        .filter_map(|(block, shares)| Some((*block, Spread::of(shares)?.median)));
    let mut medians: Vec<(u32, f64)> = medians.collect();
    medians.sort_by(|a, b| a.1.total_cmp(&b.1));
    let ((slow, low), (fast, high)) = (*medians.first()?, *medians.last()?);
    let slower = 1.0 - low / high;
    (slower >= DRIFT_MIN).then(|| Finding {
        severity: Severity::Warning,
        code: "drift".to_owned(),
        message: format!(
            "block {slow} was {:.0} % slower than block {fast} over all settings: the machine \
             changed while the run went on",
            100.0 * slower
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Four settings in three blocks; `rate` tells each one's rate.
    fn check(rate: impl Fn(u32, u32) -> f64, expected: Option<&str>) {
        let cells = (0..3).flat_map(|block| (0..4).map(move |setting| (block, setting)));
        let cells: Vec<CellResult> = cells
            .map(|(block, setting)| {
                let mut cell = CellResult {
                    params: [("topic.partitions".to_owned(), json!(setting))].into(),
                    repeat: block,
                    block,
                    valid: true,
                    ..CellResult::default()
                };
                cell.throughput.records_per_s = rate(block, setting);
                cell
            })
            .collect();
        let found = drift(&cells).map(|finding| finding.message);
        match expected {
            None => assert_eq!(found, None),
            Some(start) => assert!(found.is_some_and(|found| found.starts_with(start))),
        }
    }

    #[test]
    fn a_block_that_is_slower_throughout_is_told() {
        let settings = |setting: u32| 1_000.0 * f64::from(setting + 1);
        check(|_, setting| settings(setting), None);
        let slow_second = |block, setting| settings(setting) * if block == 1 { 0.8 } else { 1.0 };
        check(slow_second, Some("block 1 was 20 % slower than block 2"));
        // One setting that scatters is not the machine.
        let one = |block, setting| match (block, setting) {
            (1, 2) => 100.0,
            _ => settings(setting),
        };
        check(one, None);
    }
}
