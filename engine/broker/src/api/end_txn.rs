//! EndTxn 0–5: a transaction is committed or aborted. From version 5 the
//! client goes on with the raised epoch it is answered (KIP-890).

use super::add_partitions_to_txn::fenced_before;
use crate::access::Guarded;
use crate::broker::Broker;
use crate::groups::{code_of, one};
use crate::outcome::{Outcome, Response};
use crate::replies::{Answer, respond_later};
use crate::request::{Envelope, Request};
use kafka_protocol::messages::ProducerId as WireProducerId;
use kafka_protocol::messages::end_txn_request::EndTxnRequest;
use kafka_protocol::messages::end_txn_response::EndTxnResponse;
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::transaction::{EndTransaction, TransactionCommand, TransactionReply};
use plimsoll_coordinator::{Producer, TransactionalId};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{ProducerEpoch, ProducerId};

/// The first version whose answer carries a raised epoch.
const RAISES_EPOCH: i16 = 5;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: EndTxnRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let envelope = request.envelope;
    let id = query.transactional_id.0.as_str();
    let permitted = request
        .access(broker)
        .check(AclOperation::Write, Guarded::Transaction(id));
    if let Err(code) = permitted {
        return Outcome::Ready(respond(envelope, Err(code)));
    }
    let command = TransactionCommand::End(EndTransaction {
        id: TransactionalId::from(id),
        producer: Producer {
            id: ProducerId(query.producer_id.0),
            epoch: ProducerEpoch(query.producer_epoch),
        },
        commit: query.committed,
        client_version: if envelope.version >= RAISES_EPOCH {
            2
        } else {
            0
        },
    });
    let pending = broker.ask_transaction(id, command, request.asker());
    let deadline = broker.commit_deadline(request.now);
    respond_later(vec![pending], deadline, move |answers| {
        respond(envelope, one(answers))
    })
}

fn respond(envelope: Envelope, ended: Answer<TransactionReply>) -> Response {
    let ended = match ended {
        Ok(TransactionReply::End(outcome)) => outcome.map_err(code_of),
        Ok(_) => Err(ErrorCode::UnknownServerError),
        Err(code) => Err(code),
    };
    let version = envelope.version;
    let answer = EndTxnResponse::default();
    envelope.encode(&match ended {
        Ok(producer) if version >= RAISES_EPOCH => answer
            .with_producer_id(WireProducerId(producer.id.get()))
            .with_producer_epoch(producer.epoch.get()),
        Ok(_) => answer,
        Err(code) => answer.with_error_code(fenced_before(2, version, code).code()),
    })
}
