//! What each of several workloads of a cell measured.
//!
//! A cell's own numbers are of all of them together. [`RunResult::by_workload`]
//! lays a run out so that each workload is a setting among others, for readers
//! that know nothing of workloads.

use crate::{
    Backlog, CellResult, Latency, Poison, Rebalances, RunResult, Second, Throughput, Transactions,
    Verified,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The parameter that tells workloads apart.
pub const WORKLOAD: &str = "workload";

/// Its value for all workloads together.
pub const TOGETHER: &str = "together";

/// One of the workloads that ran at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadResult {
    /// Its name.
    pub name: String,
    /// Its records and bytes per second.
    pub throughput: Throughput,
    /// Its latency distributions.
    pub latency: Latency,
    /// What became of its records.
    pub verified: Verified,
    /// Its transactions; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Transactions>,
    /// Its poison; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poison: Option<Poison>,
    /// How far its groups were behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backlog: Vec<Backlog>,
    /// How its partitions moved between consumers; absent where nothing could
    /// move them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalances: Option<Rebalances>,
    /// Records in each of its partitions' logs at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_records: Vec<u64>,
    /// Bytes of its topic's files at the end, all replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_disk_bytes: Option<u64>,
    /// Whether its measurement may be used for a verdict.
    pub valid: bool,
    /// Why it may not.
    #[serde(default)]
    pub invalid_reasons: Vec<String>,
    /// One entry per second of the measured window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Second>,
    /// Its `.hlog` file, relative to the result's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram_file: Option<String>,
}

impl WorkloadResult {
    /// A workload's part of what a cell of its own found.
    pub fn of(name: &str, cell: CellResult) -> Self {
        Self {
            name: name.to_owned(),
            throughput: cell.throughput,
            latency: cell.latency,
            verified: cell.verified,
            transactions: cell.transactions,
            poison: cell.poison,
            backlog: cell.backlog,
            rebalances: cell.rebalances,
            partition_records: cell.partition_records,
            topic_disk_bytes: cell.resources.topic_disk_bytes,
            valid: cell.valid,
            invalid_reasons: cell.invalid_reasons,
            timeline: cell.timeline,
            histogram_file: cell.histogram_file,
        }
    }

    /// The cell that had this workload alone. What the processes used belongs to
    /// all workloads, and is in none of them.
    fn as_cell(&self, cell: &CellResult) -> CellResult {
        let mut alone = CellResult {
            id: format!("{}-{}", cell.id, self.name),
            params: cell.params.clone(),
            repeat: cell.repeat,
            block: cell.block,
            started_at: cell.started_at.clone(),
            throughput: self.throughput.clone(),
            latency: self.latency.clone(),
            verified: self.verified.clone(),
            transactions: self.transactions.clone(),
            poison: self.poison.clone(),
            backlog: self.backlog.clone(),
            rebalances: self.rebalances.clone(),
            partition_records: self.partition_records.clone(),
            valid: self.valid,
            invalid_reasons: self.invalid_reasons.clone(),
            timeline: self.timeline.clone(),
            histogram_file: self.histogram_file.clone(),
            ..CellResult::default()
        };
        alone.resources.topic_disk_bytes = self.topic_disk_bytes;
        let within = format!("{WORKLOAD}.{}.", self.name);
        for (path, value) in &cell.params {
            if let Some(own) = path.strip_prefix(&within) {
                alone.params.insert(own.to_owned(), value.clone());
            }
        }
        let name = self.name.as_str().into();
        alone.params.insert(WORKLOAD.to_owned(), name);
        alone
    }
}

impl RunResult {
    /// The run with a cell for each workload, besides those of all together,
    /// told apart by the setting [`WORKLOAD`]; the run itself where no cell has
    /// several.
    pub fn by_workload(&self) -> Cow<'_, Self> {
        if self.cells.iter().all(|cell| cell.workloads.is_empty()) {
            return Cow::Borrowed(self);
        }
        let mut laid_out = Self {
            cells: Vec::new(),
            ..self.clone()
        };
        laid_out.varied.push(WORKLOAD.to_owned());
        for cell in &self.cells {
            laid_out
                .cells
                .extend(cell.workloads.iter().map(|workload| workload.as_cell(cell)));
            let mut together = cell.clone();
            together.workloads = Vec::new();
            together.params.insert(WORKLOAD.to_owned(), TOGETHER.into());
            laid_out.cells.push(together);
        }
        let each = laid_out.cells.len() / self.cells.len().max(1);
        let each = u32::try_from(each).unwrap_or(1);
        laid_out.planned_cells = self.planned_cells.saturating_mul(each);
        Cow::Owned(laid_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workload(name: &str, rate: f64) -> WorkloadResult {
        WorkloadResult {
            name: name.to_owned(),
            throughput: Throughput::over_window(rate as u64, 0, 1.0),
            valid: true,
            ..WorkloadResult::default()
        }
    }

    #[test]
    fn each_workload_becomes_a_cell_with_its_own_settings() {
        let cell = CellResult {
            id: "c".to_owned(),
            params: [
                ("workload", json!("orders, bulk")),
                ("topic.partitions", json!(1)),
                ("workload.bulk.topic.partitions", json!(12)),
            ]
            .map(|(path, value)| (path.to_owned(), value))
            .into(),
            throughput: Throughput::over_window(110, 0, 1.0),
            workloads: vec![workload("orders", 10.0), workload("bulk", 100.0)],
            ..CellResult::default()
        };
        let run = RunResult {
            cells: vec![cell],
            planned_cells: 1,
            ..RunResult::default()
        };
        let laid_out = run.by_workload();
        let rows: Vec<_> = laid_out
            .cells
            .iter()
            .map(|cell| {
                let text = |path: &str| cell.params[path].to_string();
                let rate = cell.throughput.records_per_s;
                (text(WORKLOAD), text("topic.partitions"), rate)
            })
            .collect();
        let row = |name: &str, partitions: &str, rate: f64| {
            (format!("{name:?}"), partitions.to_owned(), rate)
        };
        let expected = [
            row("orders", "1", 10.0),
            row("bulk", "12", 100.0),
            row(TOGETHER, "1", 110.0),
        ];
        assert_eq!(rows, expected);
        assert_eq!(laid_out.varied, [WORKLOAD]);
        assert_eq!(laid_out.planned_cells, 3);
        assert!(matches!(laid_out.by_workload(), Cow::Borrowed(_)));
    }
}
