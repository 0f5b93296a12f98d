//! `plimsoll gate` as a stranger runs it: verdicts, exit codes, files, errors.
//!
//! The broker that must fail is slowed five times over, so that no neighbour on
//! the machine can hide it.

use std::fs;
use std::path::Path;
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

/// A program that is a shell script.
fn script(dir: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}")).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets the mode");
}

/// A broker five times as slow as it could be.
fn slow_broker(dir: &Path) {
    let text = format!("exec \"{PLIMSOLL}\" \"$@\" --test-only-slowdown 400\n");
    script(dir, "slow", &text);
}

/// A bench program that leaves what criterion leaves: a benchmark of its own and
/// one of about `nanos` that all of them have.
fn bench_program(dir: &Path, name: &str, nanos: u32) {
    let text = format!(
        "put() {{\n\
         mkdir -p \"$CRITERION_HOME/$1/new\"\n\
         echo \"{{\\\"full_id\\\":\\\"$1\\\"}}\" > \"$CRITERION_HOME/$1/new/benchmark.json\"\n\
         echo \"{{\\\"median\\\":{{\\\"point_estimate\\\":$2}}}}\" > \"$CRITERION_HOME/$1/new/estimates.json\"\n\
         }}\n\
         case \"$*\" in *nothing*) exit 0;; esac\n\
         put shared/16 $(({nanos} + $$ % 7))\n\
         put {name} 50\n"
    );
    script(dir, name, &text);
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
    assert!(markdown.starts_with("### FAIL\n\nbroker_cpu"), "{markdown}");
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
fn benchmarks_are_gated_live_and_from_what_criterion_stored() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let dir = dir.path();
    bench_program(dir, "before", 1000);
    bench_program(dir, "after", 1500);
    let live = |a: &str, b: &str| {
        let sides = ["--criterion", "--a", a, "--b", b, "--set", "gate.pairs=8"];
        gate(dir, &[&sides[..], &["--quiet", "--out", "out"]].concat())
    };
    let output = live("bin:before", "bin:after");
    check(&output, 1, "FAIL: shared/16 is");
    check(&output, 1, "Only A has before: not compared.");
    let json = fs::read_to_string(dir.join("out/gate.json")).expect("written");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["series"][0]["b"].as_array().map(Vec::len), Some(8));
    check(
        &live("bin:after", "bin:before"),
        0,
        "PASS: shared/16 is not worse",
    );

    let names = |program: &str| {
        (1..=5)
            .map(|n| format!("{program}-{n}"))
            .collect::<Vec<_>>()
    };
    for (program, home) in [("before", names("before")), ("after", names("after"))] {
        for home in home {
            let status = Command::new(dir.join(program))
                .env("CRITERION_HOME", dir.join(home))
                .status();
            assert!(status.is_ok_and(|status| status.success()));
        }
    }
    let stored = |a: &[String], b: &[String]| {
        let words = ["--criterion", "--baseline"].map(str::to_owned);
        let words = [&words[..], a, &["--candidate".to_owned()], b].concat();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        gate(dir, &words)
    };
    let (before, after) = (names("before"), names("after"));
    check(&stored(&before, &after), 1, "FAIL: shared/16 is");
    check(&stored(&after, &before), 0, "PASS");
    let few = stored(&before[..2], &after[..2]);
    check(&few, 3, "nothing can fail before 5 measurements a side");
}

#[test]
fn benchmarks_that_cannot_be_gated_exit_with_two_and_say_why() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let dir = dir.path();
    bench_program(dir, "before", 1000);
    let both = ["--criterion", "--a", "bin:before", "--b", "bin:before"];
    let check = |more: &[&str], said: &str| {
        check(&gate(dir, &[&both[..], more].concat()), 2, said);
    };
    check(
        &["--set", "topic.partitions=3"],
        "accepted with --criterion",
    );
    check(
        &["--b", "set:producer.acks=1"],
        "a benchmark has no settings",
    );
    check(&["--only", "nothing"], "the program measured nothing");
    check(&["gate"], "cannot be used with");
    self::check(&gate(dir, &["--criterion"]), 2, "which package?");
    let absent = ["--criterion", "--baseline", "x", "--candidate", "y"];
    self::check(&gate(dir, &absent), 2, "cannot read x");
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
