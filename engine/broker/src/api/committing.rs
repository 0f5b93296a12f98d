//! What OffsetCommit and TxnOffsetCommit have in common: which of the offsets
//! can be committed at all, and what the answer says of each. Their messages
//! have the same fields under different names.

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::groups::code_of;
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::command::{CommitPartition, CommitTopic};
use plimsoll_coordinator::reply::TopicResults;
use plimsoll_coordinator::{Refusal, TopicName};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::PartitionIndex;

/// Leaves only the partitions that exist and that the client may read, and gives
/// topics their ids.
pub(super) fn keep_known(
    broker: &Broker,
    access: &Access,
    topics: impl Iterator<Item = (TopicName, Vec<CommitPartition>)>,
) -> Vec<CommitTopic> {
    let image = broker.image();
    let known = |(topic, mut partitions): (TopicName, Vec<CommitPartition>)| {
        let found = image.topic(topic.as_str());
        partitions.retain(|p| found.is_some_and(|t| t.partitions.contains_key(&p.partition)));
        CommitTopic {
            topic,
            id: found.map(|topic| topic.id).unwrap_or_default(),
            partitions,
        }
    };
    let permitted = |(topic, _): &(TopicName, _)| may_read(access, topic.as_str());
    topics.filter(permitted).map(known).collect()
}

fn may_read(access: &Access, topic: &str) -> bool {
    access.allows(AclOperation::Read, Guarded::Topic(topic))
}

/// What became of a request's offsets.
pub(super) struct Verdict {
    access: Access,
    results: Result<TopicResults, ErrorCode>,
}

impl Verdict {
    /// The coordinator's answer, or why there is none.
    pub(super) fn of(
        access: Access,
        answer: Result<Result<TopicResults, Refusal>, ErrorCode>,
    ) -> Self {
        let results = answer.and_then(|results| results.map_err(code_of));
        Self { access, results }
    }

    /// The error of one partition.
    pub(super) fn code(&self, topic: &str, index: i32) -> i16 {
        match &self.results {
            Ok(_) if !may_read(&self.access, topic) => Guarded::Topic(topic).refusal().code(),
            Ok(results) => code_in(results, topic, index),
            Err(code) => code.code(),
        }
    }
}

/// The error of one partition among results: those that were not passed on do
/// not exist.
pub(super) fn code_in(results: &TopicResults, topic: &str, index: i32) -> i16 {
    let partitions = results.iter().filter(|(name, _)| name.as_str() == topic);
    let found = partitions
        .flat_map(|(_, partitions)| partitions)
        .find(|(partition, _)| *partition == PartitionIndex(index));
    let code = found.map_or(ErrorCode::UnknownTopicOrPartition, |(_, outcome)| {
        outcome.err().map_or(ErrorCode::None, code_of)
    });
    code.code()
}
