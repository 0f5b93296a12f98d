//! ListGroups 0–5: the groups of this node, from version 4 those in some
//! states, from 5 those of some types. A client that may not describe the
//! cluster is told of the groups that it may describe.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::list_groups_request::ListGroupsRequest;
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use kafka_protocol::protocol::StrBytes;
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::command::GroupFilter;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: ListGroupsRequest| {
        let version = request.version();
        let words = |words: &[StrBytes]| words.iter().map(|word| word.to_string()).collect();
        let filter = GroupFilter {
            states: words(&query.states_filter),
            types: words(&query.types_filter),
        };
        let access = request.access(broker);
        let all = access.allows(AclOperation::Describe, Guarded::Cluster);
        let may_see =
            |group: &str| all || access.allows(AclOperation::Describe, Guarded::Group(group));
        let mut groups = Vec::new();
        broker.look_at_groups(request.now, |coordinator| {
            let listed = coordinator.list(&filter).into_iter();
            let listed = listed.filter(|group| may_see(group.group.as_str()));
            groups.extend(listed.map(|group| {
                let state = if version >= 4 { group.state } else { "" };
                let kind = if version >= 5 { group.kind } else { "" };
                ListedGroup::default()
                    .with_group_id(GroupId(text(group.group.as_str())))
                    .with_protocol_type(text(group.protocol_type))
                    .with_group_state(text(state))
                    .with_group_type(text(kind))
            }));
        });
        ListGroupsResponse::default().with_groups(groups)
    })
}
