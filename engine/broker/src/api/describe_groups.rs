//! DescribeGroups 0–6: classic groups with their members. A group that does not
//! exist is shown as dead; from version 6 with an error.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::groups::code_of;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::GroupId as WireGroupId;
use kafka_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::reply::DescribedMember;
use plimsoll_coordinator::{GroupId, Refusal};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeGroupsRequest| {
        let version = request.version();
        let wanted = version >= 3 && query.include_authorized_operations;
        let access = request.access(broker);
        let groups = query.groups.iter().map(|group| {
            let guarded = Guarded::Group(&group.0);
            if let Err(code) = access.check(AclOperation::Describe, guarded) {
                return refused(group, code);
            }
            describe(broker, version, group, request.now)
                .with_authorized_operations(access.operations_if(wanted, guarded))
        });
        DescribeGroupsResponse::default().with_groups(groups.collect())
    })
}

fn refused(group: &WireGroupId, code: ErrorCode) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(group.clone())
        .with_error_code(code.code())
}

fn describe(broker: &Broker, version: i16, group: &WireGroupId, now: Now) -> DescribedGroup {
    let answer = DescribedGroup::default().with_group_id(group.clone());
    let id = GroupId::from(group.0.as_str());
    let looked = broker.look_at_group(&group.0, now, |groups| groups.describe(&id));
    match looked {
        Err(code) => refused(group, code),
        Ok(Err(Refusal::GroupIdNotFound)) => {
            let dead = answer.with_group_state(text("Dead"));
            if version < 6 {
                return dead;
            }
            dead.with_error_code(ErrorCode::GroupIdNotFound.code())
                .with_error_message(Some(text(format!("group {} does not exist", group.0))))
        }
        Ok(Err(why)) => answer.with_error_code(code_of(why).code()),
        Ok(Ok(found)) => answer
            .with_group_state(text(found.state))
            .with_protocol_type(text(found.protocol_type))
            .with_protocol_data(text(found.protocol))
            .with_members(
                found
                    .members
                    .into_iter()
                    .map(|m| member(version, m))
                    .collect(),
            ),
    }
}

fn member(version: i16, member: DescribedMember) -> DescribedGroupMember {
    let instance = member.instance.filter(|_| version >= 4);
    DescribedGroupMember::default()
        .with_member_id(text(member.member.as_str()))
        .with_group_instance_id(instance.map(|id| text(id.as_str())))
        .with_client_id(text(member.client_id))
        .with_client_host(text(member.client_host))
        .with_member_metadata(member.metadata)
        .with_member_assignment(member.assignment)
}
