//! AddPartitionsToTxn 0–5: a transaction reaches further partitions. From
//! version 4 for several transactions, which may only be verified.

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::groups::code_of;
use crate::outcome::Outcome;
use crate::replies::{Answer, Pending, respond_later};
use crate::request::Request;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnResult,
    AddPartitionsToTxnTopicResult,
};
use plimsoll_cluster::{AclOperation, Image};
use plimsoll_coordinator::transaction::{
    AddPartitions, TopicPartition, TransactionCommand, TransactionReply,
};
use plimsoll_coordinator::{Producer, TopicName, TransactionalId};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};

/// The first version for several transactions.
const SEVERAL: i16 = 4;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: AddPartitionsToTxnRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let envelope = request.envelope;
    let version = envelope.version;
    let access = request.access(broker);
    if version >= SEVERAL
        && let Err(code) = access.check(AclOperation::ClusterAction, Guarded::Cluster)
    {
        let refused = AddPartitionsToTxnResponse::default().with_error_code(code.code());
        return Outcome::Ready(envelope.encode(&refused));
    }
    let transactions = if version >= SEVERAL {
        query.transactions
    } else {
        vec![
            AddPartitionsToTxnTransaction::default()
                .with_transactional_id(query.v3_and_below_transactional_id)
                .with_producer_id(query.v3_and_below_producer_id)
                .with_producer_epoch(query.v3_and_below_producer_epoch)
                .with_topics(query.v3_and_below_topics),
        ]
    };
    let image = broker.image();
    let mut refusals = Vec::with_capacity(transactions.len());
    let mut pending = Vec::with_capacity(transactions.len());
    for transaction in &transactions {
        let refused = refusals_of(&image, &access, transaction, version);
        pending.push(if refused.is_empty() {
            let id = transaction.transactional_id.0.as_str();
            broker.ask_transaction(id, command(transaction, version), request.asker())
        } else {
            Pending::Here(Err(ErrorCode::OperationNotAttempted))
        });
        refusals.push(refused);
    }
    let deadline = broker.commit_deadline(request.now);
    respond_later(pending, deadline, move |answers| {
        let of = transactions.iter().zip(refusals).zip(answers);
        let results = of.map(|((one, refused), answer)| answers_of(one, version, &refused, answer));
        let response = AddPartitionsToTxnResponse::default();
        envelope.encode(&if version >= SEVERAL {
            let result = |(transaction, topics): (&AddPartitionsToTxnTransaction, _)| {
                AddPartitionsToTxnResult::default()
                    .with_transactional_id(transaction.transactional_id.clone())
                    .with_topic_results(topics)
            };
            let results = transactions.iter().zip(results).map(result);
            response.with_results_by_transaction(results.collect())
        } else {
            response.with_results_by_topic_v3_and_below(results.flatten().collect())
        })
    })
}

/// A partition that cannot be added, and why.
type Refused = (TopicPartition, ErrorCode);

/// The partitions of a transaction that do not exist or may not be written. Then
/// none is added. Nodes ask for clients whom they have judged.
fn refusals_of(
    image: &Image,
    access: &Access,
    transaction: &AddPartitionsToTxnTransaction,
    version: i16,
) -> Vec<Refused> {
    let id = Guarded::Transaction(&transaction.transactional_id.0);
    let permitted = match version {
        SEVERAL.. => Ok(()),
        _ => access.check(AclOperation::Write, id),
    };
    let check = |(topic, index): &TopicPartition| {
        permitted?;
        access.check(AclOperation::Write, Guarded::Topic(topic.as_str()))?;
        let found = image.topic(topic.as_str());
        let exists = found.is_some_and(|found| found.partitions.contains_key(index));
        exists
            .then_some(())
            .ok_or(ErrorCode::UnknownTopicOrPartition)
    };
    let refused = places(transaction).filter_map(|place| {
        let code = check(&place).err()?;
        Some((place, code))
    });
    refused.collect()
}

fn places(
    transaction: &AddPartitionsToTxnTransaction,
) -> impl Iterator<Item = TopicPartition> + '_ {
    transaction.topics.iter().flat_map(|topic| {
        let name = TopicName::from(topic.name.0.as_str());
        let indexes = topic.partitions.iter();
        indexes.map(move |index| (name.clone(), PartitionIndex(*index)))
    })
}

fn command(transaction: &AddPartitionsToTxnTransaction, version: i16) -> TransactionCommand {
    TransactionCommand::AddPartitions(AddPartitions {
        id: TransactionalId::from(transaction.transactional_id.0.as_str()),
        producer: Producer {
            id: ProducerId(transaction.producer_id.0),
            epoch: ProducerEpoch(transaction.producer_epoch),
        },
        partitions: places(transaction).collect(),
        // Nodes that add partitions for their clients ask in these versions.
        client_version: if version >= SEVERAL { 2 } else { 0 },
        verify_only: transaction.verify_only,
    })
}

/// What became of a transaction's partitions.
fn answers_of(
    transaction: &AddPartitionsToTxnTransaction,
    version: i16,
    refused: &[Refused],
    answer: Answer<TransactionReply>,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = &transaction.topics;
    let is_in = |places: &[TopicPartition], topic: &str, index: i32| {
        let same = |(name, at): &TopicPartition| name.as_str() == topic && at.get() == index;
        places.iter().any(same)
    };
    if !refused.is_empty() {
        return answers(topics, |topic, index| {
            let same = |((name, at), _): &&Refused| name.as_str() == topic && at.get() == index;
            let found = refused.iter().find(same);
            found.map_or(ErrorCode::OperationNotAttempted, |(_, code)| *code)
        });
    }
    match answer {
        Ok(TransactionReply::AddPartitions(Ok(missing))) => answers(topics, |topic, index| {
            if !is_in(&missing, topic, index) {
                ErrorCode::None
            } else if version >= 5 {
                ErrorCode::TransactionAbortable
            } else {
                ErrorCode::InvalidTxnState
            }
        }),
        Ok(TransactionReply::AddPartitions(Err(why))) => {
            let code = fenced_before(2, version, code_of(why));
            answers(topics, |_, _| code)
        }
        Ok(_) => answers(topics, |_, _| ErrorCode::UnknownServerError),
        Err(code) => answers(topics, |_, _| code),
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
