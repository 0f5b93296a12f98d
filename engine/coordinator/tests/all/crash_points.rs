//! A transaction coordinator dies after each record of a transaction in turn,
//! and between its markers.
//!
//! Whatever the point, the next coordinator brings every partition that the
//! transaction had reached to one decision: the one recorded, or an abort when
//! none was. What a marker has said already is never said otherwise.

use crate::stage::secs;
use crate::troupe::{Troupe, abort, add, commit, init};
use plimsoll_coordinator::Producer;
use plimsoll_coordinator::schema::{TransactionRecord, TransactionState};
use plimsoll_coordinator::transaction::TransactionReply;
use std::collections::{BTreeMap, BTreeSet};

const PARTITIONS: [i32; 3] = [0, 1, 2];

/// One transaction from beginning to end.
fn play(commits: bool, client_version: i16) -> (Troupe, Producer) {
    let mut troupe = Troupe::new();
    let TransactionReply::Init(Ok(producer)) = troupe.ask(init("t", None)) else {
        panic!("expected a producer");
    };
    for partition in PARTITIONS {
        troupe.ask(add("t", producer, &[partition]));
    }
    let end = if commits { commit } else { abort };
    troupe.send(end("t", producer, client_version));
    (troupe, producer)
}

/// What the journal says of the transaction after each of its records.
fn story(troupe: &Troupe) -> Vec<(TransactionState, usize)> {
    let records = troupe.journal.iter().map(|(key, value)| {
        let record = TransactionRecord::decode(key, value.as_deref());
        let value = record.expect("a record").value.expect("no tombstone");
        let reached = value.partitions.values().map(BTreeSet::len).sum();
        (value.state, reached)
    });
    records.collect()
}

fn check(commits: bool, client_version: i16, kept: usize, markers: usize) {
    use TransactionState::{Ongoing, PrepareAbort, PrepareCommit};
    let what = format!("{commits} v{client_version}: {kept} records, {markers} markers");
    let (mut troupe, producer) = play(commits, client_version);
    let before = story(&troupe);
    troupe.markers.truncate(markers);
    troupe.crash_at(kept);
    troupe.pass(secs(200));
    let mut decided: BTreeMap<i32, BTreeSet<bool>> = BTreeMap::new();
    for (partition, by, commit) in &troupe.markers {
        assert_eq!(by.id, producer.id, "{what}");
        decided.entry(*partition).or_default().insert(*commit);
    }
    let (state, reached) = match kept {
        0 => (TransactionState::Empty, 0),
        kept => before[kept - 1],
    };
    let expected = match state {
        Ongoing => Some(false),
        PrepareCommit | PrepareAbort => Some(commits),
        _ if markers > 0 => Some(commits),
        _ => None,
    };
    let reached = PARTITIONS.into_iter().take(reached.max(markers));
    let expected = expected.into_iter().flat_map(|commit| {
        let decision = BTreeSet::from([commit]);
        reached.clone().map(move |p| (p, decision.clone()))
    });
    assert_eq!(decided, expected.collect(), "{what}");
    if kept > 0 {
        let state = troupe.state("t");
        assert!(
            !matches!(state, Ongoing | PrepareCommit | PrepareAbort),
            "{what}: {state:?}"
        );
    }
}

#[test]
fn every_crash_leaves_one_decision() {
    for (commits, client_version) in [(true, 0), (false, 0), (true, 2), (false, 2)] {
        let (troupe, _) = play(commits, client_version);
        let records = story(&troupe);
        assert!(
            records.len() >= 6,
            "begun, reached three, decided, complete: {records:?}"
        );
        for kept in 0..=records.len() {
            // Markers are asked for once the decision is committed, and it is
            // complete once all are written.
            let written = match kept.checked_sub(1).map(|last| records[last].0) {
                Some(TransactionState::PrepareCommit | TransactionState::PrepareAbort) => 0..=3,
                Some(TransactionState::CompleteCommit | TransactionState::CompleteAbort) => 3..=3,
                _ => 0..=0,
            };
            for markers in written {
                check(commits, client_version, kept, markers);
            }
        }
    }
}
