//! Classic groups and their offsets.

use crate::support::{World, read};
use bytes::Bytes;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, DeleteGroupsRequest, DeleteGroupsResponse,
    DescribeGroupsRequest, DescribeGroupsResponse, FindCoordinatorResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, MetadataRequest, MetadataResponse,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest, SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::{Outcome, Parked};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use std::time::Duration;

pub fn text(words: &str) -> StrBytes {
    StrBytes::from_string(words.to_owned())
}

/// The group of these tests.
pub const GROUP: &str = "readers";

pub fn group() -> GroupId {
    GroupId(text(GROUP))
}

pub fn orders() -> TopicName {
    TopicName(text("orders"))
}

/// A world with the topic `orders`, and groups that begin at once.
pub fn world() -> World {
    let mut world = World::with(&[
        ("group.initial.rebalance.delay.ms", "0"),
        ("offsets.topic.num.partitions", "3"),
    ]);
    let topic = MetadataRequestTopic::default().with_name(Some(orders()));
    let query = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true);
    let _: MetadataResponse = world.ask(ApiKey::Metadata, 9, &query);
    world
}

fn join_query(version: i16, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"\0\0\0\0\0\0\xff\xff\xff\xff"));
    let query = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(10_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    if version >= 1 {
        query.with_rebalance_timeout_ms(20_000)
    } else {
        query
    }
}

fn try_join(world: &mut World, version: i16, member: &str) -> Result<JoinGroupResponse, Parked> {
    match world.send_message(ApiKey::JoinGroup, version, &join_query(version, member)) {
        Outcome::Ready(response) => Ok(read(ApiKey::JoinGroup, version, &response)),
        Outcome::Parked(parked) => Err(parked),
        other => panic!("a join is answered sooner or later: {other:?}"),
    }
}

fn answered(world: &World, version: i16, parked: &mut Parked) -> JoinGroupResponse {
    let response = world.poll(parked).expect("it has its answer");
    read(ApiKey::JoinGroup, version, &response)
}

/// Joins as a new member, twice where the version asks for it.
pub fn join(world: &mut World, version: i16) -> JoinGroupResponse {
    let mut first = match try_join(world, version, "") {
        Ok(first) => first,
        Err(mut parked) => answered(world, version, &mut parked),
    };
    if version >= 4 {
        assert_eq!(first.error_code, ErrorCode::MemberIdRequired.code());
        let member = first.member_id.to_string();
        first = match try_join(world, version, &member) {
            Ok(second) => second,
            Err(mut parked) => answered(world, version, &mut parked),
        };
    }
    assert_eq!(
        (first.error_code, first.generation_id),
        (0, 1),
        "join {version}"
    );
    first
}

pub fn sync(world: &mut World, version: i16, joined: &JoinGroupResponse) -> SyncGroupResponse {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from_static(b"all of it"));
    let mut query = SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![assignment]);
    if version >= 5 {
        query = query
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")));
    }
    world.ask(ApiKey::SyncGroup, version, &query)
}

fn heartbeat(world: &mut World, version: i16, member: &StrBytes, generation: i32) -> ErrorCode {
    heartbeat_in(world, version, GROUP, member, generation)
}

pub fn heartbeat_in(
    world: &mut World,
    version: i16,
    group: &str,
    member: &StrBytes,
    generation: i32,
) -> ErrorCode {
    let query = HeartbeatRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id(generation)
        .with_member_id(member.clone());
    let response: HeartbeatResponse = world.ask(ApiKey::Heartbeat, version, &query);
    ErrorCode::try_from(response.error_code).expect("a known code")
}

