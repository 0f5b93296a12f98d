//! A bounded set of sequence numbers, kept as disjoint half-open ranges.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// Sequence numbers as ranges, at most [`RangeSet::RANGES_MAX`] of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct RangeSet {
    /// Start → end (exclusive); ranges neither touch nor overlap.
    ranges: BTreeMap<u64, u64>,
}

/// As a list: not every format has maps with numbers for keys.
impl From<RangeSet> for Vec<(u64, u64)> {
    fn from(set: RangeSet) -> Self {
        set.ranges.into_iter().collect()
    }
}

impl From<Vec<(u64, u64)>> for RangeSet {
    fn from(ranges: Vec<(u64, u64)>) -> Self {
        Self {
            ranges: ranges.into_iter().collect(),
        }
    }
}

impl RangeSet {
    /// The most ranges kept: 64 KiB or so of memory at the worst.
    pub const RANGES_MAX: usize = 1024;

    /// Adds `range`, which must lie beyond every number added before. Returns
    /// the lowest range when it had to be given up to stay within the limit.
    #[must_use]
    pub fn push(&mut self, range: Range<u64>) -> Option<Range<u64>> {
        debug_assert!(
            self.ranges
                .last_key_value()
                .is_none_or(|(_, end)| *end <= range.start)
        );
        if range.is_empty() {
            return None;
        }
        match self.ranges.last_entry() {
            Some(mut last) if *last.get() == range.start => *last.get_mut() = range.end,
            _ => drop(self.ranges.insert(range.start, range.end)),
        }
        if self.ranges.len() > Self::RANGES_MAX {
            return self.ranges.pop_first().map(|(start, end)| start..end);
        }
        None
    }

    /// Takes one number out; whether it was in.
    pub fn remove(&mut self, number: u64) -> bool {
        let Some((&start, &end)) = self.ranges.range(..=number).next_back() else {
            return false;
        };
        if number >= end {
            return false;
        }
        self.ranges.remove(&start);
        if start < number {
            self.ranges.insert(start, number);
        }
        if number + 1 < end {
            self.ranges.insert(number + 1, end);
        }
        true
    }

    /// How many numbers of `range` are in the set.
    pub fn count_within(&self, range: Range<u64>) -> u64 {
        self.iter()
            .map(|own| {
                own.end
                    .min(range.end)
                    .saturating_sub(own.start.max(range.start))
            })
            .sum()
    }

    /// The ranges of numbers that are in both sets, ascending.
    pub fn common(&self, other: &Self) -> Vec<Range<u64>> {
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        let mut common = Vec::new();
        while let (Some(our), Some(their)) = (ours.peek(), theirs.peek()) {
            let both = our.start.max(their.start)..our.end.min(their.end);
            let ours_ends_first = our.end < their.end;
            if !both.is_empty() {
                common.push(both);
            }
            if ours_ends_first {
                ours.next();
            } else {
                theirs.next();
            }
        }
        common
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|(&start, &end)| start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_lowest_range_is_given_up_at_the_limit() {
        let mut set = RangeSet::default();
        for at in 0..RangeSet::RANGES_MAX as u64 {
            assert_eq!(set.push(at * 2..at * 2 + 1), None);
        }
        let at = RangeSet::RANGES_MAX as u64 * 2;
        assert_eq!(set.push(at..at + 5), Some(0..1));
        assert!(!set.remove(0));
        assert!(set.remove(2));
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_numbers(
            gaps in proptest::collection::vec((0u64..4, 1u64..5), 1..40),
            removed in proptest::collection::vec(0u64..200, 0..60),
        ) {
            let (mut set, mut model, mut at) = (RangeSet::default(), BTreeSet::new(), 0);
            for (skip, length) in gaps {
                at += skip;
                prop_assert_eq!(set.push(at..at + length), None);
                model.extend(at..at + length);
                at += length;
            }
            for number in removed {
                prop_assert_eq!(set.remove(number), model.remove(&number));
            }
            let numbers: Vec<u64> = set.iter().flatten().collect();
            prop_assert_eq!(numbers, model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.count_within(5..60), model.range(5..60).count() as u64);
        }

        #[test]
        fn what_two_sets_have_in_common_is_in_both(
            ours in proptest::collection::btree_set(0u64..60, 0..40),
            theirs in proptest::collection::btree_set(0u64..60, 0..40),
        ) {
            let set = |numbers: &BTreeSet<u64>| {
                let mut set = RangeSet::default();
                for number in numbers {
                    assert_eq!(set.push(*number..*number + 1), None);
                }
                set
            };
            let common = set(&ours).common(&set(&theirs));
            let numbers: Vec<u64> = common.into_iter().flatten().collect();
            let expected: Vec<u64> = ours.intersection(&theirs).copied().collect();
            prop_assert_eq!(numbers, expected);
        }
    }
}
