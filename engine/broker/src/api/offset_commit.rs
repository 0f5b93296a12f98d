//! OffsetCommit 2–9: a group's progress is remembered.

use super::committing::{Verdict, keep_known};
use crate::access::Access;
use crate::broker::Broker;
use crate::outcome::{Outcome, Response};
use crate::request::{Envelope, Request};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use plimsoll_coordinator::command::{CommitPartition, OffsetCommit};
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
    let access = request.access(broker);
    let retention_ms = u64::try_from(query.retention_time_ms).ok();
    let topics = query.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(partition);
        (TopicName::from(topic.name.0.as_str()), partitions.collect())
    });
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
        topics: keep_known(broker, &access, topics),
    };
    let topics = query.topics;
    broker.coordinate(
        &request,
        &query.group_id.0,
        Command::Commit(commit),
        move |envelope, reply| respond(envelope, access, &topics, reply),
    )
}

fn partition(asked: &OffsetCommitRequestPartition) -> CommitPartition {
    let metadata = asked.committed_metadata.as_ref();
    CommitPartition {
        partition: PartitionIndex(asked.partition_index),
        offset: Offset(asked.committed_offset),
        leader_epoch: LeaderEpoch(asked.committed_leader_epoch),
        metadata: metadata.map(|text| Arc::from(text.as_str())),
    }
}

fn respond(
    envelope: Envelope,
    access: Access,
    asked: &[OffsetCommitRequestTopic],
    reply: Result<Reply, ErrorCode>,
) -> Response {
    let results = match reply {
        Ok(Reply::Commit(results)) => Ok(results),
        Ok(_) => Err(ErrorCode::UnknownServerError),
        Err(code) => Err(code),
    };
    let verdict = Verdict::of(access, results);
    let topics = asked.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            OffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(verdict.code(&topic.name.0, index))
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    envelope.encode(&OffsetCommitResponse::default().with_topics(topics.collect()))
}