#[test]
fn a_member_joins_syncs_beats_and_leaves_in_every_version() {
    for version in 0..=9 {
        let mut world = world();
        let joined = join(&mut world, version);
        assert_eq!(joined.leader, joined.member_id);
        assert_eq!(joined.members.len(), 1, "the leader sees the members");
        let synced = sync(&mut world, version.min(5), &joined);
        assert_eq!(synced.error_code, 0);
        assert_eq!(synced.assignment.as_ref(), b"all of it");
        let member = joined.member_id;
        let beat = version.min(4);
        assert_eq!(heartbeat(&mut world, beat, &member, 1), ErrorCode::None);
        assert_eq!(
            heartbeat(&mut world, beat, &member, 7),
            ErrorCode::IllegalGeneration
        );
        assert_eq!(
            heartbeat(&mut world, beat, &text("x"), 1),
            ErrorCode::UnknownMemberId
        );
        let leave = LeaveGroupRequest::default().with_group_id(group());
        let leave = if version.min(5) >= 3 {
            leave.with_members(vec![
                MemberIdentity::default().with_member_id(member.clone()),
            ])
        } else {
            leave.with_member_id(member.clone())
        };
        let left: LeaveGroupResponse = world.ask(ApiKey::LeaveGroup, version.min(5), &leave);
        assert_eq!(left.error_code, 0);
        assert_eq!(
            heartbeat(&mut world, beat, &member, 1),
            ErrorCode::UnknownMemberId
        );
    }
}

#[test]
fn a_second_member_makes_the_first_join_again() {
    let mut world = world();
    let first = join(&mut world, 3);
    sync(&mut world, 3, &first);
    let Err(mut second) = try_join(&mut world, 3, "") else {
        panic!("the second waits for the first");
    };
    let member = first.member_id;
    assert_eq!(
        heartbeat(&mut world, 3, &member, 1),
        ErrorCode::RebalanceInProgress
    );
    assert!(world.poll(&mut second).is_none());
    let rung = world.bell.rung();
    let again = match try_join(&mut world, 3, &member) {
        Ok(again) => again,
        Err(mut parked) => answered(&world, 3, &mut parked),
    };
    assert!(world.bell.rung() > rung, "the second is told");
    let second = answered(&world, 3, &mut second);
    assert_eq!((again.generation_id, second.generation_id), (2, 2));
    assert_eq!(
        again.members.len() + second.members.len(),
        2,
        "only the leader sees members"
    );
}

#[test]
fn a_silent_member_loses_its_place_in_time() {
    let mut world = world();
    let first = join(&mut world, 3);
    sync(&mut world, 3, &first);
    world.broker.tick(world.now);
    world.pass(Duration::from_secs(11));
    let next = world.broker.tick(world.now);
    assert!(next > world.now.mono);
    assert_eq!(
        heartbeat(&mut world, 3, &first.member_id, 1),
        ErrorCode::UnknownMemberId
    );
}

fn commit(world: &mut World, version: i16, topic: &str, partition: i32, offset: i64) -> ErrorCode {
    let place = (topic, partition);
    commit_in(world, version, GROUP, ("", -1), place, (offset, "note"))
}

/// A member in its generation commits an offset with a note.
pub fn commit_in(
    world: &mut World,
    version: i16,
    group: &str,
    (member, generation): (&str, i32),
    (topic, partition): (&str, i32),
    (offset, note): (i64, &str),
) -> ErrorCode {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text(note)));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    let query = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(text(member))
        .with_topics(vec![topic]);
    let response: OffsetCommitResponse = world.ask(ApiKey::OffsetCommit, version, &query);
    let code = response.topics[0].partitions[0].error_code;
    ErrorCode::try_from(code).expect("a known code")
}

fn committed(world: &mut World, version: i16) -> i64 {
    if version >= 8 {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(orders())
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(group())
            .with_topics(Some(vec![topic]));
        let group = if version >= 9 {
            group.with_member_epoch(-1)
        } else {
            group
        };
        let query = OffsetFetchRequest::default().with_groups(vec![group]);
        let response: OffsetFetchResponse = world.ask(ApiKey::OffsetFetch, version, &query);
        assert_eq!(response.groups[0].error_code, 0);
        return response.groups[0].topics[0].partitions[0].committed_offset;
    }
    let topic = OffsetFetchRequestTopic::default()
        .with_name(orders())
        .with_partition_indexes(vec![0]);
    let query = OffsetFetchRequest::default()
        .with_group_id(group())
        .with_topics(Some(vec![topic]));
    let response: OffsetFetchResponse = world.ask(ApiKey::OffsetFetch, version, &query);
    assert_eq!(response.error_code, 0);
    response.topics[0].partitions[0].committed_offset
}

