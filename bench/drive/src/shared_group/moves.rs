//! Where the partitions of a group go, and how long they are nobody's.
//!
//! Pure: times come in as arguments. What several processes noted of one group is
//! played again in the order of its times, and gives what one would have noted.

use super::SharedGroup;
use crate::clock::Mono;
use crate::record::Window;
use plimsoll_results::{Histogram, Rebalances};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Moves noted for others, and partitions in them; of what comes after them nobody
/// outside the process knows.
const NOTED_MAX: usize = 1 << 18;

/// What became of a group.
#[derive(Clone, Debug, Default)]
pub struct GroupEvents {
    /// How often a consumer was told anew what is its own.
    pub assignments: u64,
    /// The same by second of the window.
    pub by_second: BTreeMap<u32, u64>,
    /// How long partitions were nobody's.
    pub pauses: Histogram,
}

impl GroupEvents {
    /// What became of several groups together; none of no groups.
    pub fn of_all(groups: &[Arc<SharedGroup>]) -> Option<Self> {
        let all = groups.iter().map(|group| group.events());
        all.reduce(|mut sum, one| {
            sum.absorb(&one);
            sum
        })
    }

    /// Takes in what became of another group.
    pub fn absorb(&mut self, other: &Self) {
        self.assignments += other.assignments;
        self.pauses.merge(&other.pauses);
        for (second, count) in &other.by_second {
            *self.by_second.entry(*second).or_default() += count;
        }
    }

    /// In numbers.
    pub fn rebalances(&self) -> Rebalances {
        Rebalances {
            assignments: self.assignments,
            pause: self.pauses.summary(),
        }
    }
}

/// One word of a coordinator to a consumer, or of a consumer to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Nanoseconds since the schedule began; before that they are negative.
    at: i64,
    /// Partitions that were given up, or taken on besides those that are kept.
    partitions: Vec<u32>,
    /// They were taken on.
    taken: bool,
}

/// Where the partitions of a group went.
#[derive(Debug)]
pub struct Moves {
    window: Window,
    /// When a partition's last owner gave it up, as long as it has no other.
    released: BTreeMap<u32, Mono>,
    events: GroupEvents,
    journal: Vec<Move>,
    noted: usize,
}

impl Moves {
    /// No moves yet.
    pub fn new(window: Window) -> Self {
        Self {
            window,
            released: BTreeMap::new(),
            events: GroupEvents::default(),
            journal: Vec::new(),
            noted: 0,
        }
    }

    /// A consumer was told at `now` that these partitions, besides those that it
    /// keeps, are its own.
    pub fn assigned(&mut self, partitions: impl Iterator<Item = u32>, now: Mono) {
        let partitions: Vec<u32> = partitions.collect();
        let measured = self.window.measures(now);
        for partition in &partitions {
            if let Some(since) = self.released.remove(partition)
                && measured
            {
                let pause = Duration::from_nanos(now.since(since));
                self.events.pauses.record(pause);
            }
        }
        if measured {
            self.events.assignments += 1;
            let second = self.window.second(now);
            *self.events.by_second.entry(second).or_default() += 1;
        }
        self.note(partitions, true, now);
    }

    /// A consumer gave these partitions up at `now`.
    pub fn released(&mut self, partitions: impl Iterator<Item = u32>, now: Mono) {
        let partitions: Vec<u32> = partitions.collect();
        for partition in &partitions {
            self.released.entry(*partition).or_insert(now);
        }
        if !partitions.is_empty() {
            self.note(partitions, false, now);
        }
    }

    fn note(&mut self, partitions: Vec<u32>, taken: bool, now: Mono) {
        self.noted += 1 + partitions.len();
        if self.noted <= NOTED_MAX {
            let at = now.0.wrapping_sub(self.window.start.0).cast_signed();
            self.journal.push(Move {
                at,
                partitions,
                taken,
            });
        }
    }

    /// What became of the group in the measured window.
    pub const fn events(&self) -> &GroupEvents {
        &self.events
    }

    /// All moves, or the first of very many.
    pub fn journal(&self) -> &[Move] {
        &self.journal
    }

    /// What became of a group whose consumers noted these moves in several
    /// processes.
    pub fn replay(window: Window, mut noted: Vec<Move>) -> GroupEvents {
        noted.sort_by_key(|one| one.at);
        let mut moves = Self::new(window);
        for one in noted {
            let at = Mono(window.start.0.wrapping_add_signed(one.at));
            let partitions = one.partitions.into_iter();
            match one.taken {
                true => moves.assigned(partitions, at),
                false => moves.released(partitions, at),
            }
        }
        moves.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn moves() -> Moves {
        let second = Duration::from_secs(1);
        Moves::new(Window::new(Mono(SECOND), second, second * 10, second))
    }

    fn check(events: &GroupEvents) {
        assert_eq!(events.assignments, 3);
        let pause = events.rebalances().pause.expect("two partitions moved");
        assert_eq!((pause.count, (pause.min_us / 1e6).round()), (2, 2.0));
        assert_eq!((pause.max_us / 1e6).round(), 3.0);
        assert_eq!(events.by_second, [(3, 1), (4, 2)].into());
    }

    #[test]
    fn pauses_last_from_one_owner_to_the_next_and_count_in_the_window() {
        let mut group = moves();
        group.assigned(0..2, Mono(0));
        group.released(0..2, Mono(3 * SECOND));
        group.released(0..1, Mono(4 * SECOND));
        group.assigned(0..1, Mono(5 * SECOND));
        group.assigned(1..2, Mono(6 * SECOND));
        group.assigned(std::iter::empty(), Mono(6 * SECOND));
        check(group.events());
    }

    #[test]
    fn two_processes_know_together_what_one_would() {
        let (mut one, mut other) = (moves(), moves());
        one.assigned(0..2, Mono(0));
        one.released(0..2, Mono(3 * SECOND));
        other.assigned(0..1, Mono(5 * SECOND));
        other.assigned(1..2, Mono(6 * SECOND));
        one.assigned(std::iter::empty(), Mono(6 * SECOND));
        let pauses = |moves: &Moves| moves.events().pauses.count();
        assert_eq!((pauses(&one), pauses(&other)), (0, 0));
        let noted = [other.journal(), one.journal()].concat();
        check(&Moves::replay(one.window, noted));
    }
}
