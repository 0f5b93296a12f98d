//! SyncGroup 0–5: the leader brings everyone's assignment, each member is
//! answered with its own once the leader has.

use crate::broker::Broker;
use crate::convert::text;
use crate::groups::code_of;
use crate::outcome::{Outcome, Response};
use crate::request::{Envelope, Request};
use kafka_protocol::messages::sync_group_request::SyncGroupRequest;
use kafka_protocol::messages::sync_group_response::SyncGroupResponse;
use kafka_protocol::protocol::StrBytes;
use plimsoll_coordinator::command::SyncGroup;
use plimsoll_coordinator::{Command, GroupId, InstanceId, MemberId, Reply};
use plimsoll_wire::error_code::ErrorCode;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: SyncGroupRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let named = |name: &Option<StrBytes>| name.as_ref().map(|name| name.to_string());
    // From version 5 a member says what it believes the group has agreed on.
    if request.version() >= 5 && (query.protocol_type.is_none() || query.protocol_name.is_none()) {
        let code = ErrorCode::InconsistentGroupProtocol;
        return Outcome::Ready(respond(request.envelope, Err(code)));
    }
    let assignments = query.assignments.iter();
    let sync = SyncGroup {
        group: GroupId::from(query.group_id.0.as_str()),
        generation: query.generation_id,
        member: MemberId::from(query.member_id.as_str()),
        instance: query
            .group_instance_id
            .as_ref()
            .map(|id| InstanceId::from(id.as_str())),
        protocol_type: named(&query.protocol_type),
        protocol: named(&query.protocol_name),
        assignments: assignments
            .map(|a| (MemberId::from(a.member_id.as_str()), a.assignment.clone()))
            .collect(),
    };
    broker.coordinate(&request, &query.group_id.0, Command::Sync(sync), respond)
}

fn respond(envelope: Envelope, reply: Result<Reply, ErrorCode>) -> Response {
    let answer = SyncGroupResponse::default();
    let response = match reply {
        Ok(Reply::Sync(Ok(synced))) => {
            let named = |name: Option<String>| name.filter(|_| envelope.version >= 5).map(text);
            answer
                .with_protocol_type(named(synced.protocol_type))
                .with_protocol_name(named(synced.protocol))
                .with_assignment(synced.assignment)
        }
        Ok(Reply::Sync(Err(why))) => answer.with_error_code(code_of(why).code()),
        Ok(_) => answer.with_error_code(ErrorCode::UnknownServerError.code()),
        Err(code) => answer.with_error_code(code.code()),
    };
    envelope.encode(&response)
}
