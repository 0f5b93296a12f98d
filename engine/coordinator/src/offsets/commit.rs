//! OffsetCommit, TxnOffsetCommit and OffsetDelete: from request to records.

use super::{OffsetStore, key, tombstone};
use crate::command::{CommitPartition, CommitTopic, OffsetDelete};
use crate::names::GroupId;
use crate::refusal::Refusal;
use crate::reply::TopicResults;
use crate::schema::{GroupRecord, OffsetValue};
use crate::turn::Turn;
use plimsoll_wire::types::TimestampMs;
use std::time::Duration;

/// Records for the offsets that may be stored, and an outcome for each.
pub(crate) fn commit(
    group: &GroupId,
    topics: Vec<CommitTopic>,
    retention: Option<Duration>,
    turn: &mut Turn<'_>,
) -> TopicResults {
    let committed_at = turn.world.now.wall;
    let expires_at = retention.map(|r| later(committed_at, r));
    let mut results = Vec::with_capacity(topics.len());
    for topic in topics {
        let mut outcomes = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let place = (topic.topic.clone(), partition.partition);
            if is_too_long(&partition, turn.config.offset_metadata_max) {
                outcomes.push((place.1, Err(Refusal::OffsetMetadataTooLarge)));
                continue;
            }
            outcomes.push((place.1, Ok(())));
            let value = OffsetValue {
                offset: partition.offset,
                leader_epoch: partition.leader_epoch,
                metadata: partition.metadata.unwrap_or_default(),
                committed_at,
                expires_at,
                topic_id: topic.id,
            };
            turn.record(GroupRecord::Offset(key(group, &place), Some(value)));
        }
        results.push((topic.topic, outcomes));
    }
    results
}

/// Kafka counts the note's UTF-16 units, which are at most its bytes.
fn is_too_long(partition: &CommitPartition, max: usize) -> bool {
    let note = partition.metadata.as_deref().unwrap_or_default();
    note.len() > max && note.encode_utf16().count() > max
}

pub(super) fn later(from: TimestampMs, wait: Duration) -> TimestampMs {
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    TimestampMs(from.get().saturating_add(wait))
}

impl OffsetStore {
    /// Tombstones for the offsets that may be forgotten, and an outcome for
    /// each asked about.
    pub(crate) fn delete(
        &self,
        request: OffsetDelete,
        is_subscribed: impl Fn(&str) -> bool,
        turn: &mut Turn<'_>,
    ) -> TopicResults {
        let mut results = Vec::with_capacity(request.topics.len());
        for (topic, partitions) in request.topics {
            let outcome = if is_subscribed(topic.as_str()) {
                Err(Refusal::GroupSubscribedToTopic)
            } else {
                Ok(())
            };
            for partition in partitions.iter().filter(|_| outcome.is_ok()) {
                let place = (topic.clone(), *partition);
                let offsets = self.by_group.get(&request.group);
                let known = offsets.is_some_and(|o| o.committed.contains_key(&place));
                if known || self.has_pending(&request.group, &place) {
                    turn.record(tombstone(&request.group, &place));
                }
            }
            let outcomes = partitions.into_iter().map(|p| (p, outcome));
            results.push((topic, outcomes.collect()));
        }
        results
    }
}
