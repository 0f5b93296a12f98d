//! The search against a broker whose capacity is known.
//!
//! A busy machine can make a good rate fail, but nothing makes the broker carry
//! more than it does: so the answer is bounded from above here, and from below
//! only with `PLIMSOLL_QUIET=1`, on a machine that does nothing else.

use crate::fake_broker::Behaviour;
use plimsoll_drive::cell::{Options, Phase, Target, run_cell};
use plimsoll_results::CellResult;
use plimsoll_workloads::Spec;
use std::path::Path;

const CAPACITY: f64 = 4_000.0;
const WORKLOAD: &str = "
[records]
size = 100
[producer]
linger = '2ms'
[load]
rate = 'search'
objective = '15ms'
warmup = '100ms'
duration = '600ms'
drain = '10s'
[search]
from = '2K/s'
warmup = '100ms'
probe = '500ms'
precision = '4%'
";

/// Longer and finer, for a machine that is quiet.
const QUIET: [&str; 4] = [
    "load.objective=30ms",
    "load.duration=3s",
    "search.probe=1500ms",
    "search.precision=1.5%",
];

fn search(seed: u64) -> CellResult {
    let finer = QUIET.iter().filter(|_| is_quiet());
    let mut sets: Vec<String> = finer.map(|set| (*set).to_owned()).collect();
    sets.push(format!("seed={seed}"));
    let spec = Spec::parse(WORKLOAD, "search.toml", Path::new("."), &sets);
    let plan = spec
        .expect("the workload reads")
        .plan()
        .expect("it expands");
    let (run, cell) = plan.iter().next().expect("the plan has a cell");
    let behaviour = Behaviour {
        records_per_second: Some(CAPACITY),
        ..Behaviour::default()
    };
    let target = Target {
        bootstrap: vec![crate::fake_broker::start(behaviour)].into(),
        broker_pids: Vec::new(),
        rig: None,
    };
    let mut searched = false;
    let options = Options {
        dir: None,
        progress: &mut |progress| searched |= progress.phase == Phase::Search,
        interrupt: &|| None,
    };
    let result = run_cell(&target, cell, run, options).expect("the search ends");
    assert!(searched, "probes are shown as such");
    assert_eq!(result.id, cell.id.as_str());
    assert_eq!(result.params["load.rate"], "search");
    result
}

pub fn is_quiet() -> bool {
    std::env::var_os("PLIMSOLL_QUIET").is_some()
}

#[test]
fn a_known_capacity_is_found() {
    let repeats = if is_quiet() { 5 } else { 1 };
    let mut found = Vec::new();
    for seed in 0..repeats {
        let result = search(seed);
        let search = result.search.expect("it was searched for");
        println!(
            "found {:.0} of {CAPACITY} records/s after {} probes, confirmed: {}",
            search.records_per_s,
            search.probes.len(),
            search.confirmed
        );
        assert!(search.records_per_s <= CAPACITY * 1.05, "{search:?}");
        let failed = search.failed_at.expect("the bracket closed");
        assert!(failed > search.records_per_s, "{search:?}");
        assert!(!search.limited_by.is_empty(), "{search:?}");
        // The samples are the hold's alone, which was at the answer.
        let count = result.latency.response.map_or(0, |l| l.count) as f64;
        let held = search
            .probes
            .last()
            .expect("there were probes")
            .records_per_s;
        assert!(
            (count / result.throughput.window_s / held - 1.0).abs() < 0.05,
            "{count} samples at {held}/s"
        );
        found.push((search.records_per_s, search.confirmed));
    }
    if is_quiet() {
        let (low, high) = found
            .iter()
            .fold((f64::MAX, 0.0_f64), |(low, high), (rate, _)| {
                (low.min(*rate), high.max(*rate))
            });
        assert!(found.iter().all(|(_, confirmed)| *confirmed), "{found:?}");
        assert!(low >= CAPACITY * 0.95, "{low}");
        assert!(high / low <= 1.03, "{low} to {high}");
    }
}
