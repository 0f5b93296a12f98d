//! Calibrations of runs that were made up to known laws.

use super::*;
use plimsoll_results::{CellResult, Fingerprint, Latency, LatencySummary, Resources, Usage};
use serde_json::{Value, json};

const LAW: Law = Law {
    gamma: 100_000.0,
    sigma: 0.1,
    kappa: 0.001,
};

/// A run of `cells` on a machine.
pub(crate) fn run(name: &str, cells: Vec<CellResult>) -> RunResult {
    RunResult {
        name: name.to_owned(),
        started_at: "2026-06-01T00:00:00Z".to_owned(),
        fingerprint: Fingerprint {
            hash: "machine-1".to_owned(),
            logical_cores: 4,
            ..Fingerprint::default()
        },
        cells,
        ..RunResult::default()
    }
}

/// A saturating cell with these settings that carried `rate` records of 1000
/// bytes.
pub(crate) fn cell(settings: &[(&str, Value)], repeat: u32, rate: f64) -> CellResult {
    let mut cell = CellResult {
        params: [("load.rate".to_owned(), json!("max"))].into(),
        repeat,
        block: repeat,
        valid: true,
        ..CellResult::default()
    };
    for (name, value) in settings {
        cell.params.insert((*name).to_owned(), value.clone());
    }
    cell.throughput.records_per_s = rate;
    cell.throughput.bytes_per_s = rate * 1000.0;
    cell
}

/// Partitions × repeats along [`LAW`], a little off.
pub(crate) fn sweep(partitions: &[u32], repeats: u32) -> Vec<CellResult> {
    let mut cells = Vec::new();
    for repeat in 0..repeats {
        for &n in partitions {
            let off = 1.0 + 0.02 * (f64::from(repeat) - 1.0);
            let settings = [("topic.partitions", json!(n))];
            cells.push(cell(&settings, repeat, LAW.at(f64::from(n)) * off));
        }
    }
    cells
}

#[test]
fn one_partition_and_one_broker_have_their_limits() {
    let found = Calibration::of(&[run("scaling", sweep(&[1, 2, 4, 8, 16, 32], 3))]).expect("runs");
    let partition = found.partition_records.expect("one partition was measured");
    assert_eq!((partition.mid, partition.n), (100_000.0, 3));
    let bytes = found
        .partition_bytes
        .expect("in bytes too")
        .byte_rate()
        .expect("a rate");
    assert_eq!(bytes.value.low.bytes_per_second(), 98_000_000);
    assert_eq!(
        bytes.provenance.to_string(),
        "measured in scaling: 98.0 MB/s to 102.0 MB/s, n = 3"
    );
    let most = (1..=32).map(|n| LAW.at(f64::from(n))).fold(0.0, f64::max);
    let broker = found.broker_records.expect("a broker was saturated");
    assert!(broker.mid <= most && broker.mid > 0.9 * most, "{broker:?}");
}

#[test]
fn a_sweep_of_six_values_gives_a_law_and_fewer_are_named() {
    let found = Calibration::of(&[run("scaling", sweep(&[1, 2, 4, 8, 16, 32], 3))]).expect("runs");
    let law = found.scaling_of("topic.partitions").expect("fitted").law;
    assert!(
        (law.sigma - LAW.sigma).abs() < 0.01 && (law.kappa - LAW.kappa).abs() < 2e-4,
        "{law:?}"
    );
    let found = Calibration::of(&[run("short", sweep(&[1, 2, 4], 3))]).expect("runs");
    assert!(found.scaling.is_empty());
    let left = found
        .left_out
        .iter()
        .find(|text| text.starts_with("scaling"));
    assert_eq!(
        left.map(String::as_str),
        Some(
            "scaling with topic.partitions in short at the run's other settings: 3 values of N with \
             at least 3 runs each; a fit needs 6 values with 3 runs each"
        )
    );
}

/// The hypervisor spoilt two of four runs at 32 partitions, and no law was fitted
/// to the other eleven values.
#[test]
fn a_value_with_too_few_valid_runs_is_left_out_and_named() {
    let mut cells = sweep(&[1, 2, 4, 8, 16, 24, 32], 4);
    for cell in &mut cells {
        cell.valid = cell.params["topic.partitions"] != json!(32) || cell.repeat < 2;
    }
    let found = Calibration::of(&[run("spoilt", cells)]).expect("runs");
    let scaling = found.scaling_of("topic.partitions").expect("fitted");
    assert_eq!(scaling.samples.len(), 6 * 4);
    assert!(scaling.samples.iter().all(|sample| sample.n < 32.0));
    let left = found.left_out.iter().find(|text| text.contains("left out"));
    assert_eq!(
        left.map(String::as_str),
        Some(
            "scaling with topic.partitions in spoilt at the run's other settings: left out, with \
             fewer than 3 valid runs: 32 (2 valid)"
        )
    );
}

