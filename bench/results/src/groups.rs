//! Cells with equal parameters are repeats of one measurement; a [`Group`] is
//! that measurement.

use crate::stats::Spread;
use crate::{CellResult, LatencyKind, Params};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// All repeats of one set of parameters.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The parameters they share.
    pub params: &'a Params,
    /// The repeats in the order they ran, invalid ones included.
    pub cells: Vec<&'a CellResult>,
}

/// A number that every cell may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Records acknowledged per second.
    RecordsPerSecond,
    /// Uncompressed bytes acknowledged per second.
    BytesPerSecond,
    /// Median of a distribution.
    P50(LatencyKind),
    /// 99th percentile.
    P99(LatencyKind),
    /// 99.9th percentile.
    P999(LatencyKind),
    /// Largest value.
    Max(LatencyKind),
    /// Broker CPU seconds per 10⁹ uncompressed bytes.
    BrokerCpuPerGb,
    /// Client CPU seconds per 10⁹ uncompressed bytes.
    ClientCpuPerGb,
    /// Broker's peak resident set.
    BrokerMemory,
    /// Uncompressed bytes per byte sent.
    CompressionRatio,
    /// The highest rate that a search held.
    MaximumRate,
    /// Transactions committed per second.
    CommitsPerSecond,
}

impl Metric {
    /// The metric's value in a cell, when the cell has it and it is finite.
    pub fn of(self, cell: &CellResult) -> Option<f64> {
        let latency = |kind| cell.latency.get(kind);
        let broker = || cell.resources.broker.as_ref();
        let client = || cell.resources.client.as_ref();
        let value = match self {
            Self::RecordsPerSecond => Some(cell.throughput.records_per_s),
            Self::BytesPerSecond => Some(cell.throughput.bytes_per_s),
            Self::P50(kind) => latency(kind).map(|l| l.p50_us),
            Self::P99(kind) => latency(kind).map(|l| l.p99_us),
            Self::P999(kind) => latency(kind).map(|l| l.p999_us),
            Self::Max(kind) => latency(kind).map(|l| l.max_us),
            Self::BrokerCpuPerGb => broker().and_then(|u| u.cpu_seconds_per_gb),
            Self::ClientCpuPerGb => client().and_then(|u| u.cpu_seconds_per_gb),
            Self::BrokerMemory => broker().map(|u| u.peak_memory_bytes as f64),
            Self::CompressionRatio => cell.throughput.compression_ratio,
            Self::MaximumRate => {
                let search = cell.search.as_ref().filter(|search| search.confirmed);
                search.map(|search| search.records_per_s)
            }
            Self::CommitsPerSecond => cell.transactions.as_ref().map(|t| t.commits_per_s),
        };
        value.filter(|v| v.is_finite())
    }
}

impl<'a> Group<'a> {
    /// The repeats that may be used: the valid ones.
    pub fn valid(&self) -> impl Iterator<Item = &'a CellResult> + '_ {
        self.cells.iter().copied().filter(|cell| cell.valid)
    }

    /// The metric of each valid repeat that has it.
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        self.valid().filter_map(|cell| metric.of(cell)).collect()
    }

    /// The metric by block, for pairing with another group of the same run.
    pub fn by_block(&self, metric: Metric) -> BTreeMap<u32, f64> {
        self.valid()
            .filter_map(|cell| Some((cell.block, metric.of(cell)?)))
            .collect()
    }

    /// The metric over the valid repeats; `None` when no repeat has it.
    pub fn spread(&self, metric: Metric) -> Option<Spread> {
        Spread::of(&self.values(metric))
    }

    /// A parameter's value.
    pub fn param(&self, name: &str) -> Option<&'a Value> {
        self.params.get(name)
    }
}

/// Cells grouped by their parameters, in the order the groups first ran.
pub fn groups(cells: &[CellResult]) -> Vec<Group<'_>> {
    let mut found: Vec<Group<'_>> = Vec::new();
    let mut position: BTreeMap<String, usize> = BTreeMap::new();
    for cell in cells {
        let key = canonical(&cell.params);
        let at = *position.entry(key).or_insert_with(|| {
            found.push(Group {
                params: &cell.params,
                cells: Vec::new(),
            });
            found.len() - 1
        });
        if let Some(group) = found.get_mut(at) {
            group.cells.push(cell);
        }
    }
    found
}

/// Parameters that take more than one value over the cells, by name. An absent
/// parameter counts as a value of its own.
pub fn varied_params(cells: &[CellResult]) -> Vec<String> {
    let names: BTreeSet<&String> = cells.iter().flat_map(|c| c.params.keys()).collect();
    names
        .into_iter()
        .filter(|name| {
            let mut values = cells.iter().map(|c| c.params.get(*name));
            let first = values.next().flatten();
            values.any(|value| value != first)
        })
        .cloned()
        .collect()
}

/// A parameter's value as people write it.
pub fn value_label(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_string(),
        other => other.to_string(),
    }
}

/// `acks=all compression=lz4`: the named parameters without their section.
pub fn params_label(params: &Params, names: &[String]) -> String {
    let short = |name: &str| name.rsplit('.').next().unwrap_or(name).to_string();
    names
        .iter()
        .filter_map(|name| Some((name, params.get(name)?)))
        .map(|(name, value)| format!("{}={}", short(name), value_label(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn canonical(params: &Params) -> String {
    serde_json::to_string(params).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cell(acks: &str, partitions: u32, rate: f64, valid: bool) -> CellResult {
        let mut cell = CellResult {
            params: [
                ("producer.acks".to_string(), json!(acks)),
                ("records.size".to_string(), json!("1KiB")),
                ("topic.partitions".to_string(), json!(partitions)),
            ]
            .into(),
            valid,
            ..CellResult::default()
        };
        cell.throughput.records_per_s = rate;
        cell
    }

    #[test]
    fn repeats_group_in_the_order_they_first_ran() {
        let cells = [
            cell("all", 1, 10.0, true),
            cell("1", 1, 20.0, true),
            cell("all", 1, 12.0, true),
            cell("all", 1, 99.0, false),
        ];
        let groups = groups(&cells);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].cells.len(), 3);
        assert_eq!(groups[0].values(Metric::RecordsPerSecond), [10.0, 12.0]);
        let spread = groups[0].spread(Metric::RecordsPerSecond).expect("values");
        assert_eq!((spread.median, spread.n), (11.0, 2));
        assert_eq!(groups[1].spread(Metric::BrokerMemory), None);
    }

    #[test]
    fn what_varies_is_found_and_named() {
        let mut cells = vec![cell("all", 1, 1.0, true), cell("1", 1, 1.0, true)];
        assert_eq!(varied_params(&cells), ["producer.acks"]);
        cells[1].params.remove("records.size");
        assert_eq!(varied_params(&cells), ["producer.acks", "records.size"]);
        assert_eq!(
            params_label(
                &cells[0].params,
                &["producer.acks".into(), "topic.partitions".into()]
            ),
            "acks=all partitions=1"
        );
        assert!(varied_params(&[]).is_empty());
    }
}
