//! `plimsoll run` as a user runs it, on the embedded broker.
//!
//! What is asserted is structure and correctness, never a time.

use plimsoll_results::{LatencyKind, RunResult, load};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A small sweep: four cells of a third of a second.
const TINY: [&str; 7] = [
    "repeats=1",
    "topic.partitions=[1,3]",
    "producer.acks=all",
    "producer.compression=[none,lz4]",
    "load.rate=2K/s",
    "load.warmup=50ms",
    "load.duration=300ms",
];

fn plimsoll(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.current_dir(dir).args(arguments);
    command.output().expect("the binary starts")
}

fn tiny(dir: &Path, more: &[&str]) -> Output {
    let sets = TINY.iter().flat_map(|set| ["--set", set]);
    let arguments: Vec<&str> = ["run", "quickstart"].into_iter().chain(sets).collect();
    plimsoll(dir, &[&arguments, more].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn check_success(output: &Output) {
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

fn result(dir: &Path) -> RunResult {
    load(dir).expect("the result reads").run
}

#[test]
fn a_sweep_leaves_everything_it_promises_and_resumes_where_it_was() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = tiny(home.path(), &["--out", "ours", "--quiet"]);
    check_success(&output);
    assert!(
        text(&output.stdout).contains("records/s"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(text(&output.stderr), "", "quiet");

    let dir = home.path().join("ours");
    let first = result(&dir);
    assert_eq!((first.cells.len(), first.planned_cells), (4, 4));
    for cell in &first.cells {
        let verified = &cell.verified;
        assert!(verified.is_clean() && verified.consumer_ran, "{verified:?}");
        assert_eq!(
            (verified.sent, verified.sent),
            (verified.acknowledged, verified.consumed)
        );
        assert_eq!(verified.sent, 700, "350 ms at 2000 records/s");
        let of_transactions = [LatencyKind::Commit, LatencyKind::Visibility];
        let kinds = LatencyKind::ALL
            .into_iter()
            .filter(|kind| !of_transactions.contains(kind));
        for kind in kinds {
            assert!(
                cell.latency.get(kind).is_some_and(|l| l.count == 600),
                "{kind:?}"
            );
        }
        assert!(cell.resources.broker.is_some() && cell.resources.client.is_some());
        let log = cell.histogram_file.as_ref().map(|name| dir.join(name));
        assert!(log.is_some_and(|log| plimsoll_results::read_hlog(&log).is_ok()));
    }
    for file in ["plan.json", "result.json", "report.html"] {
        assert!(
            fs::metadata(dir.join(file)).is_ok_and(|m| m.len() > 0),
            "{file}"
        );
    }
    let charts = fs::read_dir(dir.join("charts"))
        .into_iter()
        .flatten()
        .flatten();
    assert!(charts.count() > 1, "charts are drawn");

    check_resume(home.path(), &dir, &first);
}

/// Forgets the last cell, as a kill would, and goes on.
fn check_resume(home: &Path, dir: &Path, first: &RunResult) {
    let journal = dir.join(plimsoll_results::JOURNAL_FILE);
    let lines = fs::read_to_string(&journal).expect("the journal reads");
    let kept: Vec<&str> = lines.lines().take(3).collect();
    fs::write(&journal, kept.join("\n") + "\n{\"torn").expect("the journal is cut");

    let refused = tiny(home, &["--out", "ours"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("--resume"),
        "{}",
        text(&refused.stderr)
    );

    check_success(&tiny(home, &["--out", "ours", "--resume"]));
    let began = |run: &RunResult| -> BTreeMap<String, String> {
        run.cells
            .iter()
            .map(|cell| (cell.id.clone(), cell.started_at.clone()))
            .collect()
    };
    let (before, after) = (began(first), began(&result(dir)));
    assert!(before.keys().eq(after.keys()), "the same cells, each once");
    let again = before
        .iter()
        .filter(|(id, at)| after.get(*id) != Some(at))
        .count();
    assert_eq!(again, 1, "only the forgotten cell is run again");
}

#[test]
fn a_dry_run_prints_the_plan_and_leaves_nothing() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = tiny(home.path(), &["--dry-run"]);
    check_success(&output);
    assert!(text(&output.stdout).contains("cells     4, 1 times: 4 runs"));
    assert_eq!(fs::read_dir(home.path()).into_iter().flatten().count(), 0);
}

#[test]
fn both_clients_run_on_the_embedded_broker() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let sets = [
        "driver=[native,librdkafka]",
        "topic.partitions=2",
        "producer.compression=zstd",
    ];
    let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    check_success(&tiny(
        home.path(),
        &[&more[..], &["--out", "both"]].concat(),
    ));
    let run = result(&home.path().join("both"));
    assert_eq!(run.cells.len(), 2);
    assert!(run.cells.iter().all(|cell| cell.verified.is_clean()));
    assert!(run.target.client.contains("native") && run.target.client.contains("librdkafka"));
}

#[test]
fn both_clients_run_transactions_of_which_only_the_committed_are_seen() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let sets = [
        "driver=[native,librdkafka]",
        "topic.partitions=3",
        "producer.compression=none",
        "transactions.records=20",
        "transactions.abort_rate=30%",
        "consumer.isolation=read_committed",
    ];
    let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    check_success(&tiny(home.path(), &[&more[..], &["--out", "t"]].concat()));
    let run = result(&home.path().join("t"));
    assert_eq!(run.cells.len(), 2);
    for cell in &run.cells {
        let (verified, transactions) = (&cell.verified, cell.transactions.as_ref());
        let transactions = transactions.expect("there were some");
        assert!(verified.is_clean(), "{verified:?}");
        assert_eq!(verified.sent + transactions.records_aborted, 700);
        assert_eq!(verified.consumed, verified.sent);
        assert!(transactions.records_aborted > 0, "{transactions:?}");
        // On a busy machine no transaction may end in so short a window.
        let commit = cell.latency.commit.as_ref().map_or(0, |l| l.count);
        assert!(commit <= transactions.committed + 1, "{transactions:?}");
    }
}

#[test]
fn what_is_read_and_written_again_is_seen_exactly_once_through_aborts() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let sets = [
        "topic.partitions=4",
        "producer.compression=none",
        "transactions.records=50",
        "transactions.abort_rate=30%",
        "transactions.mode=read-process-write",
        "transactions.processors=2",
        "consumer.isolation=read_committed",
    ];
    let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    check_success(&tiny(home.path(), &[&more[..], &["--out", "rpw"]].concat()));
    let run = result(&home.path().join("rpw"));
    let cell = run.cells.first().expect("there is one cell");
    let (verified, transactions) = (&cell.verified, cell.transactions.as_ref());
    let transactions = transactions.expect("there were some");
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!((verified.sent, verified.consumed), (700, 700));
    assert!(transactions.records_aborted > 0, "{transactions:?}");
}

#[test]
fn poison_goes_to_the_dead_letters_with_both_clients() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let sets = [
        "driver=[native,librdkafka]",
        "topic.partitions=2",
        "producer.compression=none",
        "poison.rate=3%",
        "poison.retries=1",
        "poison.backoff=1ms",
    ];
    let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    check_success(&tiny(home.path(), &[&more[..], &["--out", "p"]].concat()));
    let run = result(&home.path().join("p"));
    assert_eq!(run.cells.len(), 2);
    for cell in &run.cells {
        let poison = cell.poison.as_ref().expect("there was some");
        assert!(cell.verified.is_clean() && poison.met > 0, "{poison:?}");
        assert_eq!(
            (poison.dead_lettered, poison.retries),
            (poison.met, poison.met)
        );
        assert_eq!(poison.in_dead_letters, Some(poison.met));
    }
    let met = |at: usize| run.cells[at].poison.as_ref().map(|poison| poison.met);
    assert_eq!(met(0), met(1), "the same records are poison");
}

