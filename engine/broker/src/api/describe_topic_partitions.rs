//! DescribeTopicPartitions 0: topics in order of name, a page at a time, with a
//! cursor to the first partition that did not fit.

use crate::access::{Access, Guarded};
use crate::api::offline::leader_and_offline;
use crate::broker::Broker;
use crate::convert::{broker_id, broker_ids, topic};
use crate::outcome::Outcome;
use crate::request::Request;
use crate::topic_name;
use kafka_protocol::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use plimsoll_cluster::{AclOperation, Image, PartitionImage, TopicImage};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeSet;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeTopicPartitionsRequest| {
        let image = broker.image();
        let mut page = Page {
            broker,
            image: &image,
            access: request.access(broker),
            room: usize::try_from(query.response_partition_limit)
                .unwrap_or(0)
                .clamp(1, broker.limits().described_partitions_max),
            topics: Vec::new(),
            next: None,
        };
        let (from_topic, from_partition) = match &query.cursor {
            Some(cursor) => (cursor.topic_name.0.as_str(), cursor.partition_index.max(0)),
            None => ("", 0),
        };
        for name in names(&image, &page.access, &query).range(from_topic..) {
            let first = if *name == from_topic {
                from_partition
            } else {
                0
            };
            if !page.add(name, PartitionIndex(first)) {
                break;
            }
        }
        DescribeTopicPartitionsResponse::default()
            .with_topics(page.topics)
            .with_next_cursor(page.next)
    })
}

fn may_see(access: &Access, topic: &str) -> bool {
    access.allows(AclOperation::Describe, Guarded::Topic(topic))
}

/// The names asked for, or all that the client may see, in order.
fn names<'a>(
    image: &'a Image,
    access: &Access,
    query: &'a DescribeTopicPartitionsRequest,
) -> BTreeSet<&'a str> {
    if query.topics.is_empty() {
        let names = image.topics().map(|topic| &*topic.name);
        names.filter(|name| may_see(access, name)).collect()
    } else {
        query
            .topics
            .iter()
            .map(|asked| asked.name.0.as_str())
            .collect()
    }
}

/// A page being filled.
struct Page<'a> {
    broker: &'a Broker,
    image: &'a Image,
    access: Access,
    /// How many more partitions fit.
    room: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next: Option<Cursor>,
}

impl Page<'_> {
    /// Adds a topic's partitions from `first` on. Answers whether all did fit.
    fn add(&mut self, name: &str, first: PartitionIndex) -> bool {
        let seen = may_see(&self.access, name);
        let Some(found) = self.image.topic(name).filter(|_| seen) else {
            let code = match topic_name::check(name) {
                _ if !seen => Guarded::Topic(name).refusal(),
                Ok(()) => ErrorCode::UnknownTopicOrPartition,
                Err(_) => ErrorCode::InvalidTopicException,
            };
            self.topics.push(
                DescribeTopicPartitionsResponseTopic::default()
                    .with_error_code(code.code())
                    .with_name(Some(topic(name)))
                    .with_topic_authorized_operations(i32::MIN),
            );
            return true;
        };
        let cursor = |index: PartitionIndex| {
            Cursor::default()
                .with_topic_name(topic(name))
                .with_partition_index(index.get())
        };
        if self.room == 0 {
            self.next = Some(cursor(first));
            return false;
        }
        let mut left = found.partitions.range(first..);
        let fits: Vec<_> = left
            .by_ref()
            .take(self.room)
            .map(|(index, partition)| self.describe(found, *index, partition))
            .collect();
        self.room -= fits.len();
        let operations = self.access.operations(Guarded::Topic(name));
        self.topics.push(entry(found, operations, fits));
        self.next = left.next().map(|(index, _)| cursor(*index));
        self.next.is_none()
    }

    fn describe(
        &self,
        topic: &TopicImage,
        index: PartitionIndex,
        partition: &PartitionImage,
    ) -> DescribeTopicPartitionsResponsePartition {
        let (leader, offline) =
            leader_and_offline(self.broker, self.image, (topic, index), partition);
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index.get())
            .with_leader_id(broker_id(leader))
            .with_leader_epoch(partition.leader_epoch.get())
            .with_replica_nodes(broker_ids(&partition.replicas))
            .with_isr_nodes(broker_ids(&partition.isr))
            .with_eligible_leader_replicas(Some(broker_ids(&partition.eligible)))
            .with_last_known_elr(Some(broker_ids(&partition.last_known_eligible)))
            .with_offline_replicas(broker_ids(&offline))
    }
}

fn entry(
    found: &TopicImage,
    operations: i32,
    partitions: Vec<DescribeTopicPartitionsResponsePartition>,
) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(topic(&found.name)))
        .with_topic_id(found.id)
        .with_is_internal(topic_name::is_internal(&found.name))
        .with_topic_authorized_operations(operations)
        .with_partitions(partitions)
}
