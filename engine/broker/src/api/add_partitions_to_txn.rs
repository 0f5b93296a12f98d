//! AddPartitionsToTxn 0–5: a transaction reaches further partitions. From
//! version 4 for several transactions, which may only be verified.

use crate::broker::Broker;
use crate::groups::code_of;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnResult,
    AddPartitionsToTxnTopicResult,
};
use plimsoll_coordinator::transaction::{
    AddPartitions, TopicPartition, TransactionCommand, TransactionReply,
};
use plimsoll_coordinator::{Producer, TopicName, TransactionalId};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};

/// The first version for several transactions.
const SEVERAL: i16 = 4;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: AddPartitionsToTxnRequest| {
        let version = request.version();
        let response = AddPartitionsToTxnResponse::default();
        if version >= SEVERAL {
            let results = query.transactions.iter().map(|transaction| {
                AddPartitionsToTxnResult::default()
                    .with_transactional_id(transaction.transactional_id.clone())
                    .with_topic_results(add(broker, transaction, version, request.now))
            });
            return response.with_results_by_transaction(results.collect());
        }
        let transaction = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(query.v3_and_below_transactional_id)
            .with_producer_id(query.v3_and_below_producer_id)
            .with_producer_epoch(query.v3_and_below_producer_epoch)
            .with_topics(query.v3_and_below_topics);
        response.with_results_by_topic_v3_and_below(add(broker, &transaction, version, request.now))
    })
}

/// Adds all partitions of a transaction, or none when one does not exist.
fn add(
    broker: &Broker,
    transaction: &AddPartitionsToTxnTransaction,
    version: i16,
    now: Now,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let image = broker.image();
    let exists = |topic: &str, index: i32| {
        let found = image.topic(topic);
        found.is_some_and(|found| found.partitions.contains_key(&PartitionIndex(index)))
    };
    let named: Vec<(&str, i32)> = transaction
        .topics
        .iter()
        .flat_map(|topic| {
            topic
                .partitions
                .iter()
                .map(|index| (topic.name.0.as_str(), *index))
        })
        .collect();
    if named.iter().any(|(topic, index)| !exists(topic, *index)) {
        return answers(&transaction.topics, |topic, index| {
            if exists(topic, index) {
                ErrorCode::OperationNotAttempted
            } else {
                ErrorCode::UnknownTopicOrPartition
            }
        });
    }
    let partitions: Vec<TopicPartition> = named
        .iter()
        .map(|(topic, index)| (TopicName::from(*topic), PartitionIndex(*index)))
        .collect();
    let id = transaction.transactional_id.0.as_str();
    let command = TransactionCommand::AddPartitions(AddPartitions {
        id: TransactionalId::from(id),
        producer: Producer {
            id: ProducerId(transaction.producer_id.0),
            epoch: ProducerEpoch(transaction.producer_epoch),
        },
        partitions,
        client_version: 0,
        verify_only: transaction.verify_only,
    });
    match broker.transact(id, command, now) {
        Ok(TransactionReply::AddPartitions(Ok(missing))) => {
            answers(&transaction.topics, |topic, index| {
                let lacks = |(name, at): &TopicPartition| {
                    name.as_str() == topic && *at == PartitionIndex(index)
                };
                if !missing.iter().any(lacks) {
                    ErrorCode::None
                } else if version >= 5 {
                    ErrorCode::TransactionAbortable
                } else {
                    ErrorCode::InvalidTxnState
                }
            })
        }
        Ok(TransactionReply::AddPartitions(Err(why))) => {
            let code = fenced_before(2, version, code_of(why));
            answers(&transaction.topics, |_, _| code)
        }
        Ok(_) => answers(&transaction.topics, |_, _| ErrorCode::UnknownServerError),
        Err(code) => answers(&transaction.topics, |_, _| code),
    }
}

/// Versions before `known` do not know PRODUCER_FENCED.
pub(crate) fn fenced_before(known: i16, version: i16, code: ErrorCode) -> ErrorCode {
    if code == ErrorCode::ProducerFenced && version < known {
        ErrorCode::InvalidProducerEpoch
    } else {
        code
    }
}

fn answers(
    topics: &[AddPartitionsToTxnTopic],
    code: impl Fn(&str, i32) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let answer = |topic: &AddPartitionsToTxnTopic| {
        let partitions = topic.partitions.iter().map(|index| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(code(&topic.name.0, *index).code())
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions.collect())
    };
    topics.iter().map(answer).collect()
}