#[test]
fn offsets_are_committed_and_fetched_in_every_version_and_outlive_the_broker() {
    let mut world = world();
    assert_eq!(committed(&mut world, 5), -1);
    let mut offset = 0;
    for version in 2..=9 {
        offset += 10;
        assert_eq!(
            commit(&mut world, version, "orders", 0, offset),
            ErrorCode::None
        );
        for fetched in 1..=9 {
            assert_eq!(
                committed(&mut world, fetched),
                offset,
                "{version} {fetched}"
            );
        }
    }
    let missing = commit(&mut world, 9, "missing", 0, 5);
    assert_eq!(missing, ErrorCode::UnknownTopicOrPartition);
    let beyond = commit(&mut world, 9, "orders", 5, 5);
    assert_eq!(beyond, ErrorCode::UnknownTopicOrPartition);
    for clean in [true, false] {
        world.restart(clean);
        assert_eq!(committed(&mut world, 8), offset);
    }
}

#[test]
fn all_of_a_groups_offsets_are_fetched_when_no_topic_is_named() {
    let mut world = world();
    commit(&mut world, 9, "orders", 0, 7);
    for version in 2..=7 {
        let query = OffsetFetchRequest::default()
            .with_group_id(group())
            .with_topics(None);
        let response: OffsetFetchResponse = world.ask(ApiKey::OffsetFetch, version, &query);
        assert_eq!(response.topics[0].partitions[0].committed_offset, 7);
    }
}

#[test]
fn offsets_and_groups_are_deleted() {
    let mut world = world();
    commit(&mut world, 9, "orders", 0, 7);
    let delete_offset = |partition| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(partition);
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(orders())
            .with_partitions(vec![partition]);
        OffsetDeleteRequest::default()
            .with_group_id(group())
            .with_topics(vec![topic])
    };
    let deleted: OffsetDeleteResponse = world.ask(ApiKey::OffsetDelete, 0, &delete_offset(0));
    assert_eq!(
        (
            deleted.error_code,
            deleted.topics[0].partitions[0].error_code
        ),
        (0, 0)
    );
    assert_eq!(committed(&mut world, 8), -1);
    let missing: OffsetDeleteResponse = world.ask(ApiKey::OffsetDelete, 0, &delete_offset(9));
    let code = missing.topics[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicOrPartition.code());
    for version in 0..=2 {
        commit(&mut world, 9, "orders", 0, 7);
        let query = DeleteGroupsRequest::default().with_groups_names(vec![group()]);
        let mut codes = || {
            let response: DeleteGroupsResponse = world.ask(ApiKey::DeleteGroups, version, &query);
            response.results[0].error_code
        };
        assert_eq!(codes(), 0);
        assert_eq!(codes(), ErrorCode::GroupIdNotFound.code());
        assert_eq!(committed(&mut world, 8), -1);
    }
}

