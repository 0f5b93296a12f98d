//! A group whose partitions the cluster shares out among its consumers: what its
//! consumers in this process know together. Where others read in other processes,
//! it is told how far these are, and its results are merged with theirs.
//!
//! Partitions move while they are read, so that what was read of them, and how
//! far, belongs to the group and not to a consumer. A partition has one owner at
//! a time, as far as the cluster can tell; its state is locked for each record
//! all the same, because a consumer that the cluster takes for gone may not know.
//!
//! Invariant: a partition's position only grows, and is that of records that were
//! judged, here or elsewhere. Records that are read again after a rebalance count as
//! read twice.

mod moves;

pub use moves::{GroupEvents, Move, Moves};

use crate::clock::Mono;
use crate::driver::{Consumed, FinishLine};
use crate::labour::PoisonCounts;
use crate::record::Window;
use crate::verify::{Lanes, Verifier};
use parking_lot::Mutex;
use plimsoll_workloads::language::{Assignor, GroupProtocol};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How the consumers of a group behave towards it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// How partitions are shared out.
    pub protocol: GroupProtocol,
    /// Who gets which, where that was said.
    pub assignor: Option<Assignor>,
    /// How often positions are committed.
    pub commit_interval: Duration,
    /// How long a consumer may be silent.
    pub session_timeout: Duration,
    /// How often it is not.
    pub heartbeat: Duration,
    /// How often one of them leaves and joins again.
    pub restart_every: Option<Duration>,
    /// How many consumers the group has.
    pub consumers: u32,
}

/// The shared state of a group.
#[derive(Debug)]
pub struct SharedGroup {
    name: String,
    settings: GroupSettings,
    window: Window,
    lanes: Lanes,
    parts: Vec<Part>,
    moves: Mutex<Moves>,
}

/// What is known of one partition.
#[derive(Debug)]
struct Part {
    /// The next offset to read.
    position: AtomicI64,
    seen: Mutex<Verifier>,
}

/// A consumer's place in its group.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The group.
    pub group: Arc<SharedGroup>,
    /// Which of the group's consumers it is, from 0.
    pub index: u32,
}

impl SharedGroup {
    /// A group that has read nothing yet.
    pub fn new(name: String, settings: GroupSettings, window: Window, lanes: Lanes) -> Self {
        let of_one = Lanes {
            partitions: 1,
            ..lanes
        };
        let part = |_| Part {
            position: AtomicI64::new(0),
            seen: Mutex::new(Verifier::new(of_one)),
        };
        Self {
            name,
            settings,
            window,
            lanes,
            parts: (0..lanes.partitions).map(part).collect(),
            moves: Mutex::new(Moves::new(window)),
        }
    }

    /// The group's id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its consumers behave.
    pub const fn settings(&self) -> &GroupSettings {
        &self.settings
    }

    /// How many partitions there are to share.
    pub const fn partitions(&self) -> u32 {
        self.lanes.partitions
    }

    fn part(&self, partition: u32) -> Option<&Part> {
        self.parts.get(partition as usize)
    }

    /// Judges a record of `partition`.
    pub fn judge(&self, partition: u32, judge: impl FnOnce(&mut Verifier)) {
        if let Some(part) = self.part(partition) {
            judge(&mut part.seen.lock());
        }
    }

    /// Everything before `offset` of `partition` has been judged.
    pub fn advance(&self, partition: u32, offset: i64) {
        if let Some(part) = self.part(partition) {
            part.position.fetch_max(offset, Ordering::Relaxed);
        }
    }

    /// Where reading of `partition` goes on.
    pub fn position(&self, partition: u32) -> i64 {
        let part = self.part(partition);
        part.map_or(0, |part| part.position.load(Ordering::Relaxed))
    }

    /// Whether every partition has been read up to the line.
    pub fn is_finished(&self, line: &FinishLine) -> bool {
        line.is_drawn() && self.unfinished(line).is_empty()
    }

    fn unfinished(&self, line: &FinishLine) -> Vec<u32> {
        line.unfinished((0u32..).zip(self.positions()))
    }

