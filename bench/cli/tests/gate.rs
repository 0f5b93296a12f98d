//! `plimsoll gate` as a stranger runs it: verdicts, exit codes, files, errors.
//!
//! The broker that must fail is slowed five times over, so that no neighbour on
//! the machine can hide it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");

/// Eight pairs are enough for one metric at α = 1 %.
const QUICK: &str = "\
question = \"Does the gate work?\"
[topic]
partitions = 1
[producer]
batch_bytes = \"16KiB\"
linger = \"1s\"
[load]
rate = \"max\"
warmup = \"50ms\"
duration = \"300ms\"
drain = \"20s\"
[gate]
metrics = [\"broker_cpu\"]
pairs = 8
";

fn gate(dir: &Path, args: &[&str]) -> Output {
    Command::new(PLIMSOLL)
        .arg("gate")
        .args(args)
        .current_dir(dir)
        .output()
        .expect("plimsoll runs")
}

#[track_caller]
fn check(output: &Output, code: i32, said: &str) {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(said), "{text} lacks {said}");
}

/// A broker five times as slow as it could be.
fn slow_broker(dir: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("slow");
    let script = format!("#!/bin/sh\nexec \"{PLIMSOLL}\" \"$@\" --test-only-slowdown 400\n");
    fs::write(&path, script).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets the mode");
    path
}

#[test]
fn a_slower_broker_fails_live_and_from_what_was_stored() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let dir = dir.path();
    fs::write(dir.join("quick.toml"), QUICK).expect("writes");
    slow_broker(dir);
    let files = ["--json", "g.json", "--junit", "g.xml", "--md", "g.md"];
    let live = ["quick.toml", "--b", "bin:slow", "--out", "out"];
    let output = gate(dir, &[&live[..], &files[..]].concat());
    check(&output, 1, "FAIL: broker_cpu is");
    let json = fs::read_to_string(dir.join("g.json")).expect("written");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["verdict"], "FAIL");
    assert_eq!(json["series"][0]["a"].as_array().map(Vec::len), Some(8));
    let junit = fs::read_to_string(dir.join("g.xml")).expect("written");
    assert!(junit.contains("failures=\"1\""), "{junit}");
    let markdown = fs::read_to_string(dir.join("g.md")).expect("written");
    assert!(markdown.starts_with("### FAIL: broker_cpu"), "{markdown}");
    for file in [
        "gate.json",
        "gate.svg",
        "gate.png",
        "a/result.json",
        "b/result.json",
    ] {
        assert!(dir.join("out").join(file).is_file(), "{file}");
    }
    let stored = ["quick.toml", "--baseline", "out/a", "--candidate", "out/b"];
    check(&gate(dir, &stored), 1, "FAIL: broker_cpu is");
    let swapped = ["quick.toml", "--baseline", "out/b", "--candidate", "out/a"];
    check(&gate(dir, &swapped), 0, "PASS: broker_cpu is not worse");
    let alone = ["quick.toml", "--baseline", "out/a", "--candidate", "out/a"];
    check(&gate(dir, &alone), 2, "is the baseline and the candidate");
    // One result of each that are no pairs: one value of each proves nothing.
    let short = ["quick.toml", "--budget", "1ms", "--out", "short"];
    check(&gate(dir, &short), 3, "INCONCLUSIVE");
    let few = [
        "quick.toml",
        "--baseline",
        "out/a",
        "--candidate",
        "short/b",
    ];
    let said = "cannot be judged from 1 result a side";
    check(&gate(dir, &few), 3, said);
}

#[test]
fn a_gate_whose_time_is_up_judges_what_it_has() {
    let dir = tempfile::tempdir().expect("temporary directory");
    fs::write(dir.path().join("quick.toml"), QUICK).expect("writes");
    let output = gate(
        dir.path(),
        &["quick.toml", "--budget", "1ms", "--json", "-"],
    );
    check(&output, 3, "The time budget ended it after 1 pair of 8.");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("only JSON");
    assert_eq!(json["ended"], "time_budget");
}

#[test]
fn what_cannot_be_run_exits_with_two_and_says_why() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let dir = dir.path();
    fs::write(dir.join("quick.toml"), QUICK).expect("writes");
    let check = |args: &[&str], said: &str| check(&gate(dir, args), 2, said);
    check(&["no-such-workload"], "no-such-workload");
    check(
        &["quick.toml", "--b", "nothing"],
        "accepted: this, bin:PATH",
    );
    check(&["quick.toml", "--b", "target:127.0.0.1:1"], "127.0.0.1:1");
    check(&["quick.toml", "--set", "gate.pairs=3"], "from 7 to 1000");
    check(
        &["quick.toml", "--set", "gate.metrics=[speed]"],
        "`speed` is not throughput",
    );
    check(
        &["quick.toml", "--set", "gate.limit=2%"],
        "must lie above the margin",
    );
    check(
        &["quick.toml", "--b", "topic.partitions=[1, 2]"],
        "one value, not a sweep",
    );
    check(&["quick.toml", "--json", "-", "--md", "-"], "only one of");
    check(
        &["quick.toml", "--json", "no/such/dir.json"],
        "no/such/dir.json",
    );
    check(&["quick.toml", "--baseline", "out"], "--candidate");
    check(
        &["quick.toml", "--baseline", "out", "--candidate", "new"],
        "cannot read out",
    );
    check(&["quick.toml", "--b", "bin:/bin/true"], "B (/bin/true)");
}
