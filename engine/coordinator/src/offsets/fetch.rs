//! OffsetFetch: what a group has committed.

use super::{OffsetStore, Stored};
use crate::command::{FetchedOffset, OffsetFetch};
use crate::names::TopicName;
use crate::refusal::Refusal;
use crate::reply::FetchedTopics;
use plimsoll_wire::types::PartitionIndex;

impl OffsetStore {
    pub(crate) fn fetch(&self, request: &OffsetFetch) -> FetchedTopics {
        match &request.topics {
            Some(topics) => topics
                .iter()
                .map(|(topic, partitions)| {
                    let offsets = partitions
                        .iter()
                        .map(|p| self.fetch_one(request, topic, *p));
                    (topic.clone(), offsets.collect())
                })
                .collect(),
            None => self.fetch_all(request),
        }
    }

    fn fetch_all(&self, request: &OffsetFetch) -> FetchedTopics {
        let Some(offsets) = self.by_group.get(&request.group) else {
            return Vec::new();
        };
        let mut topics: FetchedTopics = Vec::new();
        for (topic, partition) in offsets.committed.keys() {
            let one = self.fetch_one(request, topic, *partition);
            match topics.last_mut() {
                Some((last, offsets)) if last == topic => offsets.push(one),
                _ => topics.push((topic.clone(), vec![one])),
            }
        }
        topics
    }

    fn fetch_one(
        &self,
        request: &OffsetFetch,
        topic: &TopicName,
        partition: PartitionIndex,
    ) -> (PartitionIndex, Result<Option<FetchedOffset>, Refusal>) {
        let place = (topic.clone(), partition);
        if request.require_stable && self.has_pending(&request.group, &place) {
            return (partition, Err(Refusal::UnstableOffsetCommit));
        }
        let offsets = self.by_group.get(&request.group);
        let stored = offsets.and_then(|o| o.committed.get(&place));
        (partition, Ok(stored.map(fetched)))
    }
}

fn fetched(stored: &Stored) -> FetchedOffset {
    FetchedOffset {
        offset: stored.value.offset,
        leader_epoch: stored.value.leader_epoch,
        metadata: stored.value.metadata.clone(),
        committed_at: stored.value.committed_at,
    }
}
