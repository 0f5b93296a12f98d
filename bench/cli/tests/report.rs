//! `plimsoll report` and `plimsoll compare` as a user runs them.

use plimsoll_results::{CellResult, RunResult, Throughput, save};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

/// Two settings, three repeats; `speed` scales the rates.
fn result(speed: f64) -> RunResult {
    let mut cells = Vec::new();
    for block in 0..3 {
        for acks in ["1", "all"] {
            let rate = speed * f64::from(1000 + 10 * block) / if acks == "1" { 1.0 } else { 2.0 };
            cells.push(CellResult {
                id: acks.into(),
                params: [("producer.acks".to_string(), json!(acks))].into(),
                repeat: block,
                block,
                throughput: Throughput {
                    records_per_s: rate,
                    bytes_per_s: rate * 1e3,
                    ..Throughput::default()
                },
                valid: true,
                ..CellResult::default()
            });
        }
    }
    RunResult {
        name: "made up".into(),
        cells,
        ..RunResult::default()
    }
}

fn plimsoll(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(args)
        .current_dir(dir)
        .output()
        .expect("starts")
}

#[track_caller]
fn check(dir: &Path, args: &[&str], code: i32, expected: &str) -> String {
    let output = plimsoll(dir, args);
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}: {out}{err}");
    assert!(
        out.contains(expected) || err.contains(expected),
        "{out}{err}"
    );
    out
}

#[test]
fn reports_and_comparisons_are_written_from_results_alone() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let dir = dir.path();
    save(&result(1.0), &dir.join("a")).expect("saves");
    save(&result(0.5), &dir.join("b")).expect("saves");

    check(dir, &["report", "a"], 0, "a/report.html");
    let page = std::fs::read_to_string(dir.join("a/report.html")).expect("written");
    assert!(page.contains("Fastest was acks=1"));
    assert!(dir.join("a/charts/throughput.png").exists());
    check(dir, &["report", "a", "b"], 0, "comparison.html");
    check(
        dir,
        &["report", "a", "--format", "md"],
        0,
        "| acks | records/s |",
    );
    check(
        dir,
        &["report", "a", "--format", "csv"],
        0,
        "producer.acks,",
    );

    check(
        dir,
        &["compare", "a", "b"],
        0,
        "90 % confidence from 3 repeats",
    );
    let text = check(dir, &["compare", "a", "b", "--json"], 0, "\"ratio\"");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let ratio = json[0]["lines"][0]["ratio"].as_f64().expect("a number");
    assert!((ratio - 0.5).abs() < 0.01, "{ratio}");
}

#[test]
fn what_is_not_a_result_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let dir = dir.path();
    check(dir, &["report", "."], 2, "holds no result.json");
    check(dir, &["report", "absent"], 2, "cannot read absent");
    check(dir, &["report"], 2, "<DIR>");
    check(dir, &["compare", "."], 2, "2 values required");
    std::fs::write(dir.join("result.json"), "{}").expect("writes");
    check(dir, &["report", "."], 2, "no schema_version");
}
