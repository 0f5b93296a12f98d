//! Load from several processes that meet through a topic.

use plimsoll::embedded::{Embedded, Options};
use plimsoll_results::load;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");

fn broker() -> Embedded {
    Embedded::start(&Options {
        program: Some(PLIMSOLL.into()),
        properties: vec![("group.initial.rebalance.delay.ms".into(), "50".into())],
        ..Options::default()
    })
    .expect("a broker starts")
}

fn worker(rendezvous: &str) -> Child {
    Command::new(PLIMSOLL)
        .args(["worker", "--once", "--rendezvous", rendezvous])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs")
}

fn run(home: &Path, target: &str, more: &[&str]) -> Output {
    let mut command = Command::new(PLIMSOLL);
    command
        .current_dir(home)
        .args(["run", "quickstart", "--quiet", "--out", "ours"])
        .args(["--target", target, "--rendezvous", target]);
    for set in [
        "repeats=1",
        "topic.partitions=3",
        "producer.count=3",
        "consumer.count=2",
        "producer.acks=all",
        "producer.compression=[none,lz4]",
        "load.rate=3K/s",
        "load.warmup=100ms",
        "load.duration=1s",
    ] {
        command.args(["--set", set]);
    }
    command.args(more).output().expect("it runs")
}

#[test]
fn several_processes_measure_as_one() {
    let home = tempfile::tempdir().expect("a directory");
    let broker = broker();
    let workers: Vec<Child> = (0..2).map(|_| worker(broker.address())).collect();
    let named = ["--workers", "2", "--target-name", "a cluster"];
    let output = run(home.path(), broker.address(), &named);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    for worker in workers {
        let ended = worker.wait_with_output().expect("it ended");
        let words = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{words}");
        assert!(words.contains("worker: working as "), "{words}");
        assert!(words.contains("worker: the run is over"), "{words}");
    }
    let loaded = load(&home.path().join("ours")).expect("a result");
    assert_eq!(loaded.run.target.label(), "a cluster");
    assert_eq!(loaded.run.cells.len(), 2);
    for cell in &loaded.run.cells {
        assert!(cell.verified.is_clean(), "{:?}", cell.verified);
        // Warm-up and measured second of three thousand a second: every process
        // had its part in it, and each record was read.
        assert_eq!(cell.verified.sent, 3300, "{:?}", cell.verified);
        assert_eq!(cell.verified.consumed, 3300, "{:?}", cell.verified);
        let response = cell.latency.response.as_ref().expect("measured");
        assert_eq!(response.count, 3000);
        assert_eq!(cell.workers.len(), 2);
        for clock in &cell.workers {
            // One machine has one clock: what was found must lie within the bound.
            assert!(clock.ahead_us.abs() <= clock.bound_us, "{clock:?}");
        }
    }
}

/// Two workloads; the consumers of one are a group, of which one leaves and joins
/// again all the time, so that partitions move between processes.
const SEVERAL: &str = r#"
question = "Do processes carry several workloads and a group together?"
repeats = 1

[load]
warmup = "100ms"
duration = "2s"
drain = "20s"

[[workload]]
name = "orders"
topic.partitions = 2
producer.count = 1
load.rate = "1K/s"

[[workload]]
name = "import"
topic.partitions = 3
producer.count = 2
load.rate = "2K/s"
consumer.count = 2
consumer.group = true
consumer.heartbeat = "100ms"
consumer.restart_every = "500ms"
"#;

#[test]
fn several_processes_carry_several_workloads_and_one_group() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("several.toml"), SEVERAL).expect("written");
    let broker = broker();
    let target = broker.address();
    let workers: Vec<Child> = (0..2).map(|_| worker(target)).collect();
    let output = Command::new(PLIMSOLL)
        .current_dir(home.path())
        .args([
            "run",
            "several.toml",
            "--quiet",
            "--out",
            "ours",
            "--workers",
            "2",
        ])
        .args(["--target", target, "--rendezvous", target])
        .output()
        .expect("it runs");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    for worker in workers {
        let ended = worker.wait_with_output().expect("it ended");
        let words = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(words.contains("worker: the run is over"), "{words}");
    }
    let loaded = load(&home.path().join("ours")).expect("a result");
    let [cell] = &loaded.run.cells[..] else {
        panic!("one cell: {:?}", loaded.run.cells);
    };
    assert_eq!(cell.workers.len(), 2);
    assert!(
        home.path()
            .join("ours")
            .join(cell.histogram_file.as_ref().expect("kept"))
            .is_file()
    );
    let found: Vec<_> = cell
        .workloads
        .iter()
        .map(|one| (one.name.as_str(), one.verified.sent, one.verified.lost))
        .collect();
    assert_eq!(found, [("orders", 2100, 0), ("import", 4200, 0)]);
    for one in &cell.workloads {
        let verified = &one.verified;
        assert_eq!(verified.corrupt, 0, "{verified:?}");
        assert_eq!(
            verified.consumed,
            verified.sent + verified.duplicated,
            "{verified:?}"
        );
        assert_eq!(one.partition_records.iter().sum::<u64>(), verified.sent);
    }
    let moved = cell.rebalances.as_ref().expect("a group");
    let pause = moved.pause.as_ref().expect("partitions moved");
    assert!(moved.assignments >= 4 && pause.count >= 3, "{moved:?}");
    let response = cell.latency.response.as_ref().expect("measured");
    assert_eq!(response.count, 6000);
}

#[test]
fn a_worker_that_dies_is_named() {
    let home = tempfile::tempdir().expect("a directory");
    let broker = broker();
    let mut workers: Vec<Child> = (0..2).map(|_| worker(broker.address())).collect();
    let mut first = workers.remove(0);
    let killer = std::thread::spawn(move || {
        // Its last words before the load begins.
        let mut log = std::io::BufReader::new(first.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("working as") {
            line.clear();
            let read = std::io::BufRead::read_line(&mut log, &mut line).expect("a line");
            assert!(read > 0, "it ended by itself");
        }
        first.kill().expect("killed");
        first.wait().expect("reaped");
    });
    let long = ["--workers", "2", "--set", "load.duration=60s"];
    let output = run(home.path(), broker.address(), &long);
    killer.join().expect("it was killed");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{words}");
    assert!(words.contains("it has been silent for"), "{words}");
    for worker in workers {
        let ended = worker.wait_with_output().expect("it ended");
        let words = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(words.contains("it has been silent for"), "{words}");
    }
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let check = |target: &str, more: &[&str], expected: &str| {
        let output = run(home.path(), target, more);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains(expected), "{words}");
    };
    check("127.0.0.1:9", &["--workers", "0"], "0 is not in 1..=1000");
    check("127.0.0.1:9", &[], "--workers");
    check(
        "embedded",
        &["--workers", "2"],
        "--workers 2: workers cannot reach the embedded broker",
    );
}
