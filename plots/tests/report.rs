//! The report of whole, partial, broken and huge results.

mod fixture;

use fixture::Sweep;
use plimsoll_plots::{PAGE_LIMIT, PlotError, csv, draw, markdown, report};
use plimsoll_results::{CellResult, Finding, RunResult, Severity};
use std::path::PathBuf;

/// Keeps a page for a look.
fn keep(name: &str, page: &str) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(dir.join(name), page).expect("writes");
}

/// The first place where tags do not nest, attributes are not quoted or an
/// ampersand stands alone.
fn ill_formed(text: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.strip_prefix("<!DOCTYPE html>").unwrap_or(text);
    while let Some(at) = rest.find('<') {
        let (words, tag) = rest.split_at(at);
        if let Some(bad) = stray_ampersand(words) {
            return Some(format!("stray ampersand before {bad:?}"));
        }
        let Some(end) = tag.find('>') else {
            return Some(format!("unclosed tag {:?}", &tag[..tag.len().min(60)]));
        };
        let inner = &tag[1..end];
        rest = &tag[end + 1..];
        if inner.matches('"').count() % 2 == 1 || inner.contains('<') {
            return Some(format!("broken attributes in {inner:?}"));
        }
        if let Some(name) = inner.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Some(format!("</{name}> closes something else"));
            }
        } else if !inner.ends_with('/') {
            open.push(inner.split_whitespace().next().unwrap_or(""));
        }
    }
    open.pop().map(|name| format!("<{name}> is never closed"))
}

fn stray_ampersand(words: &str) -> Option<&str> {
    words
        .match_indices('&')
        .map(|(at, _)| &words[at..])
        .find(|tail| tail.split_once(';').is_none_or(|(name, _)| name.len() > 7))
        .map(|tail| tail.get(..20).unwrap_or(tail))
}

#[track_caller]
fn check(name: &str, runs: &[RunResult], expected: &[&str]) -> String {
    let page = report(runs).expect("renders");
    keep(&format!("{name}.html"), &page);
    assert_eq!(ill_formed(&page), None);
    assert!(page.len() < PAGE_LIMIT, "{} bytes", page.len());
    for text in expected {
        assert!(page.contains(text), "the page lacks {text:?}");
    }
    for outside in ["<script", "<link", "src=", "@import", "url(", "https:"] {
        assert!(!page.contains(outside), "the page reaches out: {outside}");
    }
    assert_eq!(
        page.matches("http://").count(),
        page.matches("http://www.w3.org/2000/svg").count()
    );
    let text = markdown(runs).expect("renders");
    keep(&format!("{name}.md"), &text);
    keep(&format!("{name}.csv"), &csv(runs).expect("renders"));
    for run in runs {
        for chart in draw(run).expect("draws") {
            assert_eq!(ill_formed(&chart.svg), None, "{}", chart.name);
        }
    }
    page
}

#[test]
fn the_quickstart_is_answered() {
    check(
        "quickstart",
        &[fixture::quickstart()],
        &[
            "What do acks and compression cost",
            "Fastest was acks=1 · lz4 · 6 partitions with",
            "75 % confidence, which is what 3 repeats allow",
            "plimsoll run workloads/quickstart.toml",
            "differs here",
        ],
    );
}

#[test]
fn two_runs_are_compared_with_intervals() {
    let a = fixture::quickstart();
    let mut b = fixture::run(&Sweep {
        acks: vec!["1", "all"],
        compression: vec!["none", "lz4", "zstd"],
        partitions: vec![1, 3, 6],
        repeats: 3,
        speed: 0.62,
        samples: 4_000,
    });
    b.target.software = "another broker (made-up fixture)".into();
    let page = check(
        "compared",
        &[a.clone(), b.clone()],
        &[
            "another broker",
            "90 % confidence from 3 repeats",
            "not interleaved",
        ],
    );
    assert!(!page.contains("different machines"));
    b.fingerprint.hash = "ffff".into();
    b.cells.retain(|cell| cell.block == 0);
    check(
        "compared-single",
        &[a, b],
        &["different machines", "undecided: a single run on one side"],
    );
}

#[test]
fn a_setting_without_a_valid_run_is_named_and_not_compared() {
    let a = fixture::quickstart();
    let mut b = a.clone();
    let unwanted = serde_json::json!("zstd");
    for cell in &mut b.cells {
        cell.valid = cell.params["producer.compression"] != unwanted;
    }
    check(
        "compared-partly",
        &[a, b],
        &["not compared: a side has no valid run", "over 12 settings"],
    );
}

