//! OffsetCommit 2–9: a group's progress is remembered.

use crate::broker::Broker;
use crate::groups::code_of;
use crate::outcome::{Outcome, Response};
use crate::request::{Envelope, Request};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use plimsoll_cluster::Image;
use plimsoll_coordinator::command::{CommitPartition, CommitTopic, OffsetCommit};
use plimsoll_coordinator::reply::TopicResults;
use plimsoll_coordinator::{Command, GroupId, InstanceId, MemberId, Reply, TopicName};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: OffsetCommitRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let image = broker.image();
    let retention_ms = u64::try_from(query.retention_time_ms).ok();
    let commit = OffsetCommit {
        group: GroupId::from(query.group_id.0.as_str()),
        generation: query.generation_id_or_member_epoch,
        member: MemberId::from(query.member_id.as_str()),
        instance: query
            .group_instance_id
            .as_ref()
            .map(|id| InstanceId::from(id.as_str())),
        retention: retention_ms.map(Duration::from_millis),
        knows_epochs: request.version() >= 9,
        topics: query
            .topics
            .iter()
            .map(|topic| known(&image, topic))
            .collect(),
    };
    let topics = query.topics;
    broker.coordinate(
        &request,
        &query.group_id.0,
        Command::Commit(commit),
        move |envelope, reply| respond(envelope, &topics, reply),
    )
}

/// The partitions of a topic that exist. Those that do not are not committed.
fn known(image: &Image, asked: &OffsetCommitRequestTopic) -> CommitTopic {
    let found = image.topic(&asked.name.0);
    let exists = |index: i32| {
        found.is_some_and(|topic| topic.partitions.contains_key(&PartitionIndex(index)))
    };
    let partitions = asked
        .partitions
        .iter()
        .filter(|p| exists(p.partition_index));
    let partitions = partitions.map(|partition| CommitPartition {
        partition: PartitionIndex(partition.partition_index),
        offset: Offset(partition.committed_offset),
        leader_epoch: LeaderEpoch(partition.committed_leader_epoch),
        metadata: partition
            .committed_metadata
            .as_ref()
            .map(|text| Arc::from(text.as_str())),
    });
    CommitTopic {
        topic: TopicName::from(asked.name.0.as_str()),
        id: found.map(|topic| topic.id).unwrap_or_default(),
        partitions: partitions.collect(),
    }
}

fn respond(
    envelope: Envelope,
    asked: &[OffsetCommitRequestTopic],
    reply: Result<Reply, ErrorCode>,
) -> Response {
    let (results, whole) = match reply {
        Ok(Reply::Commit(Ok(results))) => (results, None),
        Ok(Reply::Commit(Err(why))) => (Vec::new(), Some(code_of(why))),
        Ok(_) => (Vec::new(), Some(ErrorCode::UnknownServerError)),
        Err(code) => (Vec::new(), Some(code)),
    };
    let topics = asked.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = PartitionIndex(partition.partition_index);
            let code = whole.unwrap_or_else(|| outcome(&results, &topic.name.0, index));
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code.code())
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    envelope.encode(&OffsetCommitResponse::default().with_topics(topics.collect()))
}

/// What became of one partition: those that were not passed on do not exist.
pub(crate) fn outcome(results: &TopicResults, topic: &str, index: PartitionIndex) -> ErrorCode {
    let partitions = results.iter().filter(|(name, _)| name.as_str() == topic);
    partitions
        .flat_map(|(_, partitions)| partitions)
        .find(|(partition, _)| *partition == index)
        .map_or(ErrorCode::UnknownTopicOrPartition, |(_, outcome)| {
            outcome.err().map_or(ErrorCode::None, code_of)
        })
}
