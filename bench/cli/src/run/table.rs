//! The result as a table for the terminal: one line for each combination of
//! settings, medians over its valid repeats.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use plimsoll_plots::units::{digits, micros, si};
use plimsoll_plots::value_order;
use plimsoll_results::stats::Spread;
use plimsoll_results::{Group, LatencyKind, Metric, RunResult, groups, params_label, value_label};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Renders a run.
pub fn render(run: &RunResult) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let settings = run.varied.iter().map(|path| short(path).to_owned());
    let measures = columns(run).into_iter().map(|column| column.0.to_owned());
    let tail = ["lost".to_owned(), "valid".to_owned()];
    table.set_header(settings.chain(measures).chain(tail));
    for group in in_order(run) {
        table.add_row(row(run, &group));
    }
    let columns = table.column_count();
    for column in table.column_iter_mut().skip(run.varied.len()).take(columns) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

/// The settings by their values, the first one slowest. Cells ran in random
/// order, which says nothing to a reader.
pub(super) fn in_order(run: &RunResult) -> Vec<Group<'_>> {
    let mut sorted = groups(&run.cells);
    sorted.sort_by(|a, b| {
        let by_setting = run
            .varied
            .iter()
            .map(|path| match (a.param(path), b.param(path)) {
                (Some(a), Some(b)) => value_order(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            });
        by_setting.fold(Ordering::Equal, Ordering::then)
    });
    sorted
}

/// A column: its heading, what it shows, and how.
type Column = (&'static str, Metric, fn(f64) -> String);

const COLUMNS: [Column; 10] = [
    ("maximum/s", Metric::MaximumRate, si),
    ("records/s", Metric::RecordsPerSecond, si),
    ("MB/s", Metric::BytesPerSecond, megabytes),
    ("p50", Metric::P50(LatencyKind::Response), micros),
    ("p99", Metric::P99(LatencyKind::Response), micros),
    ("p99.9", Metric::P999(LatencyKind::Response), micros),
    ("end to end p99", Metric::P99(LatencyKind::EndToEnd), micros),
    ("commits/s", Metric::CommitsPerSecond, si),
    ("commit p99", Metric::P99(LatencyKind::Commit), micros),
    ("broker CPU s/GB", Metric::BrokerCpuPerGb, digits),
];

/// Columns that stand in the table only when some cell has them.
const OPTIONAL: [Metric; 3] = [
    Metric::MaximumRate,
    Metric::CommitsPerSecond,
    Metric::P99(LatencyKind::Commit),
];

/// The columns of a run.
fn columns(run: &RunResult) -> Vec<&'static Column> {
    let shown = |column: &&Column| {
        let has = |cell| column.1.of(cell).is_some();
        !OPTIONAL.contains(&column.1) || run.cells.iter().any(has)
    };
    COLUMNS.iter().filter(shown).collect()
}

fn row(run: &RunResult, group: &Group<'_>) -> Vec<Cell> {
    let mut cells: Vec<Cell> = run
        .varied
        .iter()
        .map(|path| {
            Cell::new(
                group
                    .param(path)
                    .map_or_else(|| "–".to_owned(), value_label),
            )
        })
        .collect();
    for (_, metric, show) in columns(run) {
        let median = group.spread(*metric).map(|spread| show(spread.median));
        cells.push(Cell::new(median.unwrap_or_else(|| "–".to_owned())));
    }
    let lost: u64 = group.cells.iter().map(|cell| cell.verified.lost).sum();
    cells.push(Cell::new(lost));
    cells.push(Cell::new(format!(
        "{}/{}",
        group.valid().count(),
        group.cells.len()
    )));
    cells
}

/// What searches found, with the interval that holds the maximum, by setting.
pub fn maxima(run: &RunResult) -> Vec<String> {
    let line = |group: &Group<'_>| {
        let searches = || group.cells.iter().filter_map(|cell| cell.search.as_ref());
        let held = searches().filter(|search| search.confirmed);
        let held: Vec<f64> = held.map(|search| search.records_per_s).collect();
        let spread = Spread::of(&held)?;
        let failed = searches()
            .filter_map(|search| search.failed_at)
            .reduce(f64::max);
        let failed = failed.map_or_else(String::new, |at| format!(", failed at {}/s", si(at)));
        let limit = searches().find_map(|search| search.limited_by.first());
        let limit = limit.map_or_else(String::new, |limit| format!(": {limit}"));
        let setting = params_label(group.params, &run.varied);
        let gap = if setting.is_empty() { "" } else { ": " };
        let (median, low, high) = (spread.median, spread.min, spread.max);
        Some(format!(
            "{setting}{gap}held {}/s ({} to {} in {} of {} runs){failed}{limit}",
            si(median),
            si(low),
            si(high),
            spread.n,
            group.cells.len()
        ))
    };
    in_order(run).iter().filter_map(line).collect()
}

/// Why cells are invalid, each reason once with the number of cells.
pub fn invalid_reasons(run: &RunResult) -> Vec<String> {
    let invalid = || run.cells.iter().filter(|cell| !cell.valid);
    let reasons: BTreeSet<&String> = invalid().flat_map(|cell| &cell.invalid_reasons).collect();
    reasons
        .into_iter()
        .map(|reason| {
            let cells = invalid()
                .filter(|cell| cell.invalid_reasons.contains(reason))
                .count();
            format!("{cells} of {} cells: {reason}", run.cells.len())
        })
        .collect()
}

/// A setting's name without its section.
fn short(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

fn megabytes(bytes: f64) -> String {
    digits(bytes / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_results::{CellResult, LatencySummary};
    use serde_json::json;

    fn cell(acks: &str, rate: f64, valid: bool) -> CellResult {
        let mut cell = CellResult {
            params: [("producer.acks".to_owned(), json!(acks))].into(),
            valid,
            ..CellResult::default()
        };
        cell.throughput.records_per_s = rate;
        cell.throughput.bytes_per_s = rate * 1024.0;
        cell.latency.response = Some(LatencySummary {
            p50_us: 800.0,
            p99_us: 3_100.0,
            p999_us: 9_000.0,
            ..Default::default()
        });
        if !valid {
            cell.invalid_reasons
                .push("carried 1 of 2 records/s offered".to_owned());
            cell.verified.lost = 3;
        }
        cell
    }

    #[test]
    fn repeats_share_a_line_and_invalid_ones_do_not_count() {
        let run = RunResult {
            varied: vec!["producer.acks".to_owned()],
            cells: vec![
                cell("1", 50_000.0, true),
                cell("all", 40_000.0, true),
                cell("1", 1.0, false),
            ],
            ..RunResult::default()
        };
        insta::assert_snapshot!(render(&run));
        assert_eq!(
            invalid_reasons(&run),
            ["1 of 3 cells: carried 1 of 2 records/s offered"]
        );
    }
}
