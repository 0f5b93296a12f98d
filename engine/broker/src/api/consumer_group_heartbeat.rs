//! ConsumerGroupHeartbeat 0–1 (KIP-848): a member says what it owns and wants,
//! and is told what it should own. From version 1 the client names the member.
//! Patterns are resolved for the group as a whole, so only a client that may
//! describe every topic subscribes by one.

use super::join_group::client;
use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::convert::text;
use crate::groups::code_of;
use crate::outcome::{Outcome, Response};
use crate::request::{Envelope, Request};
use kafka_protocol::messages::consumer_group_heartbeat_request::{
    ConsumerGroupHeartbeatRequest, TopicPartitions as Owned,
};
use kafka_protocol::messages::consumer_group_heartbeat_response::{
    Assignment, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use plimsoll_cluster::{AclOperation, WILDCARD};
use plimsoll_coordinator::command::ConsumerHeartbeat;
use plimsoll_coordinator::reply::ConsumerHeartbeatReply;
use plimsoll_coordinator::{Command, GroupId, InstanceId, MemberId, Reply};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::PartitionIndex;
use std::time::Duration;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: ConsumerGroupHeartbeatRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let access = request.access(broker);
    if let Err(code) = may_join(&access, &query) {
        return Outcome::Ready(respond(request.envelope, Err(code)));
    }
    let words = |words: &kafka_protocol::protocol::StrBytes| words.to_string();
    let owned = |owned: &Owned| {
        (
            owned.topic_id,
            owned
                .partitions
                .iter()
                .copied()
                .map(PartitionIndex)
                .collect(),
        )
    };
    // Unchanged fields are null, an unchanged timeout is -1.
    let rebalance_ms = u64::try_from(query.rebalance_timeout_ms).ok();
    let heartbeat = ConsumerHeartbeat {
        group: GroupId::from(query.group_id.0.as_str()),
        member: MemberId::from(query.member_id.as_str()),
        member_id_required: request.version() >= 1,
        epoch: query.member_epoch,
        instance: query
            .instance_id
            .as_ref()
            .map(|id| InstanceId::from(id.as_str())),
        rack: query.rack_id.as_ref().map(words),
        rebalance_timeout: rebalance_ms.map(Duration::from_millis),
        topics: query
            .subscribed_topic_names
            .as_ref()
            .map(|names| names.iter().map(|name| name.0.to_string()).collect()),
        regex: query.subscribed_topic_regex.as_ref().map(words),
        assignor: query.server_assignor.as_ref().map(words),
        owned: query
            .topic_partitions
            .as_ref()
            .map(|all| all.iter().map(owned).collect()),
        client: client(&request),
    };
    let command = Command::ConsumerHeartbeat(heartbeat);
    broker.coordinate(&request, &query.group_id.0, command, respond)
}

/// Whether a client may be a member of the group and see what it subscribes to.
fn may_join(access: &Access, query: &ConsumerGroupHeartbeatRequest) -> Result<(), ErrorCode> {
    access.check(AclOperation::Read, Guarded::Group(&query.group_id.0))?;
    let mut named = query.subscribed_topic_names.iter().flatten();
    let sees = |topic: &str| access.check(AclOperation::Describe, Guarded::Topic(topic));
    named.try_for_each(|name| sees(&name.0))?;
    match &query.subscribed_topic_regex {
        Some(pattern) if !pattern.is_empty() => sees(WILDCARD),
        _ => Ok(()),
    }
}

fn respond(envelope: Envelope, reply: Result<Reply, ErrorCode>) -> Response {
    let refused = |code: ErrorCode, words: String| {
        ConsumerGroupHeartbeatResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(text(words)))
    };
    let response = match reply {
        Ok(Reply::ConsumerHeartbeat(Ok(reply))) => answer(reply),
        Ok(Reply::ConsumerHeartbeat(Err(why))) => refused(code_of(why), why.to_string()),
        Ok(_) => refused(
            ErrorCode::UnknownServerError,
            "not a heartbeat's reply".into(),
        ),
        Err(code) => refused(code, code.name().to_owned()),
    };
    envelope.encode(&response)
}

fn answer(reply: ConsumerHeartbeatReply) -> ConsumerGroupHeartbeatResponse {
    let interval_ms = i32::try_from(reply.heartbeat_interval.as_millis()).unwrap_or(i32::MAX);
    let assignment = reply.assignment.map(|partitions| {
        let topics = partitions.into_iter().map(|(id, partitions)| {
            TopicPartitions::default()
                .with_topic_id(id)
                .with_partitions(partitions.into_iter().map(PartitionIndex::get).collect())
        });
        Assignment::default().with_topic_partitions(topics.collect())
    });
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(text(reply.member.as_str())))
        .with_member_epoch(reply.epoch)
        .with_heartbeat_interval_ms(interval_ms)
        .with_assignment(assignment)
}
