//! DeleteGroups 0–2: groups without members are forgotten, offsets and all.

use crate::broker::Broker;
use crate::groups::{Question, code_of};
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use kafka_protocol::messages::delete_groups_response::{
    DeletableGroupResult, DeleteGroupsResponse,
};
use plimsoll_coordinator::{Command, GroupId, Reply};
use plimsoll_wire::error_code::ErrorCode;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: DeleteGroupsRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let groups = query.groups_names.clone();
    let questions = query.groups_names.iter().map(|group| Question {
        group: &group.0,
        command: Command::DeleteGroup(GroupId::from(group.0.as_str())),
    });
    broker.coordinate_all(&request, questions, move |envelope, answers| {
        let results = groups.into_iter().zip(answers).map(|(group, answer)| {
            let code = match answer {
                Ok(Reply::DeleteGroup(outcome)) => outcome.err().map_or(ErrorCode::None, code_of),
                Ok(_) => ErrorCode::UnknownServerError,
                Err(code) => code,
            };
            DeletableGroupResult::default()
                .with_group_id(group)
                .with_error_code(code.code())
        });
        envelope.encode(&DeleteGroupsResponse::default().with_results(results.collect()))
    })
}
