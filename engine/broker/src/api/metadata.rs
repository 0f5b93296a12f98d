//! Metadata 0–13: brokers and topics. Asking for a missing topic creates it
//! when client and broker both allow that.
//!
//! Version 0 asks for all topics with an empty list, later ones with null.
//! Topic ids are answered from version 10 and may be asked for from 12.

use crate::access::{Access, Guarded};
use crate::api::offline::leader_and_offline;
use crate::broker::Broker;
use crate::convert::{broker_id, broker_ids, text, topic};
use crate::outcome::Outcome;
use crate::request::Request;
use crate::topic_name;
use kafka_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use plimsoll_cluster::{AclOperation, Image, PartitionImage, TopicImage};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{NodeId, PartitionIndex};
use std::sync::Arc;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: MetadataRequest| {
        let version = request.version();
        let all = match &query.topics {
            None => true,
            Some(topics) => version == 0 && topics.is_empty(),
        };
        let asker = Asker {
            broker,
            access: request.access(broker),
            wants_operations: query.include_topic_authorized_operations,
            creates: (version < 4 || query.allow_auto_topic_creation)
                && broker.limits().auto_create_topics,
        };
        let topics: Vec<_> = if all {
            let image = broker.image();
            let topics = image.topics();
            let told = topics.filter(|found| asker.may_see(&found.name));
            told.map(|found| asker.describe(&image, found)).collect()
        } else {
            let asked = query.topics.as_deref().unwrap_or_default();
            asker.create_missing(request.now, asked);
            let image = broker.image();
            let found = asked.iter().map(|asked| asker.find(&image, asked));
            found.collect()
        };
        let wants_cluster = query.include_cluster_authorized_operations;
        let operations = match version {
            8..=10 => asker.access.cluster_operations_if(wants_cluster),
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

/// Who asks for topics, and what for.
struct Asker<'a> {
    broker: &'a Broker,
    access: Access,
    wants_operations: bool,
    /// Whether asking for a missing topic creates it.
    creates: bool,
}

impl Asker<'_> {
    fn may_see(&self, topic: &str) -> bool {
        self.access
            .allows(AclOperation::Describe, Guarded::Topic(topic))
    }

    fn may_create(&self, topic: &str) -> bool {
        let create = AclOperation::Create;
        self.access.allows(create, Guarded::Cluster)
            || self.access.allows(create, Guarded::Topic(topic))
    }

    fn create_missing(&self, now: Now, asked: &[MetadataRequestTopic]) {
        if !self.creates {
            return;
        }
        let image = self.broker.image();
        let missing: Vec<&str> = asked
            .iter()
            .filter_map(|asked| asked.name.as_ref())
            .map(|name| name.0.as_str())
            .filter(|name| image.topic(name).is_none() && topic_name::check(name).is_ok())
            .filter(|name| self.may_see(name) && self.may_create(name))
            .collect();
        if !missing.is_empty() {
            self.broker.auto_create(now, &missing);
        }
    }

    /// One topic that was asked for by name or by id. Whoever may not see it
    /// does not learn whether it exists.
    fn find(&self, image: &Image, asked: &MetadataRequestTopic) -> MetadataResponseTopic {
        let missing = MetadataResponseTopic::default()
            .with_name(asked.name.clone())
            .with_topic_id(asked.topic_id)
            .with_topic_authorized_operations(i32::MIN);
        let found = match &asked.name {
            Some(name) if asked.topic_id.is_nil() => self.by_name(image, &name.0),
            _ => image
                .topic_by_id(asked.topic_id)
                .filter(|found| self.may_see(&found.name))
                .ok_or(ErrorCode::UnknownTopicId),
        };
        match found {
            Ok(found) => self.describe(image, found),
            Err(code) => missing.with_error_code(code.code()),
        }
    }

    fn by_name<'a>(&self, image: &'a Image, name: &str) -> Result<&'a Arc<TopicImage>, ErrorCode> {
        let topic = Guarded::Topic(name);
        self.access.check(AclOperation::Describe, topic)?;
        if topic_name::check(name).is_err() {
            return Err(ErrorCode::InvalidTopicException);
        }
        image.topic(name).ok_or_else(|| {
            if self.creates && !self.may_create(name) {
                topic.refusal()
            } else {
                ErrorCode::UnknownTopicOrPartition
            }
        })
    }

    fn describe(&self, image: &Image, found: &TopicImage) -> MetadataResponseTopic {
        let partitions = found
            .partitions
            .iter()
            .map(|(index, partition)| one(self.broker, image, (found, *index), partition))
            .collect();
        let operations = self
            .access
            .operations_if(self.wants_operations, Guarded::Topic(&found.name));
        MetadataResponseTopic::default()
            .with_name(Some(topic(&found.name)))
            .with_topic_id(found.id)
            .with_is_internal(topic_name::is_internal(&found.name))
            .with_partitions(partitions)
            .with_topic_authorized_operations(operations)
    }
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
