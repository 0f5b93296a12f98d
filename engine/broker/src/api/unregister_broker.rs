//! UnregisterBroker 0: a node that will not come back is forgotten.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use plimsoll_cluster::AclOperation;
use plimsoll_wire::types::NodeId;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: UnregisterBrokerRequest| {
        let node = NodeId(query.broker_id.0);
        let answer = UnregisterBrokerResponse::default();
        let permitted = request
            .access(broker)
            .check(AclOperation::Alter, Guarded::Cluster);
        match permitted.and_then(|()| broker.unregister_broker(node, request.now)) {
            Ok(()) => answer,
            Err(code) => answer
                .with_error_code(code.code())
                .with_error_message(Some(text(format!("broker {node}: {}", code.name())))),
        }
    })
}