    /// How far every partition was read.
    pub fn positions(&self) -> Vec<i64> {
        let parts = self.parts.iter();
        parts.map(|p| p.position.load(Ordering::Relaxed)).collect()
    }

    /// A consumer was told at `now` that these partitions, besides those that it
    /// keeps, are its own.
    pub fn assigned(&self, partitions: impl Iterator<Item = u32>, now: Mono) {
        self.moves.lock().assigned(partitions, now);
    }

    /// A consumer gave these partitions up at `now`.
    pub fn released(&self, partitions: impl Iterator<Item = u32>, now: Mono) {
        self.moves.lock().released(partitions, now);
    }

    /// When the group's consumer number `index` is to leave and join again after
    /// `now`, if it is.
    pub fn next_restart(&self, index: u32, now: Mono) -> Option<Mono> {
        let every = self.settings.restart_every?;
        let nanos = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
        let round = nanos.saturating_mul(u64::from(self.settings.consumers.max(1)));
        let first = self
            .window
            .from
            .plus(nanos.saturating_mul(u64::from(index) + 1));
        let rounds = match now < first {
            true => 0,
            false => now.since(first) / round + 1,
        };
        let next = first.plus(round.saturating_mul(rounds));
        (next < self.window.to).then_some(next)
    }

    /// What all consumers of the group read together. To be called when all have
    /// ended.
    pub fn consumed(&self, line: &FinishLine) -> Consumed {
        let mut whole = Verifier::new(self.lanes);
        for (partition, part) in (0u32..).zip(&self.parts) {
            whole.absorb_partition(partition, &part.seen.lock());
        }
        Consumed {
            partitions: (0..self.partitions()).collect(),
            unfinished: self.unfinished(line),
            verifier: whole,
            poison: PoisonCounts::default(),
        }
    }

    /// What the cluster did to the group in the measured window.
    pub fn events(&self) -> GroupEvents {
        self.moves.lock().events().clone()
    }

    /// Where its partitions went, for another to put together with what consumers in
    /// other processes say.
    pub fn moves(&self) -> Vec<Move> {
        self.moves.lock().journal().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::types::Offset;

    const SECOND: u64 = 1_000_000_000;

    fn group(consumers: u32) -> SharedGroup {
        let second = Duration::from_secs(1);
        let settings = GroupSettings {
            protocol: GroupProtocol::Classic,
            assignor: None,
            commit_interval: second,
            session_timeout: second * 10,
            heartbeat: second,
            restart_every: Some(second * 2),
            consumers,
        };
        let window = Window::new(Mono(0), second, second * 10, second);
        let lanes = Lanes {
            producers: 1,
            partitions: 2,
        };
        SharedGroup::new("g".to_owned(), settings, window, lanes)
    }

    #[test]
    fn a_partition_is_read_in_one_piece_by_one_consumer_after_the_other() {
        let group = group(2);
        for (partition, sequence) in [(0, 0), (1, 0), (0, 1), (0, 2)] {
            group.judge(partition, |seen| seen.observe(0, 0, sequence));
            group.advance(partition, i64::from(partition == 0) * sequence as i64 + 1);
        }
        let line = FinishLine::default();
        assert!(!group.is_finished(&line));
        line.draw(vec![Offset(3), Offset(2)]);
        assert!(!group.is_finished(&line));
        let consumed = group.consumed(&line);
        assert_eq!(consumed.unfinished, [1]);
        assert_eq!(consumed.verifier.consumed(), 4);
        group.advance(1, 2);
        assert!(group.is_finished(&line));
    }

    #[test]
    fn consumers_restart_in_turn_within_the_window() {
        let group = group(2);
        let check = |index: u32, now: u64, expected: Option<u64>| {
            let next = group.next_restart(index, Mono(now * SECOND));
            assert_eq!(
                next,
                expected.map(|at| Mono(at * SECOND)),
                "{index} at {now}"
            );
        };
        check(0, 0, Some(3));
        check(1, 0, Some(5));
        check(0, 3, Some(7));
        check(0, 6, Some(7));
        check(1, 5, Some(9));
        check(0, 7, None);
        check(1, 9, None);
    }
}