#[test]
fn an_unreachable_target_is_named() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = tiny(home.path(), &["--target", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.starts_with("error: target 127.0.0.1:1 is unreachable"),
        "{error}"
    );
    assert_eq!(fs::read_dir(home.path()).into_iter().flatten().count(), 0);
}

#[test]
fn reports_and_comparisons_are_made_from_results() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let sets = [
        "--set",
        "topic.partitions=1",
        "--set",
        "producer.compression=none",
    ];
    for dir in ["one", "two"] {
        check_success(&tiny(home.path(), &[&sets[..], &["--out", dir]].concat()));
    }
    check_success(&plimsoll(
        home.path(),
        &["report", "one", "two", "--out", "page.html"],
    ));
    assert!(fs::metadata(home.path().join("page.html")).is_ok_and(|m| m.len() > 0));
    let compared = plimsoll(home.path(), &["compare", "one", "two"]);
    check_success(&compared);
    assert!(
        text(&compared.stdout).contains("records/s"),
        "{}",
        text(&compared.stdout)
    );
    assert_eq!(
        plimsoll(home.path(), &["report", "three"]).status.code(),
        Some(2)
    );
}

#[test]
fn several_workloads_run_at_once_and_are_told_apart() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let workload = "
        repeats = 1
        [load]
        warmup = \"100ms\"
        duration = \"1s\"
        [records]
        size = \"100B\"
        [[workload]]
        name = \"orders\"
        topic.partitions = 3
        consumer.groups = 2
        load.rate = \"1K/s\"
        [[workload]]
        name = \"bulk\"
        driver = \"librdkafka\"
        load.rate = \"3K/s\"
        transactions.records = 100
        consumer.isolation = \"read_committed\"";
    fs::write(home.path().join("both.toml"), workload).expect("the workload is written");
    let arguments = ["run", "both.toml", "--out", "ours", "--quiet"];
    let output = plimsoll(home.path(), &arguments);
    check_success(&output);
    let table = text(&output.stdout);
    for name in ["orders", "bulk", "together"] {
        assert!(table.contains(&format!("│ {name}")), "{table}");
    }
    let run = result(&home.path().join("ours"));
    let cell = run.cells.first().expect("there is a cell");
    let sent: Vec<_> = cell
        .workloads
        .iter()
        .map(|workload| (workload.name.as_str(), workload.verified.sent))
        .collect();
    assert_eq!(sent, [("orders", 1_100), ("bulk", 3_300)]);
    let verified = &cell.verified;
    assert!(verified.is_clean() && verified.errors == 0, "{verified:?}");
    assert_eq!(
        (verified.sent, verified.consumed),
        (4_400, 2 * 1_100 + 3_300)
    );
    let response = cell
        .latency
        .response
        .as_ref()
        .map(|response| response.count);
    assert_eq!(response, Some(4_000), "the histograms are merged");
    let groups: Vec<_> = cell.backlog.iter().map(|backlog| backlog.group).collect();
    assert_eq!(groups, [0, 1, 2]);
    let seconds: u64 = cell.timeline.iter().map(|second| second.records).sum();
    let own = cell.workloads.iter().flat_map(|w| &w.timeline);
    assert_eq!(seconds, own.map(|second| second.records).sum::<u64>());
    assert!(
        cell.resources
            .topic_disk_bytes
            .is_some_and(|bytes| bytes > 100_000)
    );
    assert!(
        cell.timeline
            .iter()
            .any(|second| second.disk_bytes > Some(0))
    );
    let logs = cell
        .workloads
        .iter()
        .filter_map(|w| w.histogram_file.as_ref());
    let logs: Vec<_> = logs.chain(&cell.histogram_file).collect();
    assert_eq!(logs.len(), 3);
    for log in logs {
        assert!(plimsoll_results::read_hlog(&home.path().join("ours").join(log)).is_ok());
    }
}

