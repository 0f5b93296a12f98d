//! The assignors on the coordinator's side: who should own what.
//!
//! They are pure: subscriptions, partition counts and the assignment before
//! give the one after. Members and topics come sorted, so the same input gives
//! the same output everywhere.

mod range;
mod uniform;

use crate::names::{InstanceId, MemberId, TopicId};
use crate::schema::Partitions;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The assignor that is used unless members prefer another.
pub(super) const DEFAULT: &str = "uniform";

/// Whether there is such an assignor.
pub(super) fn is_known(name: &str) -> bool {
    matches!(name, "uniform" | "range")
}

/// The topics a member reads, each with its number of partitions.
pub(super) type Topics = Rc<BTreeMap<TopicId, i32>>;

/// A member, as assignors see it.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) topics: Topics,
    pub(super) instance: Option<&'a InstanceId>,
    /// What it was to own so far.
    pub(super) before: Option<&'a Partitions>,
}

/// The members of a group.
pub(super) type Candidates<'a> = BTreeMap<&'a MemberId, Candidate<'a>>;

/// What each member should own.
pub(super) fn assign(assignor: &str, members: &Candidates<'_>) -> BTreeMap<MemberId, Partitions> {
    match assignor {
        "range" => range::assign(members),
        _ => uniform::assign(members),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::types::PartitionIndex;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn topic(n: usize) -> TopicId {
        TopicId::from_u128(n as u128 + 1)
    }

    fn count(partitions: &Partitions) -> usize {
        partitions.values().map(BTreeSet::len).sum()
    }

    struct Case {
        ids: Vec<MemberId>,
        topics: Vec<Topics>,
        sizes: Vec<i32>,
    }

    impl Case {
        fn assign(
            &self,
            assignor: &str,
            before: &BTreeMap<MemberId, Partitions>,
        ) -> BTreeMap<MemberId, Partitions> {
            let members = self.ids.iter().zip(&self.topics);
            let members = members.map(|(id, topics)| {
                let candidate = Candidate {
                    topics: topics.clone(),
                    instance: None,
                    before: before.get(id),
                };
                (id, candidate)
            });
            assign(assignor, &members.collect())
        }

        /// Each partition that somebody reads has one owner, who reads it.
        fn check_whole(&self, assigned: &BTreeMap<MemberId, Partitions>) {
            let mut seen = BTreeSet::new();
            for (id, topics) in self.ids.iter().zip(&self.topics) {
                for (topic, indexes) in &assigned[id] {
                    let size = topics.get(topic).expect("a topic that the member reads");
                    for index in indexes {
                        assert!((0..*size).contains(&index.get()));
                        assert!(seen.insert((*topic, *index)), "two owners of {index}");
                    }
                }
            }
            for (n, size) in self.sizes.iter().enumerate() {
                let read = self.topics.iter().any(|t| t.contains_key(&topic(n)));
                for index in (0..*size).filter(|_| read) {
                    let place = (topic(n), PartitionIndex(index));
                    assert!(seen.contains(&place), "{place:?} has no owner");
                }
            }
        }

        /// No partition could go to a member with two fewer.
        fn check_balanced(&self, assigned: &BTreeMap<MemberId, Partitions>) {
            for id in &self.ids {
                for topic in assigned[id].keys() {
                    let readers = self.ids.iter().zip(&self.topics);
                    for (other, _) in readers.filter(|(_, t)| t.contains_key(topic)) {
                        let (has, could) = (count(&assigned[id]), count(&assigned[other]));
                        assert!(has <= could + 1, "{id} has {has}, {other} only {could}");
                    }
                }
            }
        }
    }

    fn case(sizes: Vec<i32>, reads: &[u8]) -> Case {
        let topics = reads.iter().map(|bits| {
            let read = sizes.iter().enumerate();
            let read = read.filter(|(n, _)| bits >> n & 1 == 1);
            Rc::new(read.map(|(n, size)| (topic(n), *size)).collect())
        });
        Case {
            ids: (0..reads.len())
                .map(|n| format!("m{n:02}").into())
                .collect(),
            topics: topics.collect(),
            sizes: sizes.clone(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_partition_has_one_reader_and_the_uniform_load_is_even(
            sizes in prop::collection::vec(1i32..12, 1..5),
            reads in prop::collection::vec(1u8..32, 1..9),
            gone in 0usize..9,
        ) {
            let mut case = case(sizes, &reads);
            for assignor in ["uniform", "range"] {
                let assigned = case.assign(assignor, &BTreeMap::new());
                case.check_whole(&assigned);
            }
            let before = case.assign("uniform", &BTreeMap::new());
            case.check_balanced(&before);
            let again = case.assign("uniform", &before);
            prop_assert_eq!(&again, &before, "nothing moves when nothing changes");
            if case.ids.len() > 1 {
                let gone = gone % case.ids.len();
                case.ids.remove(gone);
                case.topics.remove(gone);
                let after = case.assign("uniform", &before);
                case.check_whole(&after);
                case.check_balanced(&after);
            }
        }

        #[test]
        fn equal_subscriptions_are_sticky(
            sizes in prop::collection::vec(1i32..20, 1..4),
            members in 2usize..8,
        ) {
            let mut case = case(sizes, &vec![0x1f; members]);
            let before = case.assign("uniform", &BTreeMap::new());
            case.ids.pop();
            case.topics.pop();
            let after = case.assign("uniform", &before);
            for id in &case.ids {
                let (had, has) = (&before[id], &after[id]);
                let kept = super::super::reconcile::common(had, has);
                prop_assert_eq!(&kept, had, "whoever stays keeps what it had");
            }
        }
    }
}
