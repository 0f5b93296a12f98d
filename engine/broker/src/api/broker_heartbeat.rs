//! BrokerHeartbeat 0–1: a node lives, and says what it wants.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::membership::Beat;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};
use plimsoll_cluster::AclOperation;
use plimsoll_wire::types::{BrokerEpoch, NodeId, Offset};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: BrokerHeartbeatRequest| {
        let beat = Beat {
            epoch: BrokerEpoch(query.broker_epoch),
            offset: Offset(query.current_metadata_offset),
            wants_fence: query.want_fence,
            wants_stop: query.want_shut_down,
        };
        let answer = BrokerHeartbeatResponse::default();
        let permitted = request
            .access(broker)
            .check(AclOperation::ClusterAction, Guarded::Cluster);
        let node = NodeId(query.broker_id.0);
        match permitted.and_then(|()| broker.hear_broker(node, beat, request.now)) {
            Ok(reply) => answer
                .with_is_caught_up(reply.caught_up)
                .with_is_fenced(reply.fenced)
                .with_should_shut_down(reply.may_stop),
            Err(code) => answer.with_error_code(code.code()).with_is_fenced(true),
        }
    })
}
