//! ListTransactions 0–2: the transactional ids of this node, by state and
//! producer, from version 1 by age, from 2 by a pattern: those that the client may
//! describe.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::list_transactions_request::ListTransactionsRequest;
use kafka_protocol::messages::list_transactions_response::{
    ListTransactionsResponse, TransactionState as Listed,
};
use kafka_protocol::messages::{ProducerId as WireProducerId, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::schema::TransactionState;
use plimsoll_coordinator::transaction::TransactionFilter;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::ProducerId;
use regex::Regex;
use std::time::Duration;

/// The states a client may ask for.
const STATES: [TransactionState; 8] = [
    TransactionState::Empty,
    TransactionState::Ongoing,
    TransactionState::PrepareCommit,
    TransactionState::PrepareAbort,
    TransactionState::CompleteCommit,
    TransactionState::CompleteAbort,
    TransactionState::Dead,
    TransactionState::PrepareEpochFence,
];

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: ListTransactionsRequest| {
        let response = ListTransactionsResponse::default();
        let pattern = query
            .transactional_id_pattern
            .as_ref()
            .filter(|p| !p.is_empty());
        let pattern = match pattern.map(|p| Regex::new(&format!("^(?:{})$", p.as_str()))) {
            Some(Err(_)) => {
                return response.with_error_code(ErrorCode::InvalidRegularExpression.code());
            }
            Some(Ok(pattern)) => Some(pattern),
            None => None,
        };
        let known = |name: &StrBytes| STATES.iter().any(|s| s.name() == name.as_str());
        let (states, unknown): (Vec<_>, Vec<_>) = query.state_filters.into_iter().partition(known);
        if states.is_empty() && !unknown.is_empty() {
            return response.with_unknown_state_filters(unknown);
        }
        let filter = TransactionFilter {
            states: states.iter().map(|state| state.to_string()).collect(),
            producers: query
                .producer_id_filters
                .iter()
                .map(|id| ProducerId(id.0))
                .collect(),
            open_longer_than: u64::try_from(query.duration_filter)
                .ok()
                .map(Duration::from_millis),
            pattern,
        };
        let access = request.access(broker);
        let may_see = |id: &str| access.allows(AclOperation::Describe, Guarded::Transaction(id));
        let mut listed = Vec::new();
        broker.look_at_transactions(request.now, |coordinator| {
            let found = coordinator.list(&filter, request.now.wall);
            let found = found.into_iter().filter(|found| may_see(found.id.as_str()));
            listed.extend(found.map(|found| {
                Listed::default()
                    .with_transactional_id(TransactionalId(text(found.id.as_str())))
                    .with_producer_id(WireProducerId(found.producer.get()))
                    .with_transaction_state(text(found.state.name()))
            }));
        });
        response
            .with_unknown_state_filters(unknown)
            .with_transaction_states(listed)
    })
}
