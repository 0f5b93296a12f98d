//! Planted bugs, each of which the world must catch within 500 seeds.
//!
//! Run with `cargo test --release -p plimsoll-sim --features mutations`.

use plimsoll_sim::{Plan, run_caught};
use plimsoll_wire::mutation::{self, Mutation};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Within how many seeds a bug must be caught.
const SEEDS_MAX: u64 = 500;

/// How many bugs are looked for at once.
const THREADS: usize = 2;

/// The first seed that shows the bug, and what it showed.
fn caught(planted: Mutation) -> Option<(u64, String)> {
    mutation::plant(Some(planted));
    let nodes = planted.nodes();
    let plan = Plan::of(nodes);
    let found = (0..SEEDS_MAX).find_map(|seed| {
        let violation = run_caught(seed, &plan).violation?;
        Some((seed, violation.to_string()))
    });
    mutation::plant(None);
    found
}

#[test]
fn every_planted_bug_is_caught_within_500_seeds() {
    let next = AtomicUsize::new(0);
    let lines = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(planted) = Mutation::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let line = match caught(*planted) {
                        Some((seed, what)) => (*planted, Some(seed), what),
                        None => (*planted, None, String::new()),
                    };
                    lines.lock().expect("no test thread panics").push(line);
                }
            });
        }
    });
    let lines = lines.into_inner().expect("no test thread panics");
    for (planted, seed, what) in &lines {
        match seed {
            Some(seed) => println!("{planted:<28} after {:>3} seeds: {what}", seed + 1),
            None => println!("{planted:<28} not caught"),
        }
    }
    let missed: Vec<_> = lines.iter().filter(|(_, seed, _)| seed.is_none()).collect();
    assert!(
        missed.is_empty(),
        "not caught in {SEEDS_MAX} seeds: {missed:?}"
    );
}
