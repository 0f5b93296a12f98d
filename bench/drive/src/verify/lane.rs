//! One lane: the records that one producer wrote to one partition, numbered
//! from 0 without gaps. Kafka keeps their order, so a reader must meet them in
//! order, each once.
//!
//! Memory is bounded: a lane remembers at most [`RangeSet::RANGES_MAX`] gaps.
//! When more are open, the oldest is written off as lost; should its records
//! come after all they count as duplicates.

use super::ranges::RangeSet;
use serde::{Deserialize, Serialize};

/// What a reader has met of one lane.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lane {
    next: u64,
    missing: RangeSet,
    written_off: u64,
    /// Records met again.
    pub duplicated: u64,
    /// Records met after a later one.
    pub reordered: u64,
}

impl Lane {
    /// The record numbered `sequence` has been read.
    pub fn observe(&mut self, sequence: u64) {
        if sequence == self.next {
            self.next += 1;
        } else if sequence > self.next {
            if let Some(given_up) = self.missing.push(self.next..sequence) {
                self.written_off += given_up.end - given_up.start;
            }
            self.next = sequence + 1;
        } else if self.missing.remove(sequence) {
            self.reordered += 1;
        } else {
            self.duplicated += 1;
        }
    }

    /// Takes in what another reader met of the same lane: a record is missing when
    /// neither met it, and was met again when both did.
    pub fn absorb(&mut self, other: &Self) {
        if other.next == 0 {
            return;
        }
        let (shorter, longer) = match self.next <= other.next {
            true => (&*self, other),
            false => (other, &*self),
        };
        let end = shorter.next;
        let neither = shorter.missing.common(&longer.missing);
        let missed = |lane: &Self| lane.missing.count_within(0..end) + lane.written_off;
        let missed_by_both: u64 = neither.iter().map(|gap| gap.end - gap.start).sum();
        let by_one_or_both = missed(shorter) + missed(longer) - missed_by_both;
        let beyond = longer.missing.iter().filter_map(|gap| {
            let gap = gap.start.max(end)..gap.end;
            (!gap.is_empty()).then_some(gap)
        });
        let mut whole = Self {
            next: longer.next,
            written_off: self.written_off + other.written_off,
            duplicated: self.duplicated + other.duplicated + end.saturating_sub(by_one_or_both),
            reordered: self.reordered + other.reordered,
            missing: RangeSet::default(),
        };
        for gap in neither.into_iter().chain(beyond) {
            if let Some(given_up) = whole.missing.push(gap) {
                whole.written_off += given_up.end - given_up.start;
            }
        }
        *self = whole;
    }

    /// How many acknowledged records were passed over.
    pub fn lost(&self, written: &Written) -> u64 {
        let gaps = self.missing.iter().map(|gap| {
            let acknowledged = gap.end - gap.start;
            acknowledged - written.unacknowledged.count_within(gap)
        });
        self.written_off + gaps.sum::<u64>()
    }

    /// How many acknowledged records come after the last that was read: lost,
    /// if the reader has read all there is.
    pub fn unread(&self, written: &Written) -> u64 {
        let tail = self.next..written.sent.max(self.next);
        tail.end - tail.start - written.unacknowledged.count_within(tail)
    }
}

/// What a producer knows of one lane.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Written {
    sent: u64,
    unacknowledged: RangeSet,
    unacknowledged_count: u64,
}

impl Written {
    /// The lane's next record has been handed to the client.
    pub const fn count_sent(&mut self) {
        self.sent += 1;
    }

    /// The records of `first..first + count` were given up: they may or may not
    /// be in the log. Called in ascending order of `first`. Beyond
    /// [`RangeSet::RANGES_MAX`] separate failures the oldest are forgotten,
    /// and then count as acknowledged when they are not read.
    pub fn give_up(&mut self, first: u64, count: u64) {
        self.unacknowledged_count += count;
        drop(self.unacknowledged.push(first..first + count));
    }

