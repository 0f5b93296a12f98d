//! DescribeCluster 0–2: the cluster's id, its controller and its brokers.

use crate::broker::Broker;
use crate::convert::{broker_id, text};
use crate::operations;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::DescribeClusterResponse;
use kafka_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use plimsoll_wire::error_code::ErrorCode;

/// `endpoint_type` of brokers; 2 would be controllers.
const BROKERS: i8 = 1;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeClusterRequest| {
        let response = DescribeClusterResponse::default().with_endpoint_type(BROKERS);
        if request.version() >= 1 && query.endpoint_type != BROKERS {
            let problem = if query.endpoint_type == 2 {
                ErrorCode::MismatchedEndpointType
            } else {
                ErrorCode::UnsupportedEndpointType
            };
            return response
                .with_error_code(problem.code())
                .with_error_message(Some(text("this listener serves brokers, endpoint type 1")));
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
            .with_cluster_id(text(broker.cluster_id()))
            .with_controller_id(broker_id(broker.node()))
            .with_brokers(brokers)
            .with_cluster_authorized_operations(operations::asked(
                query.include_cluster_authorized_operations,
                operations::CLUSTER,
            ))
    })
}
