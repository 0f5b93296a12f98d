//! What verifying costs: the CPU time of stamping a record, reading the stamp
//! and following its lane, beside what all of the client's work takes. As in a run
//! at a fixed size, the checksum of a body that comes again is known, and the body
//! is written to its batch once, stamped or not.
//!
//! `cargo run --release -p plimsoll-drive --example verify_cost`
//!
//! The rest is measured by `one_cell`; this prints nanoseconds per record.

use plimsoll_drive::clock::thread_cpu_nanos;
use plimsoll_drive::verify::{Lanes, Verifier};
use plimsoll_workloads::generate::{STAMP_LEN, Stamp, body_checksum};
use std::hint::black_box;

const RECORDS: u64 = 2_000_000;
const VALUE_BYTES: usize = 1024;
const ROUNDS: usize = 5;

fn main() {
    let value = vec![7u8; VALUE_BYTES];
    let body = value.get(STAMP_LEN..).unwrap_or_default();
    let mut rounds: Vec<u64> = (0..ROUNDS).map(|_| round(body)).collect();
    rounds.sort_unstable();
    let nanos = rounds[ROUNDS / 2] as f64 / RECORDS as f64;
    println!("verifying a {VALUE_BYTES}-byte record: {nanos:.1} ns (stamp, check, lane)");
}

/// CPU nanoseconds of stamping, checking and following all records.
fn round(body: &[u8]) -> u64 {
    let mut verifier = Verifier::new(Lanes {
        producers: 1,
        partitions: 6,
    });
    let mut value = vec![0; STAMP_LEN];
    value.extend_from_slice(body);
    let known = body_checksum(body);
    let began = thread_cpu_nanos();
    for at in 0..RECORDS {
        let stamp = Stamp {
            run: 1,
            producer: 0,
            sequence: at / 6,
            intended_ns: at,
            aborts: false,
        };
        value[..STAMP_LEN].copy_from_slice(&stamp.seal_known(None, black_box(known)));
        match Stamp::open_prefix(black_box(&value), None) {
            Ok(read) => verifier.observe(read.producer, (at % 6) as u32, read.sequence),
            Err(_) => verifier.observe_corrupt(),
        }
    }
    let used = thread_cpu_nanos() - began;
    assert_eq!(verifier.consumed(), RECORDS);
    used
}
