//! Completeness and order, checked while measuring.
//!
//! Each record carries its producer, its number in its lane (one producer's
//! records in one partition) and a checksum. A consumer feeds what it reads to
//! a [`Verifier`]; at the end the producers' ledgers are settled against it.
//!
//! Invariants: memory is bounded by producers × partitions, however long the
//! run; no record is judged twice. It must never trust a number from a record
//! before its checksum held.

mod lane;
mod ranges;

pub use lane::{Lane, Written};
pub use ranges::RangeSet;

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Counts of what became of the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records handed to the client.
    pub sent: u64,
    /// Records that the broker confirmed.
    pub acknowledged: u64,
    /// Records read back, duplicates included.
    pub consumed: u64,
    /// Acknowledged records never read.
    pub lost: u64,
    /// Records read again.
    pub duplicated: u64,
    /// Records read after a later one of their lane.
    pub reordered: u64,
    /// Records whose checksum or stamp was wrong.
    pub corrupt: u64,
    /// Acknowledged records that the reader had not come to when it was
    /// stopped.
    pub unread: u64,
    /// Records of aborted transactions that were read as if committed.
    pub aborted_read: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.consumed += other.consumed;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupt += other.corrupt;
        self.unread += other.unread;
        self.aborted_read += other.aborted_read;
    }
}

/// The lanes of one run: how many producers and partitions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lanes {
    /// Producers, numbered from 0.
    pub producers: u32,
    /// Partitions of the topic, numbered from 0.
    pub partitions: u32,
}

impl Lanes {
    /// No lanes, where others judge.
    pub const NONE: Self = Self {
        producers: 0,
        partitions: 0,
    };

    /// The most lanes that one run may have: 128 bytes each.
    pub const MAX: u64 = 4_000_000;

    /// How many there are.
    pub fn count(self) -> usize {
        let count = u64::from(self.producers) * u64::from(self.partitions);
        usize::try_from(count.min(Self::MAX)).unwrap_or(0)
    }

    /// Where a lane stands among them.
    pub fn index(self, producer: u32, partition: u32) -> Option<usize> {
        if producer >= self.producers || partition >= self.partitions {
            return None;
        }
        usize::try_from(u64::from(producer) * u64::from(self.partitions) + u64::from(partition))
            .ok()
    }
}

/// What one consumer, or several, have read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verifier {
    lanes: Lanes,
    seen: Vec<Lane>,
    consumed: u64,
    corrupt: u64,
    aborted: u64,
}

impl Verifier {
    /// A verifier that has read nothing yet.
    pub fn new(lanes: Lanes) -> Self {
        Self {
            lanes,
            seen: vec![Lane::default(); lanes.count()],
            consumed: 0,
            corrupt: 0,
            aborted: 0,
        }
    }

    /// A record whose checksum held was read from `partition`.
    pub fn observe(&mut self, producer: u32, partition: u32, sequence: u64) {
        self.consumed += 1;
        match self
            .lanes
            .index(producer, partition)
            .and_then(|at| self.seen.get_mut(at))
        {
            Some(lane) => lane.observe(sequence),
            None => self.corrupt += 1,
        }
    }

    /// A record was read that is not as it was written.
    pub fn observe_corrupt(&mut self) {
        self.consumed += 1;
        self.corrupt += 1;
    }

    /// A record of a transaction that was to be aborted was read. Only a
    /// reader of committed records may not see it, which is for
    /// [`Verifier::settle`]'s caller to know.
    pub const fn observe_aborted(&mut self) {
        self.aborted += 1;
    }

    /// Records read so far.
    pub const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Takes in what another consumer read of the same lanes, or of none.
    pub fn absorb(&mut self, other: &Self) {
        self.consumed += other.consumed;
        self.corrupt += other.corrupt;
        self.aborted += other.aborted;
        for (own, its) in self.seen.iter_mut().zip(&other.seen) {
            own.absorb(its);
        }
    }

    /// Takes in what was read of one partition, as if it were the only one.
    pub fn absorb_partition(&mut self, partition: u32, other: &Self) {
        self.consumed += other.consumed;
        self.corrupt += other.corrupt;
        self.aborted += other.aborted;
        for (producer, its) in (0u32..).zip(&other.seen) {
            let own = self.lanes.index(producer, partition);
            if let Some(own) = own.and_then(|at| self.seen.get_mut(at)) {
                own.clone_from(its);
            }
        }
    }

    /// Compares what was read with what `ledger` says was written.
    /// `read_all` tells whether a partition was read to its end.
    pub fn settle(&self, ledger: &Ledger, read_all: impl Fn(u32) -> bool) -> Counts {
        let mut counts = ledger.counts();
        counts.consumed = self.consumed;
        counts.corrupt = self.corrupt;
        counts.aborted_read = self.aborted;
        let partitions = self.lanes.partitions.max(1) as usize;
        for (at, (lane, written)) in self.seen.iter().zip(&ledger.written).enumerate() {
            counts.lost += lane.lost(written);
            counts.duplicated += lane.duplicated;
            counts.reordered += lane.reordered;
            if u32::try_from(at % partitions).is_ok_and(&read_all) {
                counts.lost += lane.unread(written);
            } else {
                counts.unread += lane.unread(written);
            }
        }
        counts
    }
}

