//! The log against a plain vector, on a disk that fails.
//!
//! A run is a seed: it draws steps (appends of every kind, reads, rolls,
//! flushes, deleted records, truncation, restarts) and after each compares the
//! log with a [`model::Model`], which is a list of batches and nothing else.
//! - `runs` lets runs go their way on a disk that keeps everything.
//! - `crash` stops one at every changing operation of the disk (write, sync,
//!   truncate, create, rename, remove) and lets the next process find what a
//!   power cut leaves: any subset of the sectors and any prefix of the names
//!   that were not synced.
//! - Both take plain logs, of which every byte is compared, and keyed ones that
//!   are compacted on the way, of which every reader's view is.
//! - `compact` cleans keyed logs and looks for what readers would miss.
//! - `rot` flips and cuts every byte of the tail.
//!
//! `PLIMSOLL_CASES` sets how many seeds each test takes; a failure prints its
//! seed, and `PLIMSOLL_SEED` takes that one alone. The defaults are some thousands of runs; an hour of them is
//! `PLIMSOLL_CASES=300 cargo test --release -p plimsoll-log --test model`.

mod compact;
mod crash;
mod model;
mod rot;
mod runs;
mod view;
mod world;

use std::ops::Range;

/// The seeds to take.
fn seeds(default: u64) -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    match number("PLIMSOLL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("PLIMSOLL_CASES").unwrap_or(default),
    }
}
