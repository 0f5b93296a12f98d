//! Metadata 0–13: brokers and topics. Asking for a missing topic creates it
//! when client and broker both allow that.
//!
//! Version 0 asks for all topics with an empty list, later ones with null.
//! Topic ids are answered from version 10 and may be asked for from 12.

use crate::api::offline::leader_and_offline;
use crate::broker::Broker;
use crate::convert::{broker_id, broker_ids, text, topic};
use crate::operations;
use crate::outcome::Outcome;
use crate::request::Request;
use crate::topic_name;
use kafka_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use plimsoll_cluster::{Image, PartitionImage, TopicImage};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{NodeId, PartitionIndex};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: MetadataRequest| {
        let version = request.version();
        let all = match &query.topics {
            None => true,
            Some(topics) => version == 0 && topics.is_empty(),
        };
        let with_operations = query.include_topic_authorized_operations;
        let topics: Vec<_> = if all {
            let image = broker.image();
            image
                .topics()
                .map(|found| describe(broker, &image, found, with_operations))
                .collect()
        } else {
            let may_create = version < 4 || query.allow_auto_topic_creation;
            let asked = query.topics.as_deref().unwrap_or_default();
            create_missing(broker, request.now, asked, may_create);
            let image = broker.image();
            asked
                .iter()
                .map(|asked| find(broker, &image, asked, with_operations))
                .collect()
        };
        let wants_cluster = query.include_cluster_authorized_operations;
        let operations = match version {
            8..=10 => operations::asked(wants_cluster, operations::CLUSTER),
            _ => i32::MIN,
        };
        MetadataResponse::default()
            .with_brokers(brokers(&broker.image(), &request.connection.listener.name))
            .with_cluster_id(Some(text(broker.cluster_id())))
            .with_controller_id(broker_id(broker.node()))
            .with_cluster_authorized_operations(operations)
            .with_topics(topics)
    })
}

/// The brokers a client may connect to.
fn brokers(image: &Image, listener: &str) -> Vec<MetadataResponseBroker> {
    image
        .brokers()
        .iter()
        .filter(|(_, broker)| !broker.fenced)
        .filter_map(|(node, broker)| {
            let endpoint = broker.endpoint(listener)?;
            Some(
                MetadataResponseBroker::default()
                    .with_node_id(broker_id(*node))
                    .with_host(text(endpoint.host.as_str()))
                    .with_port(endpoint.port.into())
                    .with_rack(broker.rack.as_deref().map(text)),
            )
        })
        .collect()
}

fn create_missing(broker: &Broker, now: Now, asked: &[MetadataRequestTopic], may_create: bool) {
    if !may_create || !broker.limits().auto_create_topics {
        return;
    }
    let image = broker.image();
    let missing: Vec<&str> = asked
        .iter()
        .filter_map(|asked| asked.name.as_ref())
        .map(|name| name.0.as_str())
        .filter(|name| image.topic(name).is_none() && topic_name::check(name).is_ok())
        .collect();
    if !missing.is_empty() {
        broker.auto_create(now, &missing);
    }
}

/// One topic that was asked for by name or by id.
fn find(
    broker: &Broker,
    image: &Image,
    asked: &MetadataRequestTopic,
    with_operations: bool,
) -> MetadataResponseTopic {
    let missing = MetadataResponseTopic::default()
        .with_name(asked.name.clone())
        .with_topic_id(asked.topic_id)
        .with_topic_authorized_operations(i32::MIN);
    let found = match &asked.name {
        Some(name) if asked.topic_id.is_nil() => {
            let name = name.0.as_str();
            if topic_name::check(name).is_err() {
                return missing.with_error_code(ErrorCode::InvalidTopicException.code());
            }
            image.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition)
        }
        _ => image
            .topic_by_id(asked.topic_id)
            .ok_or(ErrorCode::UnknownTopicId),
    };
    match found {
        Ok(found) => describe(broker, image, found, with_operations),
        Err(code) => missing.with_error_code(code.code()),
    }
}

fn describe(
    broker: &Broker,
    image: &Image,
    found: &TopicImage,
    with_operations: bool,
) -> MetadataResponseTopic {
    let partitions = found
        .partitions
        .iter()
        .map(|(index, partition)| one(broker, image, (found, *index), partition))
        .collect();
    MetadataResponseTopic::default()
        .with_name(Some(topic(&found.name)))
        .with_topic_id(found.id)
        .with_is_internal(topic_name::is_internal(&found.name))
        .with_partitions(partitions)
        .with_topic_authorized_operations(operations::asked(with_operations, operations::TOPIC))
}

fn one(
    broker: &Broker,
    image: &Image,
    (topic, index): (&TopicImage, PartitionIndex),
    partition: &PartitionImage,
) -> MetadataResponsePartition {
    let (leader, offline) = leader_and_offline(broker, image, (topic, index), partition);
    let code = if leader == NodeId::NONE {
        ErrorCode::LeaderNotAvailable
    } else {
        ErrorCode::None
    };
    MetadataResponsePartition::default()
        .with_error_code(code.code())
        .with_partition_index(index.get())
        .with_leader_id(broker_id(leader))
        .with_leader_epoch(partition.leader_epoch.get())
        .with_replica_nodes(broker_ids(&partition.replicas))
        .with_isr_nodes(broker_ids(&partition.isr))
        .with_offline_replicas(broker_ids(&offline))
}
