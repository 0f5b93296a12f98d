//! Who owns what, read from the journal record by record, as a coordinator
//! that takes over at any of them would find it.
//!
//! Consumer protocol: a partition is one member's, to own or still to revoke;
//! it is given only when the one before has let go; a target gives it once, and
//! targets' epochs grow. Classic protocol: an assignment gives a partition once,
//! and generations grow for as long as the group is there.

use crate::stage::{Entry, assignment_of};
use plimsoll_coordinator::schema::{ClassicValue, CurrentValue, GroupRecord, Partitions};
use plimsoll_coordinator::{MemberId, TopicId};
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeMap;

type Places = BTreeMap<(TopicId, PartitionIndex), MemberId>;

#[derive(Debug, Default)]
pub struct Owners {
    read: usize,
    current: BTreeMap<MemberId, CurrentValue>,
    targets: BTreeMap<MemberId, Partitions>,
    target_epoch: Option<i32>,
    generation: i32,
}

impl Owners {
    /// Reads what has been added to a journal. One that has been cut short must
    /// be read by another.
    pub fn follow(&mut self, journal: &[Entry]) {
        for entry in &journal[self.read..] {
            if let Entry::Record(_, key, value) = entry {
                let record = GroupRecord::decode(key, value.as_deref());
                self.take(record.expect("a record that the shard wrote"));
            }
        }
        self.read = journal.len();
    }

    fn take(&mut self, record: GroupRecord) {
        match record {
            GroupRecord::Current(_, member, Some(value)) => {
                self.current.insert(member, value);
                self.check_current();
            }
            GroupRecord::Current(_, member, None) => {
                self.current.remove(&member);
            }
            GroupRecord::Target(_, member, Some(target)) => {
                self.targets.insert(member, target);
            }
            GroupRecord::Target(_, member, None) => {
                self.targets.remove(&member);
            }
            GroupRecord::TargetEpoch(_, Some(epoch)) => {
                let grows = self.target_epoch.is_none_or(|before| epoch > before);
                assert!(grows, "target epoch {epoch} after {:?}", self.target_epoch);
                self.target_epoch = Some(epoch);
                let mut places = Places::new();
                for (member, target) in &self.targets {
                    claim(&mut places, member, target);
                }
            }
            GroupRecord::TargetEpoch(_, None) => self.target_epoch = None,
            GroupRecord::Classic(_, Some(value)) => self.check_classic(&value),
            GroupRecord::Classic(_, None) => self.generation = 0,
            _ => {}
        }
    }

    fn check_current(&self) {
        let mut places = Places::new();
        for (member, value) in &self.current {
            claim(&mut places, member, &value.assigned);
            claim(&mut places, member, &value.revoking);
        }
    }

    fn check_classic(&mut self, value: &ClassicValue) {
        let generation = value.generation;
        assert!(
            generation >= self.generation,
            "generation {generation} came again"
        );
        self.generation = generation;
        let mut owned = BTreeMap::new();
        for member in value.members.iter().filter(|m| !m.assignment.is_empty()) {
            for partition in assignment_of(&member.assignment) {
                let other = owned.insert(partition, &member.member);
                assert_eq!(
                    other, None,
                    "partition {partition} in generation {generation}"
                );
            }
        }
    }
}

fn claim(places: &mut Places, member: &MemberId, partitions: &Partitions) {
    for (topic, indexes) in partitions {
        for index in indexes {
            let other = places.insert((*topic, *index), member.clone());
            assert_eq!(other, None, "{index:?} is {member:?}'s too");
        }
    }
}
