//! LeaveGroup 0–5: one member goes, or from version 3 several.

use crate::broker::Broker;
use crate::convert::text;
use crate::groups::code_of;
use crate::outcome::{Outcome, Response};
use crate::request::{Envelope, Request};
use kafka_protocol::messages::leave_group_request::LeaveGroupRequest;
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use plimsoll_coordinator::command::{LeaveGroup, LeavingMember};
use plimsoll_coordinator::{Command, GroupId, InstanceId, MemberId, Refusal, Reply};
use plimsoll_wire::error_code::ErrorCode;

/// The first version in which several members go at once.
const SEVERAL: i16 = 3;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: LeaveGroupRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let members = if request.version() >= SEVERAL {
        let member = |member: &kafka_protocol::messages::leave_group_request::MemberIdentity| {
            let instance = member.group_instance_id.as_ref();
            LeavingMember {
                member: MemberId::from(member.member_id.as_str()),
                instance: instance.map(|id| InstanceId::from(id.as_str())),
            }
        };
        query.members.iter().map(member).collect()
    } else {
        vec![LeavingMember {
            member: MemberId::from(query.member_id.as_str()),
            instance: None,
        }]
    };
    let leave = LeaveGroup {
        group: GroupId::from(query.group_id.0.as_str()),
        members,
    };
    broker.coordinate(&request, &query.group_id.0, Command::Leave(leave), respond)
}

fn respond(envelope: Envelope, reply: Result<Reply, ErrorCode>) -> Response {
    let answer = LeaveGroupResponse::default();
    let code = |outcome: Result<(), Refusal>| outcome.err().map_or(ErrorCode::None, code_of).code();
    let response = match reply {
        Ok(Reply::Leave(Ok(members))) if envelope.version >= SEVERAL => {
            let member = |(member, outcome): (LeavingMember, Result<(), Refusal>)| {
                MemberResponse::default()
                    .with_member_id(text(member.member.as_str()))
                    .with_group_instance_id(member.instance.map(|id| text(id.as_str())))
                    .with_error_code(code(outcome))
            };
            answer.with_members(members.into_iter().map(member).collect())
        }
        Ok(Reply::Leave(Ok(members))) => {
            let outcome = members
                .into_iter()
                .next()
                .map_or(Ok(()), |(_, outcome)| outcome);
            answer.with_error_code(code(outcome))
        }
        Ok(Reply::Leave(Err(why))) => answer.with_error_code(code_of(why).code()),
        Ok(_) => answer.with_error_code(ErrorCode::UnknownServerError.code()),
        Err(code) => answer.with_error_code(code.code()),
    };
    envelope.encode(&response)
}
