//! The leader-epoch cache: where each leader's epoch began in the log.
//!
//! A follower that diverged finds with it how far it agrees with the leader
//! (KIP-101, KIP-279). Epochs and start offsets both rise strictly.

use crate::checkpoint::EpochEntry;
use plimsoll_wire::types::{LeaderEpoch, Offset};

/// Where epochs began, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epochs {
    entries: Vec<EpochEntry>,
    /// Whether the file is older than the entries.
    stale_file: bool,
}

/// Where an epoch ends, as OffsetForLeaderEpoch answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch of the log that is at most the one asked for.
    pub epoch: LeaderEpoch,
    /// The offset after the last record of that epoch.
    pub end: Offset,
}

impl Epochs {
    pub(crate) fn new(entries: Vec<EpochEntry>) -> Self {
        Self {
            entries,
            stale_file: false,
        }
    }

    pub(crate) fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    pub(crate) fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// Whether the file must be written; it is taken as written from now on.
    pub(crate) fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.stale_file)
    }

    pub(crate) fn mark_stale(&mut self) {
        self.stale_file = true;
    }

    /// Notes that `epoch` wrote at `offset`. A batch written again after a
    /// truncation overrides what was noted there.
    #[inline]
    pub(crate) fn note(&mut self, epoch: LeaderEpoch, offset: Offset) {
        if epoch.get() < 0 {
            return;
        }
        if self
            .entries
            .last()
            .is_some_and(|last| last.epoch == epoch && last.start <= offset)
        {
            return;
        }
        while self
            .entries
            .last()
            .is_some_and(|last| last.epoch >= epoch || last.start >= offset)
        {
            self.entries.pop();
        }
        self.entries.push(EpochEntry {
            epoch,
            start: offset,
        });
        self.stale_file = true;
    }

    /// Where `asked` ends in a log that ends at `log_end`; `None` when the log
    /// cannot know.
    pub(crate) fn end_of(&self, asked: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        if asked.get() < 0 {
            return None;
        }
        if self.latest() == Some(asked) {
            return Some(EpochEnd {
                epoch: asked,
                end: log_end,
            });
        }
        let after = self.entries.partition_point(|entry| entry.epoch <= asked);
        let end = self.entries.get(after)?.start;
        let floor = after.checked_sub(1).and_then(|at| self.entries.get(at));
        Some(EpochEnd {
            epoch: floor.map_or(asked, |entry| entry.epoch),
            end,
        })
    }

    /// The epoch that wrote `offset`.
    pub(crate) fn of(&self, offset: Offset) -> LeaderEpoch {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        let floor = after.checked_sub(1).and_then(|at| self.entries.get(at));
        floor.map_or(LeaderEpoch::NONE, |entry| entry.epoch)
    }

    /// Forgets epochs that began at or after the new end of the log.
    pub(crate) fn cut_end(&mut self, log_end: Offset) {
        while self
            .entries
            .last()
            .is_some_and(|last| last.start >= log_end)
        {
            self.entries.pop();
            self.stale_file = true;
        }
    }

    /// Forgets epochs that ended at or before the new start of the log.
    pub(crate) fn cut_start(&mut self, log_start: Offset) {
        let begun = self
            .entries
            .partition_point(|entry| entry.start <= log_start);
        let Some(last_begun) = begun.checked_sub(1) else {
            return;
        };
        self.stale_file |= last_begun > 0;
        self.entries.drain(..last_begun);
        if let Some(first) = self
            .entries
            .first_mut()
            .filter(|first| first.start < log_start)
        {
            first.start = log_start;
            self.stale_file = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(noted: &[(i32, i64)]) -> Epochs {
        let mut epochs = Epochs::default();
        for (epoch, offset) in noted {
            epochs.note(LeaderEpoch(*epoch), Offset(*offset));
        }
        epochs
    }

    fn list(epochs: &Epochs) -> Vec<(i32, i64)> {
        epochs
            .entries()
            .iter()
            .map(|e| (e.epoch.get(), e.start.get()))
            .collect()
    }

    #[test]
    fn only_the_first_offset_of_an_epoch_is_noted() {
        let check = |noted: &[(i32, i64)], expected: &[(i32, i64)]| {
            assert_eq!(list(&epochs(noted)), expected, "{noted:?}");
        };
        check(&[(0, 0), (0, 5), (2, 9), (2, 11)], &[(0, 0), (2, 9)]);
        check(&[(0, 0), (3, 9), (5, 9)], &[(0, 0), (5, 9)]);
        check(
            &[(0, 0), (3, 9), (5, 20), (4, 12)],
            &[(0, 0), (3, 9), (4, 12)],
        );
        check(&[(-1, 0), (1, 0)], &[(1, 0)]);
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next() {
        let epochs = epochs(&[(2, 10), (4, 20), (7, 30)]);
        let check = |asked: i32, expected: Option<(i32, i64)>| {
            let end = epochs.end_of(LeaderEpoch(asked), Offset(45));
            assert_eq!(
                end.map(|e| (e.epoch.get(), e.end.get())),
                expected,
                "epoch {asked}"
            );
        };
        check(-1, None);
        check(1, Some((1, 10)));
        check(2, Some((2, 20)));
        check(3, Some((2, 20)));
        check(5, Some((4, 30)));
        check(7, Some((7, 45)));
        check(8, None);
    }

    #[test]
    fn cutting_either_end_keeps_the_epoch_that_covers_the_cut() {
        let check = |cut: fn(&mut Epochs), expected: &[(i32, i64)]| {
            let mut epochs = epochs(&[(2, 10), (4, 20), (7, 30)]);
            cut(&mut epochs);
            assert_eq!(list(&epochs), expected);
        };
        check(|e| e.cut_end(Offset(30)), &[(2, 10), (4, 20)]);
        check(|e| e.cut_end(Offset(31)), &[(2, 10), (4, 20), (7, 30)]);
        check(|e| e.cut_end(Offset(0)), &[]);
        check(|e| e.cut_start(Offset(5)), &[(2, 10), (4, 20), (7, 30)]);
        check(|e| e.cut_start(Offset(25)), &[(4, 25), (7, 30)]);
        check(|e| e.cut_start(Offset(30)), &[(7, 30)]);
        check(|e| e.cut_start(Offset(99)), &[(7, 99)]);
    }
}
