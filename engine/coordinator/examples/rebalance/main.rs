//! What a rebalance costs, by protocol and size of the group: how long until
//! everyone has settled, how long partitions stand still meanwhile, what the
//! coordinator computes; and what a group and a transactional id weigh.
//!
//! ```text
//! cargo run --release -p plimsoll-coordinator --example rebalance
//! ```
//!
//! The coordinator is the real one and its CPU time is measured. Its clients
//! and their clock are virtual: they beat at Kafka's default intervals (3 s
//! classic, 5 s consumer), at phases drawn from a seed, and an answer travels for
//! a millisecond. So the times are those of the protocols, the same on every
//! machine; what clients do themselves (revoking, restoring) comes on top.

mod assign;
mod client;
mod host;
mod stage;
mod weight;

use client::Protocol;
use stage::{Event, Measured, Stage};
use std::time::Duration;

/// Groups that are measured; each member has two partitions.
const SIZES: [usize; 3] = [10, 100, 1000];
const SEEDS: u64 = 5;

fn main() {
    println!(
        "protocol     members  event  settled s  paused partitions  pause mean s  pause max s  coordinator CPU ms"
    );
    for protocol in [Protocol::Eager, Protocol::Cooperative, Protocol::Consumer] {
        for members in SIZES {
            for event in [Event::Join, Event::Leave] {
                let runs =
                    (0..SEEDS).map(|seed| Stage::new(protocol, members, seed).measure(event));
                print(protocol, members, event, &runs.collect::<Vec<_>>());
            }
        }
    }
    println!();
    weight::print();
}

/// The means over the seeds, and the largest pause of all.
fn print(protocol: Protocol, members: usize, event: Event, runs: &[Measured]) {
    let mean = |of: fn(&Measured) -> Duration| {
        runs.iter().map(of).sum::<Duration>().as_secs_f64() / runs.len() as f64
    };
    let paused = runs.iter().map(|run| run.paused).sum::<usize>() as f64 / runs.len() as f64;
    let longest = runs
        .iter()
        .map(|run| run.pause_max)
        .max()
        .unwrap_or_default();
    println!(
        "{:12} {members:7}  {:5}  {:9.2}  {:17.1}  {:12.2}  {:11.2}  {:18.2}",
        protocol.name(),
        event.name(),
        mean(|run| run.settled),
        paused,
        mean(|run| run.pause_mean),
        longest.as_secs_f64(),
        mean(|run| run.cpu) * 1000.0,
    );
}
