//! BrokerRegistration 0–4: a node's run joins the cluster.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::{BrokerRegistrationRequest, BrokerRegistrationResponse};
use plimsoll_cluster::AclOperation;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: BrokerRegistrationRequest| {
        let answer = BrokerRegistrationResponse::default();
        let permitted = request
            .access(broker)
            .check(AclOperation::ClusterAction, Guarded::Cluster);
        match permitted.and_then(|()| broker.register_broker(&query, request.now)) {
            Ok(epoch) => answer.with_broker_epoch(epoch.get()),
            Err(code) => answer.with_error_code(code.code()).with_broker_epoch(-1),
        }
    })
}
