//! A run seen as a sweep: which parameters vary, over which values, and which
//! of them a chart lays along its axis, its colours and its panels.

use crate::units::quantity;
use plimsoll_results::{CellResult, Group, Metric, RunResult, groups, value_label, varied_params};
use serde_json::Value;
use std::cmp::Ordering;

/// More values than this are not told apart by colour.
const MAX_COLOURS: usize = 8;
/// More panels than this are not readable side by side.
pub(crate) const MAX_PANELS: usize = 3;

/// A parameter that varies.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// Its path in the workload file.
    pub path: String,
    /// Its values in a sensible order: numbers rising, codecs and acks in
    /// their usual order, words by the alphabet.
    pub values: Vec<Value>,
}

/// A run's cells, grouped, with its varied parameters.
pub(crate) struct Sweep<'a> {
    pub run: &'a RunResult,
    pub groups: Vec<Group<'a>>,
    pub axes: Vec<Axis>,
}

/// What each varied parameter does in one chart.
pub(crate) struct Roles<'s> {
    pub colour: Option<&'s Axis>,
    pub panel: Option<&'s Axis>,
    /// Parameters held at one value.
    pub fixed: Vec<(&'s Axis, &'s Value)>,
}

impl Axis {
    fn of(path: &str, cells: &[CellResult]) -> Self {
        let mut values: Vec<Value> = Vec::new();
        for value in cells.iter().filter_map(|c| c.params.get(path)) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        values.sort_by(value_order);
        Self {
            path: path.to_string(),
            values,
        }
    }

    /// The name without its section: `acks`.
    pub(crate) fn short(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// The name in a title: `batch size`.
    pub(crate) fn label(&self) -> String {
        match self.path.as_str() {
            "producer.batch_bytes" => "batch size".to_string(),
            "records.size" => "record size".to_string(),
            "load.rate" => "offered rate".to_string(),
            "producer.count" => "producers".to_string(),
            "consumer.count" => "consumers".to_string(),
            "transactions.records" => "records per transaction".to_string(),
            "topic.replication_factor" => "replication factor".to_string(),
            _ => self.short().replace('_', " "),
        }
    }

    /// The values as numbers, when all of them are.
    pub(crate) fn numbers(&self) -> Option<Vec<f64>> {
        self.values.iter().map(number).collect()
    }

    pub(crate) fn position(&self, value: &Value) -> usize {
        self.values.iter().position(|v| v == value).unwrap_or(0)
    }
}

impl<'a> Sweep<'a> {
    /// Looks at a run.
    pub(crate) fn of(run: &'a RunResult) -> Self {
        let names = if run.varied.is_empty() {
            varied_params(&run.cells)
        } else {
            run.varied.clone()
        };
        let axes = names
            .iter()
            .map(|name| Axis::of(name, &run.cells))
            .filter(|axis| axis.values.len() > 1)
            .collect();
        Self {
            run,
            groups: groups(&run.cells),
            axes,
        }
    }

    /// The varied parameter with this short name.
    pub(crate) fn axis(&self, short: &str) -> Option<&Axis> {
        self.axes.iter().find(|axis| axis.short() == short)
    }

    /// The varied values of a group, as `acks=all · lz4 · 6 partitions`.
    pub(crate) fn label(&self, group: &Group<'_>) -> String {
        let parts: Vec<String> = self
            .axes
            .iter()
            .filter_map(|axis| Some(named_value(axis, group.param(&axis.path)?)))
            .collect();
        if parts.is_empty() {
            return "the only cell".to_string();
        }
        parts.join(" · ")
    }

    /// Whether every load was "as fast as possible".
    pub(crate) fn saturating(&self) -> bool {
        let as_fast_as_possible = |cell: &CellResult| match cell.params.get("load.rate") {
            Some(rate) => value_label(rate) == "max",
            None => cell.throughput.target_records_per_s.is_none(),
        };
        self.run.cells.iter().all(as_fast_as_possible)
    }

    /// The group with the highest median of a metric.
    pub(crate) fn highest(&self, metric: Metric) -> Option<&Group<'a>> {
        self.extreme(metric, Ordering::Greater)
    }

