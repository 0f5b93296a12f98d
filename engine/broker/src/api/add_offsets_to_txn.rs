//! AddOffsetsToTxn 0–4: a transaction will commit a group's offsets.

use super::add_partitions_to_txn::fenced_before;
use crate::access::Guarded;
use crate::broker::Broker;
use crate::groups::{code_of, one};
use crate::outcome::{Outcome, Response};
use crate::replies::respond_later;
use crate::request::{Envelope, Request};
use crate::topic_name::OFFSETS_TOPIC;
use kafka_protocol::messages::AddOffsetsToTxnResponse;
use kafka_protocol::messages::add_offsets_to_txn_request::AddOffsetsToTxnRequest;
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::transaction::{AddPartitions, TransactionCommand, TransactionReply};
use plimsoll_coordinator::{Producer, TopicName, TransactionalId};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: AddOffsetsToTxnRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let envelope = request.envelope;
    let access = request.access(broker);
    let id = Guarded::Transaction(&query.transactional_id.0);
    let permitted = access
        .check(AclOperation::Write, id)
        .and_then(|()| access.check(AclOperation::Read, Guarded::Group(&query.group_id.0)));
    if let Err(code) = permitted {
        return Outcome::Ready(respond(envelope, code));
    }
    let index = match broker.group_partition(&query.group_id.0, request.now) {
        Ok(index) => PartitionIndex(index),
        Err(code) => return Outcome::Ready(respond(envelope, code)),
    };
    let id = query.transactional_id.0.as_str();
    let command = TransactionCommand::AddPartitions(AddPartitions {
        id: TransactionalId::from(id),
        producer: Producer {
            id: ProducerId(query.producer_id.0),
            epoch: ProducerEpoch(query.producer_epoch),
        },
        partitions: vec![(TopicName::from(OFFSETS_TOPIC), index)],
        client_version: 0,
        verify_only: false,
    });
    let pending = broker.ask_transaction(id, command, request.asker());
    let deadline = broker.commit_deadline(request.now);
    respond_later(vec![pending], deadline, move |answers| {
        let code = match one(answers) {
            Ok(TransactionReply::AddPartitions(added)) => {
                added.err().map_or(ErrorCode::None, code_of)
            }
            Ok(_) => ErrorCode::UnknownServerError,
            Err(code) => code,
        };
        respond(envelope, code)
    })
}

fn respond(envelope: Envelope, code: ErrorCode) -> Response {
    let code = fenced_before(2, envelope.version, code);
    envelope.encode(&AddOffsetsToTxnResponse::default().with_error_code(code.code()))
}
