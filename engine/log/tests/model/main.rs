//! The log against a plain vector, on a disk that fails.
//!
//! A run is a seed: it draws steps (appends of every kind, reads, rolls,
//! flushes, deleted records, truncation, restarts) and after each compares the
//! log with a [`model::Model`], which is a list of batches and nothing else.
//! - `runs` lets runs go their way on a disk that keeps everything.
//! - `crash` stops one at every changing operation of the disk and lets the
//!   next process find what a power cut leaves.
//! - `compact` cleans keyed logs and looks for what readers would miss.
//! - `rot` flips and cuts every byte of the tail.
//!
//! `PLIMSOLL_CASES` sets how many seeds each test takes; a failure prints its
//! seed.

mod compact;
mod crash;
mod model;
mod rot;
mod runs;
mod world;

/// How many seeds to take.
fn cases(default: u64) -> u64 {
    std::env::var("PLIMSOLL_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(default)
}