/// Settings of a group that restarts a consumer twice within the window.
fn in_a_group(home: &Path, driver: &str, more: &[&str]) -> plimsoll_results::CellResult {
    let sets = [
        "driver",
        "consumer.group=true",
        "consumer.count=3",
        "consumer.heartbeat=100ms",
        "consumer.restart_every=1s",
        "topic.partitions=6",
        "broker.group.initial.rebalance.delay.ms=0",
        "broker.group.consumer.min.heartbeat.interval.ms=100",
        "broker.group.consumer.heartbeat.interval.ms=100",
        "load.warmup=1500ms",
        "load.duration=3s",
    ];
    let driver = format!("driver={driver}");
    let sets = sets.iter().map(|set| match *set {
        "driver" => driver.as_str(),
        set => set,
    });
    let sets: Vec<&str> = sets.chain(more.iter().copied()).collect();
    let sets: Vec<&str> = sets.into_iter().flat_map(|set| ["--set", set]).collect();
    let one = [
        "--set",
        "producer.compression=none",
        "--out",
        "group",
        "--quiet",
    ];
    let output = tiny(home, &[&one[..], &sets].concat());
    check_success(&output);
    let run = result(&home.join("group"));
    run.cells.into_iter().next().expect("there is a cell")
}

#[test]
fn a_group_whose_partitions_move_reads_everything_once() {
    let cases: [(&str, &[&str]); 4] = [
        ("native", &[]),
        (
            "native",
            &["consumer.protocol=consumer", "consumer.heartbeat=3s"],
        ),
        ("librdkafka", &["consumer.assignor=cooperative-sticky"]),
        (
            "librdkafka",
            &["consumer.protocol=consumer", "consumer.heartbeat=3s"],
        ),
    ];
    std::thread::scope(|scope| {
        for (driver, sets) in cases {
            scope.spawn(move || {
                let home = tempfile::tempdir().expect("a temporary directory");
                let cell = in_a_group(home.path(), driver, sets);
                let verified = &cell.verified;
                let told = format!("{driver} {sets:?} {verified:?} {:?}", cell.rebalances);
                assert!(verified.is_clean() && verified.errors == 0, "{told}");
                assert_eq!((verified.sent, verified.consumed), (9_000, 9_000), "{told}");
                let rebalances = cell.rebalances.as_ref().expect("partitions could move");
                // Two consumers leave, and join again.
                assert!(rebalances.assignments >= 2, "{told}");
                assert!(
                    rebalances
                        .pause
                        .as_ref()
                        .is_some_and(|pause| pause.count > 0),
                    "{told}"
                );
                let seconds = cell.timeline.iter().filter_map(|second| second.rebalances);
                assert_eq!(seconds.sum::<u64>(), rebalances.assignments, "{told}");
            });
        }
    });
}