#[test]
fn a_result_without_cells_still_gives_a_page() {
    check(
        "empty",
        &[RunResult::default()],
        &["No answer: the run holds no finished cell.", "No cell ran."],
    );
    assert!(matches!(report(&[]), Err(PlotError::NoRuns)));
    assert!(matches!(markdown(&[]), Err(PlotError::NoRuns)));
    assert!(matches!(csv(&[]), Err(PlotError::NoRuns)));
}

#[test]
fn damage_and_invalid_cells_come_first() {
    let mut run = fixture::quickstart();
    run.planned_cells += 2;
    run.cells[0].verified.lost = 17;
    run.cells[1].valid = false;
    run.cells[1].invalid_reasons = vec!["the client used 98 % of <its> cores & more".into()];
    run.findings.push(Finding {
        severity: Severity::Warning,
        code: "steal_time".into(),
        message: "the hypervisor took 4 % of the CPU".into(),
    });
    check(
        "damaged",
        &[run],
        &[
            "Records were not all intact: 17 lost.",
            "1 of 54 cells: the client used 98 % of",
            "The run was cut short: 54 of 56 cells ran.",
            "the hypervisor took 4 %",
            "2 of 3",
        ],
    );
}

#[test]
fn a_run_without_a_valid_cell_has_no_answer() {
    let mut run = fixture::quickstart();
    for cell in &mut run.cells {
        cell.valid = false;
        cell.invalid_reasons = vec!["schedule lag p99 is 40 ms".into()];
    }
    check(
        "invalid",
        &[run],
        &[
            "No answer: none of the 54 cells is valid. The first reason: schedule lag",
            "for diagnosis only",
        ],
    );
}

#[test]
fn bare_cells_and_strange_numbers_do_not_break_the_page() {
    let bare = CellResult {
        id: "a".into(),
        valid: true,
        ..CellResult::default()
    };
    let mut strange = bare.clone();
    strange.throughput.records_per_s = f64::NAN;
    strange.throughput.bytes_per_s = f64::INFINITY;
    strange
        .params
        .insert("a.b<c>".into(), serde_json::json!(["nested", {"x": "&"}]));
    let run = RunResult {
        name: "odd & <strange> \"run\"".into(),
        cells: vec![bare, strange],
        ..RunResult::default()
    };
    check("strange", &[run], &[]);
    let single = fixture::run(&Sweep {
        acks: vec!["all"],
        compression: vec!["none"],
        partitions: vec![1],
        repeats: 1,
        speed: 1.0,
        samples: 100,
    });
    check(
        "single",
        &[single],
        &["This setting carried", "(a single run)"],
    );
}

#[test]
fn a_thousand_cells_stay_readable() {
    let run = fixture::run(&Sweep {
        acks: vec!["0", "1", "all"],
        compression: vec!["none", "snappy", "lz4", "zstd", "gzip"],
        partitions: (0..17).map(|n| 1 + n * 4).collect(),
        repeats: 4,
        speed: 1.0,
        samples: 50,
    });
    assert_eq!(run.cells.len(), 1_020);
    check(
        "thousand",
        std::slice::from_ref(&run),
        &["The 36 cheapest of 255 settings."],
    );
    let many: Vec<RunResult> = (0..5).map(|_| run.clone()).collect();
    check("many-runs", &many, &["only in the result"]);
}

/// Pictures and words of the fixtures, so that a change to either is seen and
/// meant. The numbers in them are made up.
#[test]
fn fixtures_look_as_they_did() {
    let run = fixture::quickstart();
    let drawn = draw(&run).expect("draws");
    for name in [
        "throughput",
        "latency-heat",
        "compression-against-throughput",
    ] {
        let chart = drawn.iter().find(|chart| chart.name == name);
        insta::assert_snapshot!(name, chart.expect("drawn").svg);
    }
    insta::assert_snapshot!("markdown", markdown(&[run]).expect("renders"));
}

#[test]
fn offered_rates_are_answered_by_latency() {
    let mut run = fixture::quickstart();
    for cell in &mut run.cells {
        let partitions = cell.params.remove("topic.partitions");
        let (rate, target) = match partitions.and_then(|p| p.as_u64()) {
            Some(1) => ("10K/s", 10e3),
            Some(3) => ("50K/s", 50e3),
            _ => ("200K/s", 200e3),
        };
        cell.params.insert("load.rate".into(), rate.into());
        cell.throughput.target_records_per_s = Some(target);
    }
    run.varied = vec![
        "producer.acks".into(),
        "producer.compression".into(),
        "load.rate".into(),
    ];
    check(
        "rates",
        &[run.clone()],
        &[
            "Most responsive was acks=1",
            "Response time p99 by offered rate",
        ],
    );
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rates");
    plimsoll_plots::charts(&run, &dir).expect("draws");
}
