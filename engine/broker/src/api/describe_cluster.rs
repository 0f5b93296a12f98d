//! DescribeCluster 0–2: the cluster's id, its controller and its brokers. A
//! listener of controllers tells of these instead (KIP-919).

use crate::broker::Broker;
use crate::convert::{broker_id, text};
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterResponse};
use plimsoll_wire::error_code::ErrorCode;

/// `endpoint_type` of brokers.
const BROKERS: i8 = 1;
/// `endpoint_type` of controllers.
const CONTROLLERS: i8 = 2;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeClusterRequest| {
        let controllers = broker.is_for_controllers(request.connection);
        let (served, words) = match controllers {
            true => (
                CONTROLLERS,
                "this listener tells of controllers, endpoint type 2",
            ),
            false => (BROKERS, "this listener tells of brokers, endpoint type 1"),
        };
        // Version 0 asks for brokers.
        let asked = match request.version() {
            0 => BROKERS,
            _ => query.endpoint_type,
        };
        let response = match request.version() {
            0 => DescribeClusterResponse::default(),
            _ => DescribeClusterResponse::default().with_endpoint_type(served),
        };
        if asked != served {
            let problem = match asked {
                BROKERS | CONTROLLERS => ErrorCode::MismatchedEndpointType,
                _ => ErrorCode::UnsupportedEndpointType,
            };
            return response
                .with_error_code(problem.code())
                .with_error_message(Some(text(words)));
        }
        let access = request.access(broker);
        let response = response
            .with_cluster_id(text(broker.cluster_id()))
            .with_cluster_authorized_operations(
                access.cluster_operations_if(query.include_cluster_authorized_operations),
            );
        if controllers {
            let leader = broker.metadata.standing().leader;
            return response
                .with_controller_id(leader.map_or(BrokerId(-1), broker_id))
                .with_brokers(voters(broker));
        }
        let image = broker.image();
        let brokers = image
            .brokers()
            .iter()
            .filter(|(_, image)| !image.fenced || query.include_fenced_brokers)
            .filter_map(|(node, image)| {
                let endpoint = image.endpoint(&request.connection.listener.name)?;
                Some(
                    DescribeClusterBroker::default()
                        .with_broker_id(broker_id(*node))
                        .with_host(text(endpoint.host.as_str()))
                        .with_port(endpoint.port.into())
                        .with_rack(image.rack.as_deref().map(text))
                        .with_is_fenced(request.version() >= 2 && image.fenced),
                )
            })
            .collect();
        response
            .with_controller_id(broker_id(broker.node()))
            .with_brokers(brokers)
    })
}

/// The controllers, as brokers are told of.
fn voters(broker: &Broker) -> Vec<DescribeClusterBroker> {
    let voters = broker.config.voters.iter().map(|peer| {
        DescribeClusterBroker::default()
            .with_broker_id(broker_id(peer.node))
            .with_host(text(peer.host.as_str()))
            .with_port(peer.port.into())
    });
    voters.collect()
}
