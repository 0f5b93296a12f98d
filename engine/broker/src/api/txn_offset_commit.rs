//! TxnOffsetCommit 0–5: a group's progress, to be remembered if a transaction
//! commits. From version 5 the broker adds it to the transaction.

use super::offset_commit::outcome;
use crate::broker::Broker;
use crate::groups::code_of;
use crate::outcome::{Outcome, Response};
use crate::request::{Envelope, Request};
use crate::topic_name::OFFSETS_TOPIC;
use crate::transactions::Transacting;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use plimsoll_cluster::Image;
use plimsoll_coordinator::command::{CommitPartition, CommitTopic, TxnOffsetCommit};
use plimsoll_coordinator::{Command, GroupId, InstanceId, MemberId, Producer, Reply, TopicName};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use std::sync::Arc;

/// The first version in which the broker adds the group to the transaction.
const BROKER_ADDS: i16 = 5;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: TxnOffsetCommitRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let image = broker.image();
    let producer = Producer {
        id: ProducerId(query.producer_id.0),
        epoch: ProducerEpoch(query.producer_epoch),
    };
    let envelope = request.envelope;
    let transacting = Transacting {
        id: &query.transactional_id.0,
        producer,
        adds: request.version() >= BROKER_ADDS,
    };
    let joined = broker
        .group_partition(&query.group_id.0, request.now)
        .and_then(|index| {
            let index = PartitionIndex(index);
            let joined = broker.join_transaction(&transacting, OFFSETS_TOPIC, index, request.now);
            joined.map_err(|refusal| match refusal.code {
                ErrorCode::NotEnoughReplicas => ErrorCode::CoordinatorNotAvailable,
                code => code,
            })
        });
    if let Err(code) = joined {
        return Outcome::Ready(respond(envelope, &query.topics, Err(code)));
    }
    let commit = TxnOffsetCommit {
        group: GroupId::from(query.group_id.0.as_str()),
        producer: producer.id,
        epoch: producer.epoch,
        generation: query.generation_id,
        member: MemberId::from(query.member_id.as_str()),
        instance: query
            .group_instance_id
            .as_ref()
            .map(|id| InstanceId::from(id.as_str())),
        topics: query
            .topics
            .iter()
            .map(|topic| known(&image, topic))
            .collect(),
    };
    let topics = query.topics;
    let command = Command::TxnCommit(commit);
    broker.coordinate(
        &request,
        &query.group_id.0,
        command,
        move |envelope, reply| respond(envelope, &topics, reply),
    )
}

/// The partitions of a topic that exist. Those that do not are not committed.
fn known(image: &Image, asked: &TxnOffsetCommitRequestTopic) -> CommitTopic {
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
    asked: &[TxnOffsetCommitRequestTopic],
    reply: Result<Reply, ErrorCode>,
) -> Response {
    let (results, whole) = match reply {
        Ok(Reply::TxnCommit(Ok(results))) => (results, None),
        Ok(Reply::TxnCommit(Err(why))) => (Vec::new(), Some(code_of(why))),
        Ok(_) => (Vec::new(), Some(ErrorCode::UnknownServerError)),
        Err(code) => (Vec::new(), Some(code)),
    };
    let topics = asked.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = PartitionIndex(partition.partition_index);
            let code = whole.unwrap_or_else(|| outcome(&results, &topic.name.0, index));
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code.code())
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    envelope.encode(&TxnOffsetCommitResponse::default().with_topics(topics.collect()))
}
