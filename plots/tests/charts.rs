//! The charts of fixed results, as pictures and as text.

mod fixture;

use plimsoll_plots::charts;
use plimsoll_results::{Floor, FloorUnit, Probe, Search};
use std::path::PathBuf;

/// Where the pictures stay for a look.
fn out(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn the_quickstart_draws_every_chart_its_data_carries() {
    let dir = out("quickstart");
    plimsoll_results::save(&fixture::quickstart(), &dir).expect("saves");
    let run = plimsoll_results::load(&dir).expect("loads").run;
    let files = charts(&run, &dir.join("charts")).expect("draws");
    let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "throughput",
            "throughput-heat",
            "latency-heat",
            "latency-spectrum",
            "response-against-service",
            "latency-over-time",
            "throughput-over-time",
            "lag-over-time",
            "disk-over-time",
            "cpu-over-time",
            "compression-against-throughput",
            "broker-cpu-per-gb",
        ]
    );
}

/// A search that doubles its rate from 20K/s and closes in on `limit`.
fn search(limit: f64) -> Search {
    let rates = [0.2, 0.4, 0.8, 1.6, 1.2, 1.0, 1.1, 1.05].map(|share| share * limit);
    let probe = |rate: f64| {
        let over = rate / limit;
        let p99 = 900.0 + 400.0 * over.powi(2) + if over > 1.0 { 3e6 * (over - 1.0) } else { 0.0 };
        Probe {
            records_per_s: rate,
            achieved: rate.min(limit),
            p99_us: Some(p99),
            failed: (over > 1.0)
                .then(|| "p99".to_string())
                .into_iter()
                .collect(),
            ..Probe::default()
        }
    };
    Search {
        records_per_s: limit,
        failed_at: Some(limit * 1.05),
        confirmed: true,
        objective_us: 20_000.0,
        limited_by: vec!["p99".into()],
        probes: rates.map(probe).to_vec(),
    }
}

#[test]
fn searches_are_drawn_up_to_the_knee_above_the_floor() {
    let mut run = fixture::run(&fixture::Sweep {
        acks: vec!["1", "all"],
        compression: vec!["none"],
        partitions: vec![6],
        repeats: 3,
        speed: 1.0,
        samples: 500,
    });
    let name = "latency-to-the-knee".to_string();
    assert!(!names(&run, "no-knee").contains(&name));
    run.floors = vec![Floor {
        name: Floor::ROUND_TRIP_P50.into(),
        value: 24.0,
        unit: FloorUnit::Microseconds,
        how: "made up".into(),
    }];
    for (at, cell) in run.cells.iter_mut().enumerate() {
        let all = cell.params["producer.acks"] == "all";
        let limit = if all { 90e3 } else { 240e3 };
        cell.search = Some(search(limit * (1.0 + 0.02 * at as f64)));
    }
    assert!(names(&run, "knee").contains(&name));
    let one = |run: &mut plimsoll_results::RunResult| {
        run.cells
            .retain(|cell| cell.params["producer.acks"] == "all");
        let drawn = plimsoll_plots::draw(run).expect("draws");
        let knee = drawn
            .into_iter()
            .find(|chart| chart.name == "latency-to-the-knee");
        knee.expect("drawn").svg
    };
    // The interval from the lowest that was held to the highest that failed.
    let svg = one(&mut run);
    for told in [
        "where the maximum lies, 91.8K to 104K records/s",
        "the objective, 20 ms",
        "24 µs",
    ] {
        assert!(svg.contains(told), "{told} is not in the picture");
    }
    assert!(names(&run, "knee-of-one").contains(&name));
}

fn names(run: &plimsoll_results::RunResult, dir: &str) -> Vec<String> {
    let files = charts(run, &out(dir)).expect("draws");
    files.into_iter().map(|file| file.name).collect()
}

#[test]
fn eight_numbers_of_partitions_carry_a_law() {
    let sweep = fixture::Sweep {
        acks: vec!["all"],
        compression: vec!["none"],
        partitions: vec![1, 2, 3, 4, 6, 8, 12, 16],
        repeats: 4,
        speed: 0.3,
        samples: 500,
    };
    let mut run = fixture::run(&sweep);
    assert!(names(&run, "law").contains(&"scaling-law".to_string()));
    run.cells.retain(|cell| cell.repeat < 2);
    assert!(!names(&run, "no-law").contains(&"scaling-law".to_string()));
}

#[test]
fn uneven_partitions_are_drawn_where_they_were_counted() {
    let mut run = fixture::quickstart();
    let name = "partition-skew".to_string();
    assert!(!names(&run, "even").contains(&name));
    for cell in &mut run.cells {
        let partitions = cell.params["topic.partitions"].as_u64().unwrap_or(1);
        let records = |p: u64| if p == 0 { 9_000 } else { 1_000 + 40 * p };
        cell.partition_records = (0..partitions).map(records).collect();
    }
    assert!(names(&run, "skew").contains(&name));
}

#[test]
fn transactions_are_held_against_plain_records_and_the_claim() {
    let mut run = fixture::quickstart();
    for cell in &mut run.cells {
        let partitions = cell.params.remove("topic.partitions");
        let (records, share) = match partitions.and_then(|p| p.as_u64()) {
            Some(1) => ("none".into(), 1.0),
            Some(3) => (10.into(), 0.42),
            _ => (1_000.into(), 0.88),
        };
        cell.params.insert("transactions.records".into(), records);
        cell.throughput.records_per_s = 300_000.0 * share * (1.0 + 0.01 * f64::from(cell.block));
    }
    run.varied[2] = "transactions.records".into();
    assert!(names(&run, "transactions").contains(&"transactions-against-plain".to_string()));
}

#[test]
fn history_is_drawn_for_each_setting_with_its_changes() {
    use plimsoll_gate::change_points::Sensitivity;
    use plimsoll_gate::history::{Entry, tracks};
    let entry = |day: usize| {
        let speed = if day < 14 { 1.0 } else { 0.8 };
        let noise = 1.0 + 0.02 * ((day * 7 % 5) as f64 - 2.0);
        let mut run = fixture::run(&fixture::Sweep {
            acks: vec!["all"],
            compression: vec!["none"],
            partitions: vec![6],
            repeats: 3,
            speed: speed * noise,
            samples: 100,
        });
        run.started_at = format!("2026-01-{day:02}T03:00:00Z");
        run.fingerprint.git_revision = Some(format!("{:040x}", day * 7_919));
        Entry::of(&run).expect("valid runs")
    };
    let entries: Vec<Entry> = (1..=28).map(entry).collect();
    let tracks = tracks(&entries, &Sensitivity::default());
    let files = plimsoll_plots::history_charts(&tracks, &out("history")).expect("draws");
    assert_eq!(files.len(), 1);
    let svg = std::fs::read_to_string(&files[0].svg).expect("written");
    assert!(svg.contains("throughput") && svg.contains("2026-01-01"));
}
