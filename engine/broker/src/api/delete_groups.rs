//! DeleteGroups 0–2: groups without members are forgotten, offsets and all.

use crate::broker::Broker;
use crate::groups::code_of;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use kafka_protocol::messages::delete_groups_response::{
    DeletableGroupResult, DeleteGroupsResponse,
};
use plimsoll_coordinator::{Command, GroupId, Reply};
use plimsoll_wire::error_code::ErrorCode;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DeleteGroupsRequest| {
        let results = query.groups_names.iter().map(|group| {
            let command = Command::DeleteGroup(GroupId::from(group.0.as_str()));
            let code = match broker.coordinate_now(&group.0, command, request.now) {
                Ok(Reply::DeleteGroup(outcome)) => outcome.err().map_or(ErrorCode::None, code_of),
                Ok(_) => ErrorCode::UnknownServerError,
                Err(code) => code,
            };
            DeletableGroupResult::default()
                .with_group_id(group.clone())
                .with_error_code(code.code())
        });
        DeleteGroupsResponse::default().with_results(results.collect())
    })
}
