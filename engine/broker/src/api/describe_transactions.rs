//! DescribeTransactions 0: where the transactions of some ids stand.

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::convert::{text, topic};
use crate::groups::code_of;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::describe_transactions_request::DescribeTransactionsRequest;
use kafka_protocol::messages::describe_transactions_response::{
    DescribeTransactionsResponse, TopicData, TransactionState,
};
use kafka_protocol::messages::{ProducerId as WireProducerId, TransactionalId as WireId};
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::TransactionalId;
use plimsoll_wire::time::Now;
use std::collections::BTreeMap;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeTransactionsRequest| {
        let access = request.access(broker);
        let states = query
            .transactional_ids
            .iter()
            .map(|id| describe(broker, &access, id, request.now));
        DescribeTransactionsResponse::default().with_transaction_states(states.collect())
    })
}

fn describe(broker: &Broker, access: &Access, id: &WireId, now: Now) -> TransactionState {
    let answer = TransactionState::default().with_transactional_id(id.clone());
    let key = TransactionalId::from(id.0.as_str());
    let looked = access
        .check(AclOperation::Describe, Guarded::Transaction(&id.0))
        .and_then(|()| {
            broker.look_at_transaction(&id.0, now, |ids| ids.describe(&key).map_err(code_of))
        });
    let found = match looked.and_then(|found| found) {
        Ok(found) => found,
        Err(code) => return answer.with_error_code(code.code()),
    };
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (name, index) in &found.partitions {
        if !access.allows(AclOperation::Describe, Guarded::Topic(name.as_str())) {
            continue;
        }
        topics
            .entry(name.to_string())
            .or_default()
            .push(index.get());
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        TopicData::default()
            .with_topic(topic(&name))
            .with_partitions(partitions)
    });
    answer
        .with_transaction_state(text(found.state.name()))
        .with_transaction_timeout_ms(i32::try_from(found.timeout.as_millis()).unwrap_or(i32::MAX))
        .with_transaction_start_time_ms(found.started_at.get())
        .with_producer_id(WireProducerId(found.producer.id.get()))
        .with_producer_epoch(found.producer.epoch.get())
        .with_topics(topics.collect())
}
