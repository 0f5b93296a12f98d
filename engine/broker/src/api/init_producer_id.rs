//! InitProducerId 0–5: an id for an idempotent producer. With a transactional
//! id the transaction coordinator answers instead.

use super::add_partitions_to_txn::fenced_before;
use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::groups::{code_of, one};
use crate::outcome::{Outcome, Response};
use crate::replies::respond_later;
use crate::request::{Envelope, Request};
use kafka_protocol::messages::ProducerId as WireProducerId;
use kafka_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use kafka_protocol::messages::init_producer_id_response::InitProducerIdResponse;
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::transaction::{InitProducer, TransactionCommand, TransactionReply};
use plimsoll_coordinator::{Producer, TransactionalId};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{ProducerEpoch, ProducerId};
use std::time::Duration;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: InitProducerIdRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let envelope = request.envelope;
    let half_known = (query.producer_id.0 == -1) != (query.producer_epoch == -1);
    let id = query.transactional_id.as_ref().map(|id| id.0.as_str());
    if let Err(code) = may_write(&request.access(broker), id) {
        return Outcome::Ready(respond(envelope, Err(code)));
    }
    let made = match &query.transactional_id {
        _ if half_known => Err(ErrorCode::InvalidRequest),
        Some(id) if id.0.is_empty() => Err(ErrorCode::InvalidRequest),
        Some(id) => return init_transactional(broker, &request, &id.0, &query),
        None => broker.next_producer_id(request.now).map(|id| Producer {
            id,
            epoch: ProducerEpoch(0),
        }),
    };
    Outcome::Ready(respond(envelope, made))
}

/// Whether a client may write under a transactional id, or without one as an
/// idempotent producer: for that it is enough to be allowed some topic.
fn may_write(access: &Access, id: Option<&str>) -> Result<(), ErrorCode> {
    match id {
        Some(id) => access.check(AclOperation::Write, Guarded::Transaction(id)),
        None if access.allows_some_topic(AclOperation::Write) => Ok(()),
        None => access.check(AclOperation::IdempotentWrite, Guarded::Cluster),
    }
}

fn respond(envelope: Envelope, made: Result<Producer, ErrorCode>) -> Response {
    let answer = InitProducerIdResponse::default();
    envelope.encode(&match made {
        Ok(producer) => answer
            .with_producer_id(WireProducerId(producer.id.get()))
            .with_producer_epoch(producer.epoch.get()),
        Err(code) => answer
            .with_error_code(code.code())
            .with_producer_id(WireProducerId(-1))
            .with_producer_epoch(-1),
    })
}

/// A transactional producer begins, or begins anew: earlier ones are fenced.
fn init_transactional(
    broker: &Broker,
    request: &Request<'_>,
    id: &str,
    query: &InitProducerIdRequest,
) -> Outcome {
    let timeout_ms = u64::try_from(query.transaction_timeout_ms).unwrap_or(0);
    let known = Producer {
        id: ProducerId(query.producer_id.0),
        epoch: ProducerEpoch(query.producer_epoch),
    };
    let command = TransactionCommand::Init(InitProducer {
        id: TransactionalId::from(id),
        timeout: Duration::from_millis(timeout_ms),
        expected: known.id.is_some().then_some(known),
    });
    let pending = broker.ask_transaction(id, command, request.asker());
    let (envelope, deadline) = (request.envelope, broker.commit_deadline(request.now));
    respond_later(vec![pending], deadline, move |answers| {
        let made = match one(answers) {
            Ok(TransactionReply::Init(outcome)) => outcome.map_err(code_of),
            Ok(_) => Err(ErrorCode::UnknownServerError),
            Err(code) => Err(code),
        };
        let code = |code| fenced_before(4, envelope.version, code);
        respond(envelope, made.map_err(code))
    })
}
