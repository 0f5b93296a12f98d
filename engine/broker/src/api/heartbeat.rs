//! Heartbeat 0–4: a member of a classic group says that it lives.

use crate::broker::Broker;
use crate::groups::code_of;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::HeartbeatResponse;
use kafka_protocol::messages::heartbeat_request::HeartbeatRequest;
use plimsoll_coordinator::command::Heartbeat;
use plimsoll_coordinator::{Command, GroupId, InstanceId, MemberId, Reply};
use plimsoll_wire::error_code::ErrorCode;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: HeartbeatRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let heartbeat = Heartbeat {
        group: GroupId::from(query.group_id.0.as_str()),
        generation: query.generation_id,
        member: MemberId::from(query.member_id.as_str()),
        instance: query
            .group_instance_id
            .as_ref()
            .map(|id| InstanceId::from(id.as_str())),
    };
    let command = Command::Heartbeat(heartbeat);
    broker.coordinate(&request, &query.group_id.0, command, |envelope, reply| {
        let code = match reply {
            Ok(Reply::Heartbeat(outcome)) => outcome.err().map_or(ErrorCode::None, code_of),
            Ok(_) => ErrorCode::UnknownServerError,
            Err(code) => code,
        };
        envelope.encode(&HeartbeatResponse::default().with_error_code(code.code()))
    })
}
