//! OffsetDelete 0: a group's progress in some partitions is forgotten.

use super::committing::code_in;
use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::groups::code_of;
use crate::outcome::{Outcome, Response};
use crate::replies::Answer;
use crate::request::{Envelope, Request};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::command::OffsetDelete;
use plimsoll_coordinator::{Command, GroupId, Reply, TopicName};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::PartitionIndex;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: OffsetDeleteRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let image = broker.image();
    let access = request.access(broker);
    let topics = query.topics.iter().map(|topic| {
        let known = image
            .topic(&topic.name.0)
            .filter(|topic| may_read(&access, &topic.name));
        let indexes = topic
            .partitions
            .iter()
            .map(|p| PartitionIndex(p.partition_index));
        let exists =
            |index: &PartitionIndex| known.is_some_and(|t| t.partitions.contains_key(index));
        (
            TopicName::from(topic.name.0.as_str()),
            indexes.filter(exists).collect(),
        )
    });
    let delete = OffsetDelete {
        group: GroupId::from(query.group_id.0.as_str()),
        topics: topics.collect(),
    };
    let asked = query.topics;
    let judge = access.clone();
    broker.coordinate(
        &request,
        &query.group_id.0,
        Command::DeleteOffsets(delete),
        move |envelope, reply| respond(envelope, &judge, &asked, reply),
    )
}

fn may_read(access: &Access, topic: &str) -> bool {
    access.allows(AclOperation::Read, Guarded::Topic(topic))
}

fn respond(
    envelope: Envelope,
    access: &Access,
    asked: &[OffsetDeleteRequestTopic],
    reply: Answer<Reply>,
) -> Response {
    let results = match reply {
        Ok(Reply::DeleteOffsets(results)) => results.map_err(code_of),
        Ok(_) => Err(ErrorCode::UnknownServerError),
        Err(code) => Err(code),
    };
    let response = OffsetDeleteResponse::default();
    let results = match results {
        Err(code) => return envelope.encode(&response.with_error_code(code.code())),
        Ok(results) => results,
    };
    let topics = asked.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let name = topic.name.0.as_str();
            let code = if may_read(access, name) {
                code_in(&results, name, index)
            } else {
                Guarded::Topic(name).refusal().code()
            };
            OffsetDeleteResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code)
        });
        OffsetDeleteResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    envelope.encode(&response.with_topics(topics.collect()))
}
