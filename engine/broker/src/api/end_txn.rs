//! EndTxn 0–5: a transaction is committed or aborted. From version 5 the
//! client goes on with the raised epoch it is answered (KIP-890).

use super::add_partitions_to_txn::fenced_before;
use crate::broker::Broker;
use crate::groups::code_of;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::ProducerId as WireProducerId;
use kafka_protocol::messages::end_txn_request::EndTxnRequest;
use kafka_protocol::messages::end_txn_response::EndTxnResponse;
use plimsoll_coordinator::transaction::{EndTransaction, TransactionCommand, TransactionReply};
use plimsoll_coordinator::{Producer, TransactionalId};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{ProducerEpoch, ProducerId};

/// The first version whose answer carries a raised epoch.
const RAISES_EPOCH: i16 = 5;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: EndTxnRequest| {
        let version = request.version();
        let id = query.transactional_id.0.as_str();
        let command = TransactionCommand::End(EndTransaction {
            id: TransactionalId::from(id),
            producer: Producer {
                id: ProducerId(query.producer_id.0),
                epoch: ProducerEpoch(query.producer_epoch),
            },
            commit: query.committed,
            client_version: if version >= RAISES_EPOCH { 2 } else { 0 },
        });
        let ended = match broker.transact(id, command, request.now) {
            Ok(TransactionReply::End(outcome)) => outcome.map_err(code_of),
            Ok(_) => Err(ErrorCode::UnknownServerError),
            Err(code) => Err(code),
        };
        let answer = EndTxnResponse::default();
        match ended {
            Ok(producer) if version >= RAISES_EPOCH => answer
                .with_producer_id(WireProducerId(producer.id.get()))
                .with_producer_epoch(producer.epoch.get()),
            Ok(_) => answer,
            Err(code) => answer.with_error_code(fenced_before(2, version, code).code()),
        }
    })
}
