//! `plimsoll history` in a folder and on a branch.

use plimsoll_results::{CellResult, RunResult, save};
use std::path::Path;
use std::process::{Command, Output};

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");

/// A throughput that falls by a fifth on the 13th day.
fn results(dir: &Path) -> Vec<String> {
    let one = |day: usize| {
        let level = if day < 13 { 100_000.0 } else { 80_000.0 };
        let noise = 1.0 + 0.01 * ((day * 7 % 5) as f64 - 2.0);
        let mut cell = CellResult {
            valid: true,
            ..CellResult::default()
        };
        cell.throughput.records_per_s = level * noise;
        let mut run = RunResult {
            name: "nightly".to_owned(),
            started_at: format!("2026-01-{day:02}T03:00:00Z"),
            cells: vec![cell],
            ..RunResult::default()
        };
        run.fingerprint.hash = "0123456789abcdef".to_owned();
        let name = format!("day-{day}");
        save(&run, &dir.join(&name)).expect("saves");
        name
    };
    (1..=24).map(one).collect()
}

fn run(program: &str, dir: &Path, words: &[&str]) -> Output {
    let output = Command::new(program).args(words).current_dir(dir).output();
    output.expect("it runs")
}

#[track_caller]
fn check(dir: &Path, words: &[&str], code: i32, said: &str) {
    let output = run(PLIMSOLL, dir, &[&["history"], words].concat());
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(said), "{text} lacks {said}");
}

#[test]
fn a_fall_is_found_in_a_folder_and_on_a_branch() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let dir = dir.path();
    let names = results(dir);
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    check(dir, &["show"], 2, "cannot read history");
    check(
        dir,
        &[&["add"], &all[..]].concat(),
        0,
        "24 runs kept in history",
    );
    let fell = "−20 %, worse, since 2026-01-13";
    check(dir, &["show", "--chart", "charts"], 0, fell);
    assert!(dir.join("charts/history-1.png").is_file());
    check(dir, &["show", "--margin", "50%"], 0, "none");

    for words in [
        &["init", "--quiet"][..],
        &["config", "user.email", "nobody@example.com"],
        &["config", "user.name", "nobody"],
    ] {
        assert!(run("git", dir, words).status.success());
    }
    check(
        dir,
        &["show", "--branch", "past"],
        2,
        "there is no branch past",
    );
    let (first, rest) = all.split_at(5);
    check(
        dir,
        &[&["add", "--branch", "past"], first].concat(),
        0,
        "5 runs kept in branch past",
    );
    check(
        dir,
        &[&["add", "--branch", "past"], rest].concat(),
        0,
        "19 runs kept",
    );
    check(dir, &["show", "--branch", "past"], 0, fell);
    let commits = run("git", dir, &["rev-list", "--count", "past"]).stdout;
    assert_eq!(String::from_utf8_lossy(&commits).trim(), "2");
    check(dir, &["show", "--branch", "a b"], 2, "there is no branch");
    check(dir, &["add", "--branch", "a b", "day-1"], 2, "--branch a b");
    std::fs::write(dir.join("history/x.json"), "{}").expect("writes");
    check(dir, &["show"], 2, "x.json is no entry of a history");
}
