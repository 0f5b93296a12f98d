//! ListPartitionReassignments 0: the partitions that are being moved.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::{broker_ids, text, topic};
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use kafka_protocol::messages::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use plimsoll_cluster::{AclOperation, TopicImage};
use plimsoll_wire::types::PartitionIndex;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: ListPartitionReassignmentsRequest| {
        let permitted = request
            .access(broker)
            .check(AclOperation::Describe, Guarded::Cluster);
        if let Err(code) = permitted {
            return ListPartitionReassignmentsResponse::default()
                .with_error_code(code.code())
                .with_error_message(Some(text(code.name())));
        }
        let image = broker.image();
        let asked = |name: &str, index: PartitionIndex| {
            query.topics.as_ref().is_none_or(|topics| {
                let named = topics.iter().filter(|topic| topic.name.0.as_str() == name);
                named
                    .flat_map(|topic| &topic.partition_indexes)
                    .any(|asked| *asked == index.get())
            })
        };
        let ongoing = |found: &std::sync::Arc<TopicImage>| {
            let moving = found.partitions.iter().filter(|(index, partition)| {
                let moves = !(partition.adding.is_empty() && partition.removing.is_empty());
                moves && asked(&found.name, **index)
            });
            let partitions: Vec<_> = moving
                .map(|(index, partition)| {
                    OngoingPartitionReassignment::default()
                        .with_partition_index(index.get())
                        .with_replicas(broker_ids(&partition.replicas))
                        .with_adding_replicas(broker_ids(&partition.adding))
                        .with_removing_replicas(broker_ids(&partition.removing))
                })
                .collect();
            (!partitions.is_empty()).then(|| {
                OngoingTopicReassignment::default()
                    .with_name(topic(&found.name))
                    .with_partitions(partitions)
            })
        };
        let topics = image.topics().filter_map(ongoing).collect();
        ListPartitionReassignmentsResponse::default().with_topics(topics)
    })
}