    /// The group with the lowest median of a metric.
    pub(crate) fn lowest(&self, metric: Metric) -> Option<&Group<'a>> {
        self.extreme(metric, Ordering::Less)
    }

    fn extreme(&self, metric: Metric, want: Ordering) -> Option<&Group<'a>> {
        let mut best: Option<(&Group<'a>, f64)> = None;
        for group in &self.groups {
            let Some(spread) = group.spread(metric) else {
                continue;
            };
            if best.is_none_or(|(_, median)| spread.median.total_cmp(&median) == want) {
                best = Some((group, spread.median));
            }
        }
        best.map(|(group, _)| group)
    }

    /// Deals out the varied parameters other than `taken`: one to colours and
    /// one to panels, `preferred` ones first; the rest are held at the fastest
    /// cell's values.
    pub(crate) fn roles(&self, taken: &[&Axis], preferred: &[&str]) -> Roles<'_> {
        let mut free: Vec<&Axis> = self
            .axes
            .iter()
            .filter(|axis| taken.iter().all(|t| t.path != axis.path))
            .collect();
        free.sort_by_key(|axis| {
            preferred
                .iter()
                .position(|name| *name == axis.short())
                .unwrap_or(preferred.len())
        });
        let mut take = |most: usize| {
            let at = free.iter().position(|axis| axis.values.len() <= most)?;
            Some(free.remove(at))
        };
        let colour = take(MAX_COLOURS);
        let panel = take(MAX_PANELS);
        let fixed = free
            .into_iter()
            .filter_map(|axis| self.held(axis))
            .collect();
        Roles {
            colour,
            panel,
            fixed,
        }
    }

    /// The value at which a parameter is held where it has no place of its own:
    /// the fastest setting's.
    pub(crate) fn held<'s>(&'s self, axis: &'s Axis) -> Option<(&'s Axis, &'s Value)> {
        let best = self.highest(Metric::RecordsPerSecond);
        let wanted = best.and_then(|group| group.param(&axis.path));
        let value = axis.values.iter().find(|v| Some(*v) == wanted);
        Some((axis, value.or(axis.values.last())?))
    }

    /// Groups with these parameter values.
    pub(crate) fn matching(&self, wanted: &[(&Axis, &Value)]) -> Vec<&Group<'a>> {
        self.groups
            .iter()
            .filter(|group| {
                wanted
                    .iter()
                    .all(|(axis, value)| group.param(&axis.path) == Some(*value))
            })
            .collect()
    }

    /// Smallest and largest number of valid repeats of a group.
    pub(crate) fn repeats(&self) -> (usize, usize) {
        let counts = self.groups.iter().map(|g| g.valid().count());
        let counts: Vec<usize> = counts.filter(|n| *n > 0).collect();
        (
            counts.iter().min().copied().unwrap_or(0),
            counts.iter().max().copied().unwrap_or(0),
        )
    }
}

/// `acks=all`, `6 partitions`, `lz4`: a value that names itself where it can.
pub(crate) fn named_value(axis: &Axis, value: &Value) -> String {
    let text = value_label(value);
    match axis.short() {
        "compression" if text == "none" => "no compression".to_string(),
        "compression" | "driver" => text,
        "partitions" if text == "1" => "1 partition".to_string(),
        "partitions" => format!("{text} partitions"),
        "count" => format!("{text} {}", axis.label()),
        "acks" => format!("acks={text}"),
        _ => format!("{} {text}", axis.label()),
    }
}

/// A value as a number: itself, or a quantity with a unit.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => quantity(text),
        _ => None,
    }
}

/// The order in which a person lists a setting's values: codecs by cost, acks by
/// durability, quantities by size, other words by the alphabet.
pub fn value_order(a: &Value, b: &Value) -> Ordering {
    const USUAL: [&str; 8] = ["none", "snappy", "lz4", "zstd", "gzip", "0", "1", "all"];
    let (left, right) = (value_label(a), value_label(b));
    let usual = |text: &str| USUAL.iter().position(|u| *u == text);
    if let (Some(x), Some(y)) = (usual(&left), usual(&right)) {
        return x.cmp(&y);
    }
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.cmp(&right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check_order(values: &[Value], expected: &[Value]) {
        let cells: Vec<CellResult> = values
            .iter()
            .map(|value| CellResult {
                params: [("a.b".to_string(), value.clone())].into(),
                ..CellResult::default()
            })
            .collect();
        assert_eq!(Axis::of("a.b", &cells).values, expected);
    }

    #[test]
    fn values_stand_in_their_usual_order() {
        check_order(
            &[json!("all"), json!("0"), json!("1")],
            &[json!("0"), json!("1"), json!("all")],
        );
        check_order(
            &[json!("zstd"), json!("none"), json!("lz4")],
            &[json!("none"), json!("lz4"), json!("zstd")],
        );
        check_order(
            &[json!(12), json!(1), json!(3)],
            &[json!(1), json!(3), json!(12)],
        );
        check_order(
            &[json!("64KiB"), json!("16KiB"), json!("1MB")],
            &[json!("16KiB"), json!("64KiB"), json!("1MB")],
        );
        check_order(
            &[json!("max"), json!("50K/s"), json!("9K/s")],
            &[json!("9K/s"), json!("50K/s"), json!("max")],
        );
    }
}
