//! Faults that a workload causes in an embedded cluster: what happened is in the
//! result, and what acks = all promised is kept.

use plimsoll_results::{RunResult, load};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const WORKLOAD: &str = r#"
repeats = 1
cluster.nodes = 3
topic.partitions = 3
topic.replication_factor = 3
topic.configs.min.insync.replicas = 2
producer.acks = "all"
records.size = 100

[broker]
broker.session.timeout.ms = 1000
broker.heartbeat.interval.ms = 200

[load]
rate = "500/s"
warmup = "500ms"
duration = "9s"
drain = "60s"

[[faults]]
kind = "cut"
node = 1
at = "1s"
lasts = "2s"

[[faults]]
kind = "kill"
node = 2
at = "4s"
lasts = "1s"

[[faults]]
kind = "pause"
node = 3
at = "6s"
lasts = "500ms"

[[faults]]
kind = "slow-disk"
node = 1
delay = "5ms"
at = "7s"
"#;

fn run(home: &Path, more: &[&str]) -> Output {
    fs::write(home.join("faulty.toml"), WORKLOAD).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.current_dir(home);
    command.args(["run", "faulty.toml", "--quiet", "--out", "out"]);
    command.args(more).output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn four_faults_are_caused_and_nothing_acknowledged_is_lost() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = run(home.path(), &[]);
    let said = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}");
    let run: RunResult = load(&home.path().join("out"))
        .expect("the result reads")
        .run;
    let cell = run.cells.first().expect("a cell");
    let verified = &cell.verified;
    assert_eq!(
        (verified.sent, verified.acknowledged, verified.lost),
        (4750, 4750, 0),
        "{verified:?} {said}"
    );
    assert!(verified.is_clean(), "{verified:?}");
    let what: Vec<&str> = cell
        .faults
        .iter()
        .map(|fault| fault.what.as_str())
        .collect();
    let expected = [
        "cut node 1",
        "kill node 2",
        "pause node 3",
        "slow-disk node 1 by 5ms",
    ];
    assert_eq!(what, expected);
    for (fault, at) in cell.faults.iter().zip([1.0, 4.0, 6.0, 7.0]) {
        assert!(fault.from_s >= at, "{fault:?}");
        let lasts_on = fault.kind == "slow-disk";
        assert_eq!(fault.to_s.is_none(), lasts_on, "{fault:?}");
    }
    assert!(said.contains("fault: cut node 1 at "), "{said}");
    let chart = home.path().join("out/charts/throughput-over-time.svg");
    let chart = fs::read_to_string(chart).expect("a chart");
    assert!(chart.contains("kill node 2"), "faults are marked");
}

#[test]
fn a_cluster_that_is_there_takes_no_faults() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = run(home.path(), &["--target", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2), "a usage error");
    let said = text(&output.stderr);
    assert!(
        said.contains("faults: they are caused in the embedded cluster alone"),
        "{said}"
    );
}
