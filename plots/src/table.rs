//! The table of a run: one row per setting, shared by page, markdown and CSV.

use crate::sweep::Sweep;
use crate::units::{bytes_rate, digits, memory, micros, range, si};
use plimsoll_results::stats::Spread;
use plimsoll_results::{Group, LatencyKind, Metric, RunResult, value_label};

/// A column: a metric and how it reads.
pub(crate) struct Column {
    pub name: &'static str,
    pub metric: Metric,
    pub text: fn(f64) -> String,
}

const COLUMNS: [Column; 12] = [
    column("maximum/s", Metric::MaximumRate, si),
    column("records/s", Metric::RecordsPerSecond, si),
    column("bytes/s", Metric::BytesPerSecond, bytes_rate),
    column("response p50", Metric::P50(LatencyKind::Response), micros),
    column("response p99", Metric::P99(LatencyKind::Response), micros),
    column(
        "response p99.9",
        Metric::P999(LatencyKind::Response),
        micros,
    ),
    column("end to end p99", Metric::P99(LatencyKind::EndToEnd), micros),
    column("commits/s", Metric::CommitsPerSecond, si),
    column("commit p99", Metric::P99(LatencyKind::Commit), micros),
    column("ratio", Metric::CompressionRatio, factor),
    column("broker CPU s/GB", Metric::BrokerCpuPerGb, digits),
    column("broker memory", Metric::BrokerMemory, memory),
];

const fn column(name: &'static str, metric: Metric, text: fn(f64) -> String) -> Column {
    Column { name, metric, text }
}

fn factor(ratio: f64) -> String {
    format!("{} ×", digits(ratio))
}

/// One number of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Number {
    pub median: String,
    /// `lowest–highest`, when repeats differ.
    pub range: String,
}

impl Number {
    fn none() -> Self {
        Self {
            median: "–".to_string(),
            range: String::new(),
        }
    }
}

/// One setting.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub values: Vec<String>,
    pub numbers: Vec<Number>,
    /// `3` or, with invalid repeats, `2 of 3`.
    pub repeats: String,
    pub invalid: bool,
}

/// The table of a run for a terminal: its head and one row a setting, medians
/// over the valid repeats.
pub fn numbers(run: &RunResult) -> (Vec<String>, Vec<Vec<String>>) {
    let table = Table::of(&Sweep::of(run));
    let names = table.metrics.iter().map(|name| (*name).to_string());
    let mut head: Vec<String> = table.parameters.iter().cloned().chain(names).collect();
    head.push("valid".to_string());
    let rows = table.rows.into_iter().map(|row| {
        let medians = row.numbers.into_iter().map(|number| number.median);
        let mut cells: Vec<String> = row.values.into_iter().chain(medians).collect();
        cells.push(row.repeats);
        cells
    });
    (head, rows.collect())
}

/// A run's table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub parameters: Vec<String>,
    pub metrics: Vec<&'static str>,
    pub rows: Vec<Row>,
}

impl Table {
    /// The rows in the order of their parameters; columns that no cell fills
    /// are left out.
    pub(crate) fn of(sweep: &Sweep<'_>) -> Self {
        let filled = |column: &&Column| {
            let mut groups = sweep.groups.iter();
            groups.any(|g| g.valid().any(|cell| column.metric.of(cell).is_some()))
        };
        let columns: Vec<&Column> = COLUMNS.iter().filter(filled).collect();
        let mut groups: Vec<&Group<'_>> = sweep.groups.iter().collect();
        groups.sort_by_cached_key(|group| {
            let place = |axis: &crate::sweep::Axis| {
                group.param(&axis.path).map(|value| axis.position(value))
            };
            sweep.axes.iter().map(place).collect::<Vec<_>>()
        });
        Self {
            parameters: sweep.axes.iter().map(|axis| axis.label()).collect(),
            metrics: columns.iter().map(|c| c.name).collect(),
            rows: groups
                .into_iter()
                .map(|group| row(sweep, group, &columns))
                .collect(),
        }
    }
}

impl Table {
    /// Keeps the rows whose markup fits into about `bytes`; returns how many
    /// there were when some had to go.
    pub(crate) fn shorten(&mut self, bytes: usize) -> Option<usize> {
        /// Tags around one value.
        const MARKUP: usize = 24;
        let all = self.rows.len();
        let mut left = bytes;
        let fitting = self.rows.iter().take_while(|row| {
            let values = row.values.iter().map(|v| v.len() + MARKUP);
            let numbers = row.numbers.iter();
            let numbers = numbers.map(|n| n.median.len() + n.range.len() + 2 * MARKUP);
            let size = values.chain(numbers).sum::<usize>() + 2 * MARKUP;
            let fits = size <= left;
            left = left.saturating_sub(size);
            fits
        });
        let kept = fitting.count();
        self.rows.truncate(kept);
        (kept < all).then_some(all)
    }
}

fn row(sweep: &Sweep<'_>, group: &Group<'_>, columns: &[&Column]) -> Row {
    let (valid, all) = (group.valid().count(), group.cells.len());
    Row {
        values: sweep
            .axes
            .iter()
            .map(|axis| {
                group
                    .param(&axis.path)
                    .map_or_else(String::new, value_label)
            })
            .collect(),
        numbers: columns
            .iter()
            .map(|column| {
                let spread = group.spread(column.metric);
                spread.map_or_else(Number::none, |s| number(&s, column))
            })
            .collect(),
        repeats: if valid == all {
            all.to_string()
        } else {
            format!("{valid} of {all}")
        },
        invalid: valid < all,
    }
}

/// Bytes follow records, and memory hardly moves: their ranges say nothing.
fn number(spread: &Spread, column: &Column) -> Number {
    let text = column.text;
    let bare = matches!(column.metric, Metric::BytesPerSecond | Metric::BrokerMemory);
    let (low, high) = (text(spread.min), text(spread.max));
    Number {
        median: text(spread.median),
        range: if bare || low == high {
            String::new()
        } else {
            range(&low, &high)
        },
    }
}
