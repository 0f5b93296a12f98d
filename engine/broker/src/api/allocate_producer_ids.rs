//! AllocateProducerIds 0: a node takes a block of producer ids.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::outcome::Outcome;
use crate::producer_ids::BLOCK;
use crate::request::Request;
use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, ProducerId as WireProducerId,
};
use plimsoll_cluster::AclOperation;
use plimsoll_wire::types::{BrokerEpoch, NodeId};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: AllocateProducerIdsRequest| {
        let owner = (NodeId(query.broker_id.0), BrokerEpoch(query.broker_epoch));
        let answer = AllocateProducerIdsResponse::default();
        let permitted = request
            .access(broker)
            .check(AclOperation::ClusterAction, Guarded::Cluster);
        match permitted.and_then(|()| broker.allocate_producer_ids(owner, request.now)) {
            Ok(first) => answer
                .with_producer_id_start(WireProducerId(first.get()))
                .with_producer_id_len(i32::try_from(BLOCK).unwrap_or(i32::MAX)),
            Err(code) => answer.with_error_code(code.code()),
        }
    })
}