#[test]
fn groups_are_listed_and_described_in_every_version() {
    let mut world = world();
    let joined = join(&mut world, 9);
    sync(&mut world, 5, &joined);
    for version in 0..=5 {
        let query = ListGroupsRequest::default();
        let response: ListGroupsResponse = world.ask(ApiKey::ListGroups, version, &query);
        let group = &response.groups[0];
        assert_eq!(
            (response.groups.len(), group.group_id.0.as_str()),
            (1, "readers")
        );
        assert_eq!(
            group.group_state.as_str(),
            if version >= 4 { "Stable" } else { "" }
        );
    }
    let empty = ListGroupsRequest::default().with_states_filter(vec![text("Empty")]);
    let response: ListGroupsResponse = world.ask(ApiKey::ListGroups, 4, &empty);
    assert!(response.groups.is_empty());
    for version in 0..=6 {
        let groups = vec![group(), GroupId(text("missing"))];
        let query = DescribeGroupsRequest::default().with_groups(groups);
        let response: DescribeGroupsResponse = world.ask(ApiKey::DescribeGroups, version, &query);
        let (found, missing) = (&response.groups[0], &response.groups[1]);
        assert_eq!(
            (found.group_state.as_str(), found.members.len()),
            ("Stable", 1)
        );
        assert_eq!(found.members[0].client_host.as_str(), "/127.0.0.1");
        assert_eq!(found.members[0].client_id.as_str(), "tests");
        let expected = if version >= 6 {
            ErrorCode::GroupIdNotFound
        } else {
            ErrorCode::None
        };
        assert_eq!(
            (missing.group_state.as_str(), missing.error_code),
            ("Dead", expected.code())
        );
    }
}

#[test]
fn the_coordinator_is_found_in_every_version() {
    let mut world = world();
    for version in 0..=6 {
        let query = FindCoordinatorRequest::default();
        let query = if version >= 4 {
            query.with_coordinator_keys(vec![text("readers")])
        } else {
            query.with_key(text("readers"))
        };
        let response: FindCoordinatorResponse = world.ask(ApiKey::FindCoordinator, version, &query);
        let (node, port) = match response.coordinators.first() {
            Some(found) => (found.node_id.0, found.port),
            None => (response.node_id.0, response.port),
        };
        assert_eq!((node, port), (1, 9092), "version {version}");
    }
    let query = FindCoordinatorRequest::default()
        .with_key_type(7)
        .with_coordinator_keys(vec![text("x")]);
    let response: FindCoordinatorResponse = world.ask(ApiKey::FindCoordinator, 6, &query);
    assert_eq!(
        response.coordinators[0].error_code,
        ErrorCode::InvalidRequest.code()
    );
}

#[test]
fn a_member_of_the_newer_protocol_is_assigned_everything_and_described() {
    for version in 0..=1 {
        let mut world = world();
        let member = if version == 0 {
            text("")
        } else {
            text("member-1")
        };
        let query = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group())
            .with_member_id(member)
            .with_member_epoch(0)
            .with_rebalance_timeout_ms(10_000)
            .with_subscribed_topic_names(Some(vec![orders()]))
            .with_topic_partitions(Some(vec![]));
        let response: ConsumerGroupHeartbeatResponse =
            world.ask(ApiKey::ConsumerGroupHeartbeat, version, &query);
        assert_eq!(
            (response.error_code, response.member_epoch),
            (0, 1),
            "version {version}"
        );
        let assigned = response.assignment.expect("it is assigned");
        assert_eq!(assigned.topic_partitions[0].partitions, [0]);
        let describe = ConsumerGroupDescribeRequest::default()
            .with_group_ids(vec![group(), GroupId(text("missing"))]);
        let response: ConsumerGroupDescribeResponse =
            world.ask(ApiKey::ConsumerGroupDescribe, version, &describe);
        let (found, missing) = (&response.groups[0], &response.groups[1]);
        assert_eq!(
            (found.group_state.as_str(), found.members.len()),
            ("Stable", 1)
        );
        let owned = &found.members[0].assignment.topic_partitions[0];
        assert_eq!(owned.topic_name, orders());
        assert_eq!(missing.error_code, ErrorCode::GroupIdNotFound.code());
        let classic = DescribeGroupsRequest::default().with_groups(vec![group()]);
        let response: DescribeGroupsResponse = world.ask(ApiKey::DescribeGroups, 6, &classic);
        assert_eq!(
            response.groups[0].error_code,
            ErrorCode::GroupIdNotFound.code()
        );
    }
}
