//! FindCoordinator 0–6: which broker coordinates a group (type 0) or a
//! transactional id (type 1). From version 4 for several keys at once.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::{broker_id, text};
use crate::outcome::Outcome;
use crate::request::Request;
use crate::topic_name::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;
use plimsoll_cluster::AclOperation;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::NodeId;

/// The first version with several keys.
const SEVERAL: i16 = 4;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: FindCoordinatorRequest| {
        let find = |key: &StrBytes| find(broker, request, query.key_type, key);
        let response = FindCoordinatorResponse::default();
        if request.version() >= SEVERAL {
            let one = |key: &StrBytes| {
                let (node, host, port, code) = place(find(key));
                Coordinator::default()
                    .with_key(key.clone())
                    .with_node_id(node)
                    .with_host(host)
                    .with_port(port)
                    .with_error_code(code.code())
                    .with_error_message(words(code))
            };
            return response.with_coordinators(query.coordinator_keys.iter().map(one).collect());
        }
        let (node, host, port, code) = place(find(&query.key));
        let words = if request.version() >= 1 {
            words(code)
        } else {
            None
        };
        response
            .with_node_id(node)
            .with_host(host)
            .with_port(port)
            .with_error_code(code.code())
            .with_error_message(words)
    })
}

fn words(code: ErrorCode) -> Option<StrBytes> {
    code.is_error().then(|| text(code.name()))
}

fn place(found: Result<(NodeId, String, u16), ErrorCode>) -> (BrokerId, StrBytes, i32, ErrorCode) {
    match found {
        Ok((node, host, port)) => (broker_id(node), text(host), port.into(), ErrorCode::None),
        Err(code) => (BrokerId(-1), text(""), -1, code),
    }
}

fn find(
    broker: &Broker,
    request: &Request<'_>,
    key_type: i8,
    key: &str,
) -> Result<(NodeId, String, u16), ErrorCode> {
    const GROUP: i8 = 0;
    const TRANSACTION: i8 = 1;
    let (topic, guarded) = match key_type {
        GROUP => (OFFSETS_TOPIC, Guarded::Group(key)),
        TRANSACTION if key.is_empty() => return Err(ErrorCode::InvalidRequest),
        TRANSACTION => (TRANSACTIONS_TOPIC, Guarded::Transaction(key)),
        _ => return Err(ErrorCode::InvalidRequest),
    };
    request
        .access(broker)
        .check(AclOperation::Describe, guarded)?;
    let leader = broker.coordinator_of(topic, key, request.now)?;
    let endpoint = broker
        .image()
        .brokers()
        .get(&leader)
        .and_then(|broker| broker.endpoint(&request.connection.listener.name).cloned())
        .ok_or(ErrorCode::CoordinatorNotAvailable)?;
    Ok((leader, endpoint.host, endpoint.port))
}
