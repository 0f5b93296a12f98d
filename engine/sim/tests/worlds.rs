//! Worlds that must hold, and that a seed is a run.

use plimsoll_sim::{Plan, Report, run_caught};
use std::time::Duration;

/// More seeds than the few of a debug build: the variable's number of them.
const SEEDS_VARIABLE: &str = "PLIMSOLL_SIM_SEEDS";

fn seeds(few: u64) -> u64 {
    let asked = std::env::var(SEEDS_VARIABLE).ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(few)
}

fn plan(nodes: usize) -> Plan {
    Plan {
        storm: Duration::from_secs(30),
        ..Plan::of(nodes)
    }
}

fn check(report: &Report, nodes: usize) {
    if let Some(violation) = &report.violation {
        panic!(
            "seed {} of {nodes} node(s): {violation}\nto see it again, run this plan's \
             seed with --trace {}",
            report.seed, report.seed
        );
    }
}

#[test]
fn nothing_is_violated_on_one_node() {
    for seed in 0..seeds(12) {
        check(&run_caught(seed, &plan(1)), 1);
    }
}

#[test]
fn nothing_is_violated_on_three_nodes() {
    for seed in 0..seeds(3) {
        check(&run_caught(seed, &plan(3)), 3);
    }
}

/// Seed 112 of three nodes: a leader that was cut off from its followers held a
/// batch with acks=all back; its disk failed, and whoever waited was told that
/// all was well.
#[test]
fn a_leader_whose_disk_fails_acknowledges_nothing_that_waits() {
    let plan = Plan {
        coordinates: false,
        ..Plan::of(3)
    };
    check(&run_caught(112, &plan), 3);
}

#[test]
fn a_seed_is_a_run() {
    for seed in [1, 2] {
        let (first, again) = (run_caught(seed, &plan(1)), run_caught(seed, &plan(1)));
        assert_eq!(first.hash, again.hash, "seed {seed}");
        assert_eq!(first.tally, again.tally, "seed {seed}");
        assert_eq!(first.elapsed, again.elapsed, "seed {seed}");
    }
    let (one, other) = (run_caught(1, &plan(1)), run_caught(2, &plan(1)));
    assert_ne!(one.hash, other.hash);
    let in_words = Plan {
        in_words: true,
        ..plan(1)
    };
    let told = run_caught(1, &in_words);
    assert_eq!(told.hash, one.hash, "telling changes nothing");
    assert!(told.lines.len() > 100);
}
