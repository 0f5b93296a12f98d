//! Topics: list, describe, create, add partitions, delete.

use super::{Admin, addresses, settle_ms};
use crate::error::DriveError;
use crate::native::control::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, TopicName,
};
use plimsoll_wire::types::{NodeId, PartitionIndex};
use std::collections::BTreeMap;

/// A topic to be made.
#[derive(Clone, Debug, Default)]
pub struct CreateTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; the cluster's default when absent.
    pub partitions: Option<i32>,
    /// Copies of each partition; the cluster's default when absent.
    pub replication_factor: Option<i16>,
    /// Settings under Kafka's property names.
    pub configs: BTreeMap<String, String>,
}

/// A topic as the cluster's metadata has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Whether it is one of the cluster's own.
    pub is_internal: bool,
    /// Its partitions, by number.
    pub partitions: BTreeMap<PartitionIndex, PartitionInfo>,
}

/// A partition as the cluster's metadata has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Its leader, when it has one.
    pub leader: Option<NodeId>,
    /// The leader's `HOST:PORT`.
    pub address: Option<String>,
    /// The brokers that hold it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Those that have caught up.
    pub in_sync: Vec<NodeId>,
}

impl Admin {
    /// Every topic of the cluster, by name.
    pub fn topics(&mut self) -> Result<Vec<TopicInfo>, DriveError> {
        self.described(None)
    }

    /// These topics.
    ///
    /// # Errors
    /// [`DriveError::Refused`] names a topic that does not exist.
    pub fn describe_topics(&mut self, names: &[String]) -> Result<Vec<TopicInfo>, DriveError> {
        self.described(Some(names))
    }

    fn described(&mut self, names: Option<&[String]>) -> Result<Vec<TopicInfo>, DriveError> {
        let metadata = self.metadata(names)?;
        let brokers = addresses(&metadata);
        let mut topics = Vec::with_capacity(metadata.topics.len());
        for topic in &metadata.topics {
            // A topic with partitions that have no leader is still a topic.
            if topic.error_code != ResponseError::LeaderNotAvailable.code() {
                let name = topic.name.as_ref().map_or("", |name| name.0.as_str());
                let missing = ResponseError::UnknownTopicOrPartition.code();
                let message = (topic.error_code == missing).then_some("there is no such topic");
                DriveError::check(
                    topic.error_code,
                    &format!("describing topic {name}"),
                    message,
                )?;
            }
            topics.push(info(topic, &brokers));
        }
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// Makes a topic. Answers with its number of partitions and of copies,
    /// where the broker says.
    pub fn create_topic(
        &mut self,
        topic: &CreateTopic,
    ) -> Result<(Option<i32>, Option<i16>), DriveError> {
        let configs = topic.configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        let creatable = CreatableTopic::default()
            .with_name(TopicName(text(&topic.name)))
            .with_num_partitions(topic.partitions.unwrap_or(-1))
            .with_replication_factor(topic.replication_factor.unwrap_or(-1))
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![creatable])
            .with_timeout_ms(settle_ms());
        let code = |r: &<CreateTopicsRequest as kafka_protocol::protocol::Request>::Response| {
            r.topics.first().map_or(0, |t| t.error_code)
        };
        let response = self.ask_controller(&request, (4, 7), code)?;
        let what = format!("creating topic {}", topic.name);
        let made = first(&response.topics, &what)?;
        DriveError::check(made.error_code, &what, made.error_message.as_deref())?;
        let partitions = Some(made.num_partitions).filter(|n| *n > 0);
        let copies = Some(made.replication_factor).filter(|n| *n > 0);
        Ok((partitions, copies))
    }

    /// Raises a topic's number of partitions to `count`.
    pub fn add_partitions(&mut self, name: &str, count: i32) -> Result<(), DriveError> {
        let topic = CreatePartitionsTopic::default()
            .with_name(TopicName(text(name)))
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(settle_ms());
        let code =
            |r: &<CreatePartitionsRequest as kafka_protocol::protocol::Request>::Response| {
                r.results.first().map_or(0, |t| t.error_code)
            };
        let response = self.ask_controller(&request, (0, 3), code)?;
        let what = format!("altering topic {name}");
        let result = first(&response.results, &what)?;
        DriveError::check(result.error_code, &what, result.error_message.as_deref())
    }

    /// Deletes a topic.
    pub fn delete_topic(&mut self, name: &str) -> Result<(), DriveError> {
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![TopicName(text(name))])
            .with_timeout_ms(settle_ms());
        let code = |r: &<DeleteTopicsRequest as kafka_protocol::protocol::Request>::Response| {
            r.responses.first().map_or(0, |t| t.error_code)
        };
        let response = self.ask_controller(&request, (1, 5), code)?;
        let what = format!("deleting topic {name}");
        let result = first(&response.responses, &what)?;
        DriveError::check(result.error_code, &what, result.error_message.as_deref())
    }
}

/// The one result that a request for one thing has.
pub(super) fn first<'a, T>(results: &'a [T], what: &str) -> Result<&'a T, DriveError> {
    results.first().ok_or_else(|| DriveError::Refused {
        request: what.to_owned(),
        code: ResponseError::UnknownServerError.code(),
        message: "the answer has no result".to_owned(),
    })
}

fn info(topic: &MetadataResponseTopic, brokers: &BTreeMap<NodeId, String>) -> TopicInfo {
    let nodes =
        |ids: &[kafka_protocol::messages::BrokerId]| ids.iter().map(|b| NodeId(b.0)).collect();
    let partitions = topic.partitions.iter().map(|partition| {
        let leader = NodeId(partition.leader_id.0);
        let address = brokers.get(&leader).cloned();
        let described = PartitionInfo {
            leader: address.as_ref().map(|_| leader),
            address,
            replicas: nodes(&partition.replica_nodes),
            in_sync: nodes(&partition.isr_nodes),
        };
        (PartitionIndex(partition.partition_index), described)
    });
    TopicInfo {
        name: topic
            .name
            .as_ref()
            .map(|n| n.0.to_string())
            .unwrap_or_default(),
        is_internal: topic.is_internal,
        partitions: partitions.collect(),
    }
}
