//! ConsumerGroupDescribe 0–1 (KIP-848): groups of the newer protocol with what
//! their members own and should own. Version 1 tells the members' protocols.

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::convert::{text, topic};
use crate::groups::code_of;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment, ConsumerGroupDescribeResponse, DescribedGroup, Member, TopicPartitions,
};
use kafka_protocol::messages::{GroupId as WireGroupId, TopicName};
use plimsoll_cluster::{AclOperation, Image};
use plimsoll_coordinator::schema::Partitions;
use plimsoll_coordinator::{DescribedConsumer, GroupId};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::PartitionIndex;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: ConsumerGroupDescribeRequest| {
        let wanted = query.include_authorized_operations;
        let access = request.access(broker);
        let groups = query.group_ids.iter().map(|group| {
            let guarded = Guarded::Group(&group.0);
            if let Err(code) = access.check(AclOperation::Describe, guarded) {
                return DescribedGroup::default()
                    .with_group_id(group.clone())
                    .with_error_code(code.code());
            }
            let described = describe(broker, request.version(), group, request.now)
                .with_authorized_operations(access.operations_if(wanted, guarded));
            without_hidden(&access, described)
        });
        ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
    })
}

/// A group whose members read a topic that the client may not see is not shown
/// at all, as its members would tell of the topic.
fn without_hidden(access: &Access, group: DescribedGroup) -> DescribedGroup {
    let may_see = |one: &TopicPartitions| {
        one.topic_name.0.is_empty()
            || access.allows(AclOperation::Describe, Guarded::Topic(&one.topic_name.0))
    };
    let sees_all = group.members.iter().all(|member| {
        let both = [&member.assignment, &member.target_assignment];
        both.into_iter()
            .flat_map(|one| &one.topic_partitions)
            .all(may_see)
    });
    if sees_all {
        return group;
    }
    let words = "the group has members with topics that the client may not describe";
    DescribedGroup::default()
        .with_group_id(group.group_id)
        .with_error_code(ErrorCode::TopicAuthorizationFailed.code())
        .with_error_message(Some(text(words)))
}

fn describe(broker: &Broker, version: i16, group: &WireGroupId, now: Now) -> DescribedGroup {
    let answer = DescribedGroup::default().with_group_id(group.clone());
    let id = GroupId::from(group.0.as_str());
    let looked = broker.look_at_group(&group.0, now, |groups| groups.describe_consumer(&id));
    let found = match looked {
        Err(code) => return answer.with_error_code(code.code()),
        Ok(Err(why)) => {
            let words = format!("group {}: {why}", group.0);
            return answer
                .with_error_code(code_of(why).code())
                .with_error_message(Some(text(words)));
        }
        Ok(Ok(found)) => found,
    };
    let image = broker.image();
    answer
        .with_group_state(text(found.state))
        .with_group_epoch(found.epoch)
        .with_assignment_epoch(found.target_epoch)
        .with_assignor_name(text(found.assignor))
        .with_members(
            found
                .members
                .into_iter()
                .map(|m| member(&image, version, m))
                .collect(),
        )
}

fn member(image: &Image, version: i16, member: DescribedConsumer) -> Member {
    const CLASSIC: i8 = 0;
    const CONSUMER: i8 = 1;
    let names = member.topics.iter().map(|name| topic(name));
    let answer = Member::default()
        .with_member_id(text(member.member.as_str()))
        .with_instance_id(member.instance.map(|id| text(id.as_str())))
        .with_rack_id(member.rack.map(text))
        .with_member_epoch(member.epoch)
        .with_client_id(text(member.client_id))
        .with_client_host(text(member.client_host))
        .with_subscribed_topic_names(names.collect::<Vec<TopicName>>())
        .with_subscribed_topic_regex(member.regex.map(text))
        .with_assignment(assignment(image, &member.assigned))
        .with_target_assignment(assignment(image, &member.target));
    if version >= 1 {
        answer.with_member_type(if member.is_classic { CLASSIC } else { CONSUMER })
    } else {
        answer
    }
}

fn assignment(image: &Image, partitions: &Partitions) -> Assignment {
    let topics = partitions.iter().map(|(id, partitions)| {
        let name = image.topic_by_id(*id).map_or("", |topic| &*topic.name);
        TopicPartitions::default()
            .with_topic_id(*id)
            .with_topic_name(topic(name))
            .with_partitions(
                partitions
                    .iter()
                    .copied()
                    .map(PartitionIndex::get)
                    .collect(),
            )
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
