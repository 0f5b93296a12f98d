//! JoinGroup 0–9: a member asks to be in the next generation, and is answered
//! when that begins. From version 4 a newcomer comes twice, the second time
//! with the id it was given.

use crate::broker::Broker;
use crate::convert::text;
use crate::groups::code_of;
use crate::outcome::{Outcome, Response};
use crate::request::{Envelope, Request};
use kafka_protocol::messages::join_group_request::JoinGroupRequest;
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::protocol::StrBytes;
use plimsoll_coordinator::command::{Client, JoinGroup};
use plimsoll_coordinator::reply::{Joined, JoinedMember};
use plimsoll_coordinator::{Command, GroupId, InstanceId, MemberId, Reply};
use plimsoll_wire::error_code::ErrorCode;
use std::time::Duration;

/// The protocol that nobody has chosen.
const NO_PROTOCOL: &str = "";

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: JoinGroupRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let version = request.version();
    let ms = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let rebalance_ms = if version == 0 {
        query.session_timeout_ms
    } else {
        query.rebalance_timeout_ms
    };
    let protocols = query
        .protocols
        .iter()
        .map(|p| (p.name.to_string(), p.metadata.clone()))
        .collect();
    let join = JoinGroup {
        group: GroupId::from(query.group_id.0.as_str()),
        member: MemberId::from(query.member_id.as_str()),
        instance: query
            .group_instance_id
            .as_ref()
            .map(|id| InstanceId::from(id.as_str())),
        client: client(&request),
        session_timeout: ms(query.session_timeout_ms),
        rebalance_timeout: ms(rebalance_ms),
        protocol_type: query.protocol_type.to_string(),
        protocols,
        member_id_required: version >= 4,
        may_skip_assignment: version >= 9,
    };
    let asked = query.member_id.clone();
    broker.coordinate(
        &request,
        &query.group_id.0,
        Command::Join(join),
        move |envelope, reply| respond(envelope, asked, reply),
    )
}

/// Who sends a request, as group descriptions show it.
pub(crate) fn client(request: &Request<'_>) -> Client {
    let id = request.client_id.unwrap_or_default().to_owned();
    Client {
        id,
        host: request.connection.host(),
    }
}

fn respond(envelope: Envelope, asked: StrBytes, reply: Result<Reply, ErrorCode>) -> Response {
    let response = match reply {
        Ok(Reply::Join(Ok(joined))) => joined_response(envelope.version, joined),
        Ok(Reply::Join(Err(refused))) => refusal(
            envelope.version,
            text(refused.member.as_str()),
            code_of(refused.why),
        ),
        Ok(_) => refusal(envelope.version, asked, ErrorCode::UnknownServerError),
        Err(code) => refusal(envelope.version, asked, code),
    };
    envelope.encode(&response)
}

/// The protocol's name: null was not allowed before version 7.
fn protocol_name(version: i16, name: Option<String>) -> Option<StrBytes> {
    match name {
        Some(name) => Some(text(name)),
        None if version >= 7 => None,
        None => Some(text(NO_PROTOCOL)),
    }
}

fn refusal(version: i16, member: StrBytes, code: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(code.code())
        .with_generation_id(-1)
        .with_protocol_name(protocol_name(version, None))
        .with_member_id(member)
}

fn joined_response(version: i16, joined: Joined) -> JoinGroupResponse {
    let member = |member: JoinedMember| {
        let instance = member.instance.filter(|_| version >= 5);
        JoinGroupResponseMember::default()
            .with_member_id(text(member.member.as_str()))
            .with_group_instance_id(instance.map(|id| text(id.as_str())))
            .with_metadata(member.metadata)
    };
    let protocol_type = joined.protocol_type.filter(|_| version >= 7);
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(protocol_type.map(text))
        .with_protocol_name(protocol_name(version, joined.protocol))
        .with_leader(text(joined.leader.as_str()))
        .with_skip_assignment(version >= 9 && joined.skip_assignment)
        .with_member_id(text(joined.member.as_str()))
        .with_members(joined.members.into_iter().map(member).collect())
}