/// Half of the values predict the other half, through the file and back.
#[test]
fn half_of_a_sweep_predicts_the_cells_that_were_held_back() {
    let partitions = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
    let found = Calibration::of(&[run("scaling", sweep(&partitions, 3))]).expect("runs");
    let json = serde_json::to_string(&found).expect("a calibration is JSON");
    let read = Calibration::from_json(&json).expect("reads back");
    assert_eq!(read.runs, found.runs);
    let checked = hold_back(&read.scaling[0]).expect("six values are left");
    assert_eq!(checked.held.len(), 6);
    assert!(checked.worst() < 0.15, "{}", checked.worst());
    assert!(checked.coverage() >= 0.8, "{}", checked.coverage());
}

#[test]
fn codecs_acks_and_commits_are_told_from_pairs_of_settings() {
    let mut cells = Vec::new();
    for repeat in 0..5 {
        for (acks, p99) in [("1", 2000.0), ("all", 5000.0)] {
            for codec in ["none", "zstd:3"] {
                let acks = if acks == "1" { json!(1) } else { json!(acks) };
                let settings = [
                    ("producer.acks", acks),
                    ("producer.compression", json!(codec)),
                ];
                let mut cell = cell(&settings, repeat, 50_000.0);
                cell.latency = Latency {
                    response: Some(LatencySummary {
                        p50_us: p99 / 2.0,
                        p99_us: p99 + 10.0 * f64::from(repeat),
                        ..LatencySummary::default()
                    }),
                    ..Latency::default()
                };
                let ratio = if codec == "none" {
                    1.0
                } else {
                    4.0 + 0.1 * f64::from(repeat)
                };
                cell.throughput.compression_ratio = Some(ratio);
                cells.push(cell);
            }
        }
    }
    for repeat in 0..3 {
        // 1000 records of one producer take 10 ms; a commit takes 5 ms more.
        cells.push(cell(&[], repeat, 100_000.0));
        cells.push(cell(
            &[("transactions.records", json!(1000))],
            repeat,
            1000.0 / 0.015,
        ));
    }
    let found = Calibration::of(&[run("costs", cells)]).expect("runs");
    let acks = found.acks.as_ref().expect("acks varied");
    assert_eq!((acks.p50_us.mid, acks.p99_us.mid), (1500.0, 3000.0));
    let ratio = found.ratio("zstd").expect("zstd was used");
    assert_eq!((ratio.value.low, ratio.value.high), (4.0, 4.4));
    assert!(found.ratio("lz4").is_none());
    let commit = found
        .commit_seconds
        .expect("transactions varied")
        .span()
        .expect("a time");
    assert!((commit.value.secs_f64() - 0.005).abs() < 1e-9, "{commit:?}");
}

#[test]
fn the_brokers_cpu_is_so_much_a_batch_and_so_much_a_byte() {
    let cpu = |records_per_batch: f64| {
        let bytes = records_per_batch * 1000.0;
        let mut cell = cell(&[("producer.batch_bytes", json!(bytes))], 0, 10_000.0);
        cell.throughput.records_per_batch = Some(records_per_batch);
        cell.resources = Resources {
            broker: Some(Usage {
                cpu_seconds_per_gb: Some((30e-6 + bytes * 0.5e-9) / bytes * 1e9),
                ..Usage::default()
            }),
            ..Resources::default()
        };
        cell
    };
    let found =
        Calibration::of(&[run("batches", vec![cpu(10.0), cpu(100.0), cpu(1000.0)])]).expect("runs");
    let cost = found.broker_cpu.expect("sizes differ");
    assert!((cost.seconds_per_batch - 30e-6).abs() < 1e-9, "{cost:?}");
    assert!((cost.seconds_per_byte - 0.5e-9).abs() < 1e-13, "{cost:?}");
    // One produce request and one fetch.
    assert_eq!(cost.per_request().value, Span::from_nanos(15_000));
    let found = Calibration::of(&[run("one size", vec![cpu(10.0)])]).expect("runs");
    assert!(
        found
            .left_out
            .iter()
            .any(|text| text.contains("sizes 2 times apart"))
    );
}

#[test]
fn what_cannot_be_used_is_refused() {
    let check = |runs: &[RunResult], expected: &str| {
        let error = Calibration::of(runs).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&[], "there is no run");
    let mut invalid = run("invalid", sweep(&[1], 1));
    invalid.cells.iter_mut().for_each(|cell| cell.valid = false);
    check(&[invalid], "no cell of these runs is valid");
    let mut other = run("other", sweep(&[1], 1));
    other.fingerprint.hash = "machine-2".to_owned();
    check(
        &[run("one", sweep(&[1], 1)), other],
        "one ran on machine machine-1, other on machine-2",
    );
    let text =
        serde_json::to_string(&Calibration::of(&[run("one", sweep(&[1], 1))]).expect("runs"));
    let newer = text
        .expect("JSON")
        .replacen("\"version\":1", "\"version\":9", 1);
    let error = Calibration::from_json(&newer)
        .expect_err("newer")
        .to_string();
    assert!(
        error.contains("version 9, this plimsoll reads 1"),
        "{error}"
    );
}
