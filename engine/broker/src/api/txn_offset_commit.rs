//! TxnOffsetCommit 0–5: a group's progress, to be remembered if a transaction
//! commits. From version 5 the broker adds it to the transaction.

use super::committing::{Verdict, keep_known};
use crate::broker::Broker;
use crate::outcome::{Outcome, Response};
use crate::partition::Partition;
use crate::request::{Envelope, Request};
use crate::topic_name::OFFSETS_TOPIC;
use crate::transactions::{Guard, Transacting};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use plimsoll_coordinator::command::{CommitPartition, TxnOffsetCommit};
use plimsoll_coordinator::{Command, GroupId, InstanceId, MemberId, Producer, Reply, TopicName};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use std::sync::Arc;

/// The first version in which the broker adds the group to the transaction.
const BROKER_ADDS: i16 = 5;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: TxnOffsetCommitRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let envelope = request.envelope;
    let transacting = Transacting {
        id: &query.transactional_id.0,
        producer: Producer {
            id: ProducerId(query.producer_id.0),
            epoch: ProducerEpoch(query.producer_epoch),
        },
        adds: request.version() >= BROKER_ADDS,
    };
    let (partition, guard) = match verify(broker, &query.group_id.0, &transacting, request.now) {
        Ok(verified) => verified,
        Err(code) => return Outcome::Ready(respond(envelope, &query.topics, Err(code))),
    };
    let producer = transacting.producer;
    let command = Command::TxnCommit(commit(broker, &query, producer));
    let still_open = || match partition.lock().admits(producer, Some(guard)) {
        true => Ok(()),
        false => Err(ErrorCode::InvalidTxnState),
    };
    let topics = query.topics;
    broker.coordinate_if(
        &request,
        &query.group_id.0,
        command,
        still_open,
        move |envelope, reply| respond(envelope, &topics, reply),
    )
}

/// Makes sure that the group's partition is in the transaction.
fn verify(
    broker: &Broker,
    group: &str,
    transacting: &Transacting<'_>,
    now: Now,
) -> Result<(Arc<Partition>, Guard), ErrorCode> {
    let index = PartitionIndex(broker.group_partition(group, now)?);
    let partition = broker.catalog().partition(OFFSETS_TOPIC, index)?.clone();
    let verified = broker.verify_transaction(transacting, &partition, now);
    match verified.map_err(|refusal| refusal.code) {
        Ok(guard) => Ok((partition, guard)),
        Err(ErrorCode::NotEnoughReplicas) => Err(ErrorCode::CoordinatorNotAvailable),
        Err(code) => Err(code),
    }
}

fn commit(broker: &Broker, query: &TxnOffsetCommitRequest, producer: Producer) -> TxnOffsetCommit {
    let topics = query.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(partition);
        (TopicName::from(topic.name.0.as_str()), partitions.collect())
    });
    TxnOffsetCommit {
        group: GroupId::from(query.group_id.0.as_str()),
        producer: producer.id,
        epoch: producer.epoch,
        generation: query.generation_id,
        member: MemberId::from(query.member_id.as_str()),
        instance: query
            .group_instance_id
            .as_ref()
            .map(|id| InstanceId::from(id.as_str())),
        topics: keep_known(broker, topics),
    }
}

fn partition(asked: &TxnOffsetCommitRequestPartition) -> CommitPartition {
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
    asked: &[TxnOffsetCommitRequestTopic],
    reply: Result<Reply, ErrorCode>,
) -> Response {
    let verdict = Verdict::of(match reply {
        Ok(Reply::TxnCommit(results)) => Ok(results),
        Ok(_) => Err(ErrorCode::UnknownServerError),
        Err(code) => Err(code),
    });
    let topics = asked.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(verdict.code(&topic.name.0, index))
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    envelope.encode(&TxnOffsetCommitResponse::default().with_topics(topics.collect()))
}
