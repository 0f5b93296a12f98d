//! The cells as CSV, one row a cell, raw numbers with units in the names, for
//! a spreadsheet or a data frame (RFC 4180).

use crate::PlotError;
use plimsoll_results::{CellResult, LatencyKind, RunResult, value_label};
use std::collections::BTreeSet;

/// Renders every cell of every run.
pub fn csv(runs: &[RunResult]) -> Result<String, PlotError> {
    if runs.is_empty() {
        return Err(PlotError::NoRuns);
    }
    let cells = runs.iter().flat_map(|run| &run.cells);
    let params: BTreeSet<&String> = cells.flat_map(|cell| cell.params.keys()).collect();
    let mut out = String::new();
    let mut head: Vec<String> = ["run", "target", "cell", "repeat", "block", "valid"]
        .map(String::from)
        .to_vec();
    head.extend(params.iter().map(|name| (*name).clone()));
    head.extend(["records_per_s", "bytes_per_s", "compression_ratio"].map(String::from));
    for kind in LatencyKind::ALL {
        let name = kind.name();
        head.extend(
            [
                "count", "mean_us", "p50_us", "p90_us", "p99_us", "p999_us", "max_us",
            ]
            .map(|field| format!("{name}_{field}")),
        );
    }
    for side in ["broker", "client"] {
        head.extend(
            ["cpu_seconds", "cpu_seconds_per_gb", "peak_memory_bytes"]
                .map(|field| format!("{side}_{field}")),
        );
    }
    head.extend(
        [
            "sent",
            "acknowledged",
            "consumed",
            "lost",
            "duplicated",
            "reordered",
            "corrupt",
        ]
        .map(String::from),
    );
    line(&mut out, &head);
    for run in runs {
        for cell in &run.cells {
            line(&mut out, &fields(run, cell, &params));
        }
    }
    Ok(out)
}

fn fields(run: &RunResult, cell: &CellResult, params: &BTreeSet<&String>) -> Vec<String> {
    let optional = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let mut fields = vec![
        run.name.clone(),
        run.target.label().to_string(),
        cell.id.clone(),
        cell.repeat.to_string(),
        cell.block.to_string(),
        cell.valid.to_string(),
    ];
    let value = |name: &&String| cell.params.get(*name).map_or_else(String::new, value_label);
    fields.extend(params.iter().map(value));
    fields.extend([
        cell.throughput.records_per_s.to_string(),
        cell.throughput.bytes_per_s.to_string(),
        optional(cell.throughput.compression_ratio),
    ]);
    for kind in LatencyKind::ALL {
        match cell.latency.get(kind) {
            None => fields.extend(vec![String::new(); 7]),
            Some(l) => {
                fields.push(l.count.to_string());
                let values = [l.mean_us, l.p50_us, l.p90_us, l.p99_us, l.p999_us, l.max_us];
                fields.extend(values.map(|v| v.to_string()));
            }
        }
    }
    for usage in [&cell.resources.broker, &cell.resources.client] {
        match usage {
            None => fields.extend(vec![String::new(); 3]),
            Some(usage) => fields.extend([
                usage.cpu_seconds.to_string(),
                optional(usage.cpu_seconds_per_gb),
                usage.peak_memory_bytes.to_string(),
            ]),
        }
    }
    let v = &cell.verified;
    let tallies = [
        v.sent,
        v.acknowledged,
        v.consumed,
        v.lost,
        v.duplicated,
        v.reordered,
        v.corrupt,
    ];
    fields.extend(tallies.map(|n| n.to_string()));
    fields
}

fn line(out: &mut String, fields: &[String]) {
    let quoted: Vec<String> = fields.iter().map(|field| quote(field)).collect();
    out.push_str(&quoted.join(","));
    out.push_str("\r\n");
}

fn quote(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_string()
}