/// What all producers of a run wrote.
#[derive(Clone, Debug)]
pub struct Ledger {
    lanes: Lanes,
    written: Vec<Written>,
}

impl Ledger {
    /// A ledger of nothing.
    pub fn new(lanes: Lanes) -> Self {
        Self {
            lanes,
            written: vec![Written::default(); lanes.count()],
        }
    }

    /// Enters what one producer wrote, by partition.
    pub fn enter(&mut self, producer: u32, by_partition: Vec<Written>) {
        for (partition, written) in (0u32..).zip(by_partition) {
            let at = self.lanes.index(producer, partition);
            if let Some(slot) = at.and_then(|at| self.written.get_mut(at)) {
                *slot = written;
            }
        }
    }

    /// What is known without reading anything back.
    pub fn counts(&self) -> Counts {
        Counts {
            sent: self.written.iter().map(Written::sent).sum(),
            acknowledged: self.written.iter().map(Written::acknowledged).sum(),
            ..Counts::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LANES: Lanes = Lanes {
        producers: 2,
        partitions: 2,
    };

    fn ledger(each: u64) -> Ledger {
        let mut ledger = Ledger::new(LANES);
        for producer in 0..LANES.producers {
            let mut written = Written::default();
            for _ in 0..each {
                written.count_sent();
            }
            ledger.enter(producer, vec![written; LANES.partitions as usize]);
        }
        ledger
    }

    fn all(each: u64) -> Vec<(u32, u32, u64)> {
        (0..each)
            .flat_map(|at| [(0, 0, at), (1, 0, at), (0, 1, at), (1, 1, at)])
            .collect()
    }

    fn check(read: &[(u32, u32, u64)], corrupt: u64, expected: Counts) {
        let mut verifier = Verifier::new(LANES);
        for (producer, partition, sequence) in read {
            verifier.observe(*producer, *partition, *sequence);
        }
        for _ in 0..corrupt {
            verifier.observe_corrupt();
        }
        assert_eq!(verifier.settle(&ledger(10), |_| true), expected);
    }

    const CLEAN: Counts = Counts {
        sent: 40,
        acknowledged: 40,
        consumed: 40,
        lost: 0,
        duplicated: 0,
        reordered: 0,
        corrupt: 0,
        unread: 0,
        aborted_read: 0,
    };

    #[test]
    fn a_clean_run_is_clean() {
        check(&all(10), 0, CLEAN);
    }

    #[test]
    fn seeded_faults_are_each_caught() {
        let mut read = all(10);
        let at = read.iter().position(|r| *r == (1, 0, 4)).unwrap_or(0);
        read.remove(at);
        check(
            &read,
            0,
            Counts {
                consumed: 39,
                lost: 1,
                ..CLEAN
            },
        );
        check(
            &read,
            1,
            Counts {
                lost: 1,
                corrupt: 1,
                ..CLEAN
            },
        );

        let mut read = all(10);
        read.push((0, 1, 3));
        check(
            &read,
            0,
            Counts {
                consumed: 41,
                duplicated: 1,
                ..CLEAN
            },
        );

        let mut read = all(10);
        read.swap(8, 12);
        check(
            &read,
            0,
            Counts {
                reordered: 1,
                ..CLEAN
            },
        );

        let mut read = all(10);
        read.push((7, 0, 3));
        check(
            &read,
            0,
            Counts {
                consumed: 41,
                corrupt: 1,
                ..CLEAN
            },
        );
    }

    #[test]
    fn what_a_stopped_reader_had_not_come_to_is_not_lost() {
        let mut verifier = Verifier::new(LANES);
        for sequence in [0, 1, 3] {
            verifier.observe(0, 1, sequence);
        }
        let counts = verifier.settle(&ledger(10), |partition| partition == 0);
        assert_eq!((counts.lost, counts.unread), (20 + 1, 6 + 10));
    }

    proptest! {
        #[test]
        fn losses_and_duplicates_are_counted_exactly(
            drops in proptest::collection::btree_set(0usize..40, 0..10),
            repeats in proptest::collection::btree_set(0usize..40, 0..10),
        ) {
            let mut read = Vec::new();
            for (at, record) in all(10).into_iter().enumerate() {
                if drops.contains(&at) {
                    continue;
                }
                read.push(record);
                if repeats.contains(&at) {
                    read.push(record);
                }
            }
            let duplicated = repeats.difference(&drops).count() as u64;
            let lost = drops.len() as u64;
            let consumed = 40 - lost + duplicated;
            check(&read, 0, Counts { consumed, lost, duplicated, ..CLEAN });
        }
    }
}