    /// Records numbered so far.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Records not given up.
    pub const fn acknowledged(&self) -> u64 {
        self.sent.saturating_sub(self.unacknowledged_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Expected {
        lost: u64,
        duplicated: u64,
        reordered: u64,
    }

    fn check(sent: u64, given_up: &[(u64, u64)], read: &[u64], expected: &Expected) {
        let mut written = Written::default();
        for _ in 0..sent {
            written.count_sent();
        }
        for (first, count) in given_up {
            written.give_up(*first, *count);
        }
        let mut lane = Lane::default();
        for sequence in read {
            lane.observe(*sequence);
        }
        assert_eq!(
            lane.lost(&written) + lane.unread(&written),
            expected.lost,
            "lost: {read:?}"
        );
        assert_eq!(lane.duplicated, expected.duplicated, "dup: {read:?}");
        assert_eq!(lane.reordered, expected.reordered, "order: {read:?}");
    }

    const fn expected(lost: u64, duplicated: u64, reordered: u64) -> Expected {
        Expected {
            lost,
            duplicated,
            reordered,
        }
    }

    #[test]
    fn a_lane_read_in_order_is_clean() {
        check(4, &[], &[0, 1, 2, 3], &expected(0, 0, 0));
        check(0, &[], &[], &expected(0, 0, 0));
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        check(4, &[], &[0, 1, 3], &expected(1, 0, 0));
        check(4, &[], &[0, 1], &expected(2, 0, 0));
        check(4, &[], &[], &expected(4, 0, 0));
        check(4, &[], &[0, 1, 1, 2, 3, 0], &expected(0, 2, 0));
        check(4, &[], &[0, 2, 1, 3], &expected(0, 0, 1));
        check(4, &[], &[0, 2, 1, 1, 3], &expected(0, 1, 1));
    }

    #[test]
    fn readers_of_one_lane_together_miss_what_none_of_them_met() {
        let check = |sent: u64, reads: &[&[u64]], expected: &Expected| {
            let mut written = Written::default();
            (0..sent).for_each(|_| written.count_sent());
            let mut whole = Lane::default();
            for read in reads {
                let mut lane = Lane::default();
                read.iter().for_each(|sequence| lane.observe(*sequence));
                whole.absorb(&lane);
            }
            let lost = whole.lost(&written) + whole.unread(&written);
            let found = (lost, whole.duplicated, whole.reordered);
            let expected = (expected.lost, expected.duplicated, expected.reordered);
            assert_eq!(found, expected, "{reads:?}");
        };
        check(6, &[&[0, 1, 2], &[3, 4, 5]], &expected(0, 0, 0));
        check(6, &[&[3, 4, 5], &[0, 1, 2]], &expected(0, 0, 0));
        check(6, &[&[0, 1, 4, 5], &[2, 3]], &expected(0, 0, 0));
        check(6, &[&[0, 1, 2, 3], &[2, 3, 4, 5]], &expected(0, 2, 0));
        check(6, &[&[0, 1, 2], &[4, 5]], &expected(1, 0, 0));
        check(6, &[&[0, 1], &[2, 3]], &expected(2, 0, 0));
        check(6, &[&[0, 1, 1], &[3, 2], &[4, 5]], &expected(0, 1, 1));
        check(4, &[&[], &[0, 1, 2, 3], &[]], &expected(0, 0, 0));
    }

    #[test]
    fn records_given_up_are_not_lost() {
        check(6, &[(2, 2)], &[0, 1, 4, 5], &expected(0, 0, 0));
        check(6, &[(4, 2)], &[0, 1, 2, 3], &expected(0, 0, 0));
        check(6, &[(4, 2)], &[0, 1, 2, 3, 4], &expected(0, 0, 0));
        check(6, &[(3, 1)], &[0, 1, 4, 5], &expected(1, 0, 0));
    }

    #[test]
    fn gaps_past_the_limit_are_lost_for_good() {
        let gaps = RangeSet::RANGES_MAX as u64 + 10;
        let read: Vec<u64> = (0..gaps).map(|at| at * 2 + 1).collect();
        check(gaps * 2, &[], &read, &expected(gaps, 0, 0));
    }
}
