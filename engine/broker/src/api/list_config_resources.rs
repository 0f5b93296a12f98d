//! ListConfigResources 0–1: the things that have settings, by type.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use kafka_protocol::messages::list_config_resources_response::{
    ConfigResource, ListConfigResourcesResponse,
};
use plimsoll_cluster::{AclOperation, Image, ResourceType};
use plimsoll_wire::error_code::ErrorCode;

/// The types a client may ask for.
const TYPES: [ResourceType; 4] = [
    ResourceType::Topic,
    ResourceType::Broker,
    ResourceType::ClientMetrics,
    ResourceType::Group,
];

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: ListConfigResourcesRequest| {
        let permitted = request
            .access(broker)
            .check(AclOperation::DescribeConfigs, Guarded::Cluster);
        if let Err(code) = permitted {
            return ListConfigResourcesResponse::default().with_error_code(code.code());
        }
        let wanted = match (request.version(), query.resource_types.is_empty()) {
            // Version 0 could ask for client metrics only.
            (0, _) => vec![ResourceType::ClientMetrics.code()],
            (_, true) => TYPES.iter().map(|kind| kind.code()).collect(),
            (_, false) => query.resource_types,
        };
        let mut resources = Vec::new();
        for code in wanted {
            match ResourceType::from_code(code) {
                Some(kind) => resources.extend(named(&broker.image(), kind)),
                None => {
                    return ListConfigResourcesResponse::default()
                        .with_error_code(ErrorCode::UnsupportedVersion.code());
                }
            }
        }
        ListConfigResourcesResponse::default().with_config_resources(resources)
    })
}

fn named(image: &Image, kind: ResourceType) -> Vec<ConfigResource> {
    let names: Vec<String> = match kind {
        ResourceType::Topic => image.topics().map(|topic| topic.name.to_string()).collect(),
        ResourceType::Broker => image.brokers().keys().map(ToString::to_string).collect(),
        ResourceType::ClientMetrics | ResourceType::Group => Vec::new(),
    };
    let entry = |name| {
        ConfigResource::default()
            .with_resource_name(text(name))
            .with_resource_type(kind.code())
    };
    names.into_iter().map(entry).collect()
}
