//! AddOffsetsToTxn 0–4: a transaction will commit a group's offsets.

use super::add_partitions_to_txn::fenced_before;
use crate::broker::Broker;
use crate::groups::code_of;
use crate::outcome::Outcome;
use crate::request::Request;
use crate::topic_name::OFFSETS_TOPIC;
use kafka_protocol::messages::AddOffsetsToTxnResponse;
use kafka_protocol::messages::add_offsets_to_txn_request::AddOffsetsToTxnRequest;
use plimsoll_coordinator::transaction::{AddPartitions, TransactionCommand, TransactionReply};
use plimsoll_coordinator::{Producer, TopicName, TransactionalId};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: AddOffsetsToTxnRequest| {
        let code = add(broker, &query, request.now)
            .err()
            .unwrap_or(ErrorCode::None);
        let code = fenced_before(2, request.version(), code);
        AddOffsetsToTxnResponse::default().with_error_code(code.code())
    })
}

fn add(broker: &Broker, query: &AddOffsetsToTxnRequest, now: Now) -> Result<(), ErrorCode> {
    let index = PartitionIndex(broker.group_partition(&query.group_id.0, now)?);
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
    match broker.transact(id, command, now)? {
        TransactionReply::AddPartitions(outcome) => outcome.map(|_| ()).map_err(code_of),
        _ => Err(ErrorCode::UnknownServerError),
    }
}
