//! TxnOffsetCommit 0–5: a group's progress, to be remembered if a transaction
//! commits. From version 5 the broker adds it to the transaction.

use super::committing::{Verdict, keep_known};
use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::groups::{Asker, Question, one};
use crate::outcome::{Outcome, Response, Wake};
use crate::parked::{Parked, Waiting};
use crate::partition::Partition;
use crate::replies::respond_later;
use crate::request::{Envelope, Request};
use crate::topic_name::OFFSETS_TOPIC;
use crate::transactions::{Transacting, Verification, Verified};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::command::{CommitPartition, TxnOffsetCommit};
use plimsoll_coordinator::{Command, GroupId, InstanceId, MemberId, Producer, Reply, TopicName};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::{Instant, Now};
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
    let access = request.access(broker);
    let asker = request.asker();
    let id = Guarded::Transaction(&query.transactional_id.0);
    let permitted = access
        .check(AclOperation::Write, id)
        .and_then(|()| access.check(AclOperation::Read, Guarded::Group(&query.group_id.0)));
    if let Err(code) = permitted {
        return Outcome::Ready(respond(envelope, access, &query.topics, Err(code)));
    }
    let transacting = Transacting {
        id: &query.transactional_id.0,
        producer: Producer {
            id: ProducerId(query.producer_id.0),
            epoch: ProducerEpoch(query.producer_epoch),
        },
        adds: request.version() >= BROKER_ADDS,
    };
    let partition = match partition_of(broker, &query.group_id.0, asker.now) {
        Ok(partition) => partition,
        Err(code) => {
            return Outcome::Ready(respond(envelope, access, &query.topics, Err(code)));
        }
    };
    let asked = vec![Arc::clone(&partition)];
    let mut verification = broker.verify_transaction(&transacting, asked, asker);
    if verification.is_here() {
        let verified = verification.settle();
        let who = (envelope, access, asker);
        return commit(broker, who, query, &partition, &verified);
    }
    let deadline = broker.commit_deadline(asker.now);
    let parked = ParkedCommit {
        envelope,
        access,
        waker: Arc::clone(asker.waker),
        deadline,
        partition,
        stage: Stage::Verifying(verification, Some(Box::new(query))),
    };
    Outcome::Parked(Parked::new(deadline, parked))
}

/// The partition of the offsets topic that holds a group, when this node
/// coordinates it.
fn partition_of(broker: &Broker, group: &str, now: Now) -> Result<Arc<Partition>, ErrorCode> {
    let index = PartitionIndex(broker.group_partition(group, now)?);
    let partition = broker.catalog().partition(OFFSETS_TOPIC, index)?.clone();
    match partition.lock().led_epoch() {
        Err(ErrorCode::NotLeaderOrFollower) => return Err(ErrorCode::NotCoordinator),
        led => led?,
    };
    Ok(partition)
}

/// Commits under the guard of a verification.
fn commit(
    broker: &Broker,
    (envelope, access, asker): (Envelope, Access, Asker<'_>),
    query: TxnOffsetCommitRequest,
    partition: &Arc<Partition>,
    verified: &Verified,
) -> Outcome {
    let producer = Producer {
        id: ProducerId(query.producer_id.0),
        epoch: ProducerEpoch(query.producer_epoch),
    };
    let guard = match verified.guard(partition, producer) {
        Ok(guard) => guard,
        Err(refusal) => {
            let code = match refusal.code {
                ErrorCode::NotEnoughReplicas => ErrorCode::CoordinatorNotAvailable,
                code => code,
            };
            return Outcome::Ready(respond(envelope, access, &query.topics, Err(code)));
        }
    };
    let question = Question {
        group: &query.group_id.0,
        command: Command::TxnCommit(what(broker, &access, &query, producer)),
    };
    let still_open = || {
        let admitted = partition.lock().admit(producer, Some(guard));
        admitted.map_err(|code| match code {
            ErrorCode::NotLeaderOrFollower => ErrorCode::NotCoordinator,
            code => code,
        })
    };
    let pending = broker.ask_group(question, still_open, asker);
    let deadline = broker.commit_deadline(asker.now);
    let topics = query.topics;
    respond_later(vec![pending], deadline, move |answers| {
        respond(envelope, access, &topics, one(answers))
    })
}

/// How far a request is.
enum Stage {
    /// The transaction's coordinator was asked about the request.
    Verifying(Verification, Option<Box<TxnOffsetCommitRequest>>),
    /// The offsets are written, and not everywhere yet.
    Written(Parked),
}

/// A request that waits for another node's word, then for its replicas.
struct ParkedCommit {
    envelope: Envelope,
    access: Access,
    waker: Arc<dyn Wake>,
    deadline: Instant,
    partition: Arc<Partition>,
    stage: Stage,
}

impl Waiting for ParkedCommit {
    fn poll(&mut self, broker: &Broker, now: Now, expired: bool) -> Option<Response> {
        let (verified, query) = match &mut self.stage {
            Stage::Written(parked) => {
                let response = parked.poll(broker, now);
                self.deadline = parked.deadline();
                return response;
            }
            Stage::Verifying(verification, query) => {
                if !expired && !verification.is_here() {
                    return None;
                }
                (verification.settle(), query.take()?)
            }
        };
        let waker = Arc::clone(&self.waker);
        let asker = Asker { waker: &waker, now };
        let who = (self.envelope, self.access.clone(), asker);
        match commit(broker, who, *query, &self.partition, &verified) {
            Outcome::Parked(parked) => {
                self.deadline = parked.deadline();
                self.stage = Stage::Written(parked);
                None
            }
            Outcome::Ready(response) | Outcome::Last(response, _) => Some(response),
            // A commit is always answered.
            Outcome::NoReply | Outcome::Close(_) => Some(Response::default()),
        }
    }

    fn renew(&self, _: Now) -> Option<Instant> {
        Some(self.deadline)
    }
}

fn what(
    broker: &Broker,
    access: &Access,
    query: &TxnOffsetCommitRequest,
    producer: Producer,
) -> TxnOffsetCommit {
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
        topics: keep_known(broker, access, topics),
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
    access: Access,
    asked: &[TxnOffsetCommitRequestTopic],
    reply: Result<Reply, ErrorCode>,
) -> Response {
    let results = match reply {
        Ok(Reply::TxnCommit(results)) => Ok(results),
        Ok(_) => Err(ErrorCode::UnknownServerError),
        Err(code) => Err(code),
    };
    let verdict = Verdict::of(access, results);
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
