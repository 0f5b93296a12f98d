//! Committed offsets, and those that wait for their transaction to decide.
//!
//! Hard state: only replayed records and markers change it. A transaction's
//! offset counts from the position of its record, not of its marker, so that a
//! plain commit made in between is not undone (KAFKA-14640).

mod commit;
mod expire;
mod fetch;
mod requests;

use commit::commit;
pub(crate) use expire::{Expiry, UnusedSince};

use crate::names::{GroupId, TopicName};
use crate::schema::{GroupRecord, OffsetKey, OffsetValue};
use plimsoll_wire::types::{Offset, PartitionIndex, ProducerId};
use std::collections::{BTreeMap, BTreeSet};

type TopicPartition = (TopicName, PartitionIndex);

/// An offset and where its record lies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    at: Offset,
    value: OffsetValue,
}

#[derive(Clone, Debug, Default)]
struct GroupOffsets {
    committed: BTreeMap<TopicPartition, Stored>,
    pending: BTreeMap<ProducerId, BTreeMap<TopicPartition, Stored>>,
}

/// The offsets of every group of a shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct OffsetStore {
    by_group: BTreeMap<GroupId, GroupOffsets>,
    /// The groups each open transaction has offsets for.
    by_producer: BTreeMap<ProducerId, BTreeSet<GroupId>>,
}

impl OffsetStore {
    pub(crate) fn replay(
        &mut self,
        at: Offset,
        producer: Option<ProducerId>,
        key: OffsetKey,
        value: Option<OffsetValue>,
    ) {
        let place = (key.topic, key.partition);
        let Some(value) = value else {
            return self.forget(&key.group, &place);
        };
        let group = self.by_group.entry(key.group.clone()).or_default();
        let stored = Stored { at, value };
        match producer {
            None => {
                group.committed.insert(place, stored);
            }
            Some(producer) => {
                let pending = group.pending.entry(producer).or_default();
                pending.insert(place, stored);
                self.by_producer
                    .entry(producer)
                    .or_default()
                    .insert(key.group);
            }
        }
    }

    fn forget(&mut self, group: &GroupId, place: &TopicPartition) {
        let Some(offsets) = self.by_group.get_mut(group) else {
            return;
        };
        offsets.committed.remove(place);
        for pending in offsets.pending.values_mut() {
            pending.remove(place);
        }
        self.drop_if_bare(group);
    }

    fn drop_if_bare(&mut self, group: &GroupId) {
        let bare = |o: &GroupOffsets| o.committed.is_empty() && o.pending.is_empty();
        if self.by_group.get(group).is_some_and(bare) {
            self.by_group.remove(group);
        }
    }

    /// A transaction's marker has been written.
    pub(crate) fn replay_marker(&mut self, producer: ProducerId, committed: bool) {
        for group in self.by_producer.remove(&producer).unwrap_or_default() {
            let Some(offsets) = self.by_group.get_mut(&group) else {
                continue;
            };
            let decided = offsets.pending.remove(&producer).unwrap_or_default();
            for (place, stored) in decided.into_iter().filter(|_| committed) {
                let newer = |kept: &Stored| kept.at > stored.at;
                if !offsets.committed.get(&place).is_some_and(newer) {
                    offsets.committed.insert(place, stored);
                }
            }
            self.drop_if_bare(&group);
        }
    }

    fn has_pending(&self, group: &GroupId, place: &TopicPartition) -> bool {
        let offsets = self.by_group.get(group);
        offsets.is_some_and(|o| o.pending.values().any(|p| p.contains_key(place)))
    }

    /// Tombstones for every offset of a group, committed or pending.
    pub(crate) fn tombstones(&self, group: &GroupId) -> Vec<GroupRecord> {
        let Some(offsets) = self.by_group.get(group) else {
            return Vec::new();
        };
        let pending = offsets.pending.values().flat_map(BTreeMap::keys);
        let places: BTreeSet<_> = offsets.committed.keys().chain(pending).collect();
        places
            .into_iter()
            .map(|place| tombstone(group, place))
            .collect()
    }

    /// The records that would bring this state about.
    pub(crate) fn hard_state(&self) -> Vec<(Option<ProducerId>, GroupRecord)> {
        let mut records = Vec::new();
        for (group, offsets) in &self.by_group {
            let mut push = |producer, (place, stored): (&TopicPartition, &Stored)| {
                let record = GroupRecord::Offset(key(group, place), Some(stored.value.clone()));
                records.push((producer, record));
            };
            offsets.committed.iter().for_each(|entry| push(None, entry));
            for (producer, pending) in &offsets.pending {
                pending
                    .iter()
                    .for_each(|entry| push(Some(*producer), entry));
            }
        }
        records
    }
}

fn key(group: &GroupId, (topic, partition): &TopicPartition) -> OffsetKey {
    OffsetKey {
        group: group.clone(),
        topic: topic.clone(),
        partition: *partition,
    }
}

fn tombstone(group: &GroupId, place: &TopicPartition) -> GroupRecord {
    GroupRecord::Offset(key(group, place), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::types::{LeaderEpoch, TimestampMs};

    fn value(offset: i64) -> OffsetValue {
        OffsetValue {
            offset: Offset(offset),
            leader_epoch: LeaderEpoch::NONE,
            metadata: "".into(),
            committed_at: TimestampMs(0),
            expires_at: None,
            topic_id: crate::names::TopicId::nil(),
        }
    }

    fn place() -> TopicPartition {
        ("t".into(), PartitionIndex(0))
    }

    fn check(steps: &[(i64, Option<i64>, Option<i64>)], commit: bool, expected: Option<i64>) {
        let mut store = OffsetStore::default();
        let group = GroupId::from("g");
        for (at, producer, offset) in steps {
            let producer = producer.map(ProducerId);
            store.replay(
                Offset(*at),
                producer,
                key(&group, &place()),
                offset.map(value),
            );
        }
        store.replay_marker(ProducerId(7), commit);
        let kept = store
            .by_group
            .get(&group)
            .and_then(|o| o.committed.get(&place()));
        let kept = kept.map(|s| s.value.offset.get());
        assert_eq!(kept, expected, "{steps:?} commit={commit}");
    }

    #[test]
    fn a_transactions_offset_counts_only_once_committed() {
        check(&[(0, None, Some(1)), (1, Some(7), Some(5))], true, Some(5));
        check(&[(0, None, Some(1)), (1, Some(7), Some(5))], false, Some(1));
        check(&[(0, Some(8), Some(5))], true, None);
    }

    #[test]
    fn a_plain_commit_after_the_transactions_record_stands() {
        check(&[(0, Some(7), Some(5)), (1, None, Some(9))], true, Some(9));
    }

    #[test]
    fn a_tombstone_takes_pending_offsets_with_it() {
        check(&[(0, Some(7), Some(5)), (1, None, None)], true, None);
    }
}
