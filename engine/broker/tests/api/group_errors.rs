//! What goes wrong in groups, each with the code that Kafka puts on the wire.
//!
//! In the group `readers` one classic member is in generation 1; in `movers`
//! one member of the consumer protocol, `m`, is at epoch 1.

use crate::groups::{GROUP, commit_in, group, heartbeat_in, join, orders, sync, text, world};
use crate::support::World;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, OffsetFetchRequest,
    OffsetFetchResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;

const MOVERS: &str = "movers";

struct Scene {
    world: World,
    /// The classic member.
    member: StrBytes,
}

impl Scene {
    fn new() -> Self {
        let mut world = world();
        let joined = join(&mut world, 9);
        assert_eq!(sync(&mut world, 5, &joined).error_code, 0);
        let mut scene = Self {
            world,
            member: joined.member_id,
        };
        let first = reporting("m", 0)
            .with_rebalance_timeout_ms(10_000)
            .with_subscribed_topic_names(Some(vec![orders()]))
            .with_topic_partitions(Some(vec![]));
        assert_eq!(scene.report(&first), ErrorCode::None);
        scene
    }

    fn report(&mut self, query: &ConsumerGroupHeartbeatRequest) -> ErrorCode {
        let response: ConsumerGroupHeartbeatResponse =
            self.world.ask(ApiKey::ConsumerGroupHeartbeat, 1, query);
        known(response.error_code)
    }

    fn sync(&mut self, member: &str, generation: i32, protocol: &str) -> ErrorCode {
        let query = SyncGroupRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text(protocol)));
        let response: SyncGroupResponse = self.world.ask(ApiKey::SyncGroup, 5, &query);
        known(response.error_code)
    }

    fn fetch(&mut self, member: &str, epoch: i32) -> ErrorCode {
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(text(MOVERS)))
            .with_member_id(Some(text(member)))
            .with_member_epoch(epoch)
            .with_topics(None);
        let query = OffsetFetchRequest::default().with_groups(vec![group]);
        let response: OffsetFetchResponse = self.world.ask(ApiKey::OffsetFetch, 9, &query);
        known(response.groups[0].error_code)
    }
}

fn known(code: i16) -> ErrorCode {
    ErrorCode::try_from(code).expect("a known code")
}

fn reporting(member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text(MOVERS)))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
}

#[test]
fn classic_members_are_told_kafkas_error() {
    let mut scene = Scene::new();
    let member = scene.member.clone();
    let world = &mut scene.world;
    let stranger = text("stranger");
    let beats = [
        (
            "unknown group",
            "nowhere",
            &member,
            1,
            ErrorCode::UnknownMemberId,
        ),
        (
            "unknown member",
            GROUP,
            &stranger,
            1,
            ErrorCode::UnknownMemberId,
        ),
        (
            "stale generation",
            GROUP,
            &member,
            0,
            ErrorCode::IllegalGeneration,
        ),
        (
            "later generation",
            GROUP,
            &member,
            2,
            ErrorCode::IllegalGeneration,
        ),
        ("as it should be", GROUP, &member, 1, ErrorCode::None),
    ];
    for (wrong, group, member, generation, expected) in beats {
        let code = heartbeat_in(world, 4, group, member, generation);
        assert_eq!(code, expected, "heartbeat: {wrong}");
    }
    let syncs = [
        (
            "unknown member",
            "stranger",
            1,
            "range",
            ErrorCode::UnknownMemberId,
        ),
        (
            "stale generation",
            &*member,
            0,
            "range",
            ErrorCode::IllegalGeneration,
        ),
        (
            "wrong assignor",
            &*member,
            1,
            "sticky",
            ErrorCode::InconsistentGroupProtocol,
        ),
        ("as it should be", &*member, 1, "range", ErrorCode::None),
    ];
    for (wrong, member, generation, protocol, expected) in syncs {
        let code = scene.sync(member, generation, protocol);
        assert_eq!(code, expected, "sync: {wrong}");
    }
}

#[test]
fn commits_are_refused_with_kafkas_error() {
    let mut scene = Scene::new();
    let member = scene.member.to_string();
    let long = "x".repeat(4097);
    let orders = ("orders", 0);
    let table = [
        (
            "unknown member",
            9,
            GROUP,
            "stranger",
            1,
            orders,
            "",
            ErrorCode::UnknownMemberId,
        ),
        (
            "no member",
            9,
            GROUP,
            "",
            -1,
            orders,
            "",
            ErrorCode::UnknownMemberId,
        ),
        (
            "stale generation",
            9,
            GROUP,
            &*member,
            0,
            orders,
            "",
            ErrorCode::IllegalGeneration,
        ),
        (
            "unknown group, version 8",
            8,
            "nowhere",
            &*member,
            1,
            orders,
            "",
            ErrorCode::IllegalGeneration,
        ),
        (
            "unknown group, version 9",
            9,
            "nowhere",
            &*member,
            1,
            orders,
            "",
            ErrorCode::GroupIdNotFound,
        ),
        (
            "empty group id, which old clients may use",
            9,
            "",
            &*member,
            1,
            orders,
            "",
            ErrorCode::GroupIdNotFound,
        ),
        (
            "oversized metadata",
            9,
            GROUP,
            &*member,
            1,
            orders,
            &*long,
            ErrorCode::OffsetMetadataTooLarge,
        ),
        (
            "missing topic",
            9,
            GROUP,
            &*member,
            1,
            ("nowhere", 0),
            "",
            ErrorCode::UnknownTopicOrPartition,
        ),
        (
            "missing partition",
            9,
            GROUP,
            &*member,
            1,
            ("orders", 7),
            "",
            ErrorCode::UnknownTopicOrPartition,
        ),
        (
            "as it should be",
            9,
            GROUP,
            &*member,
            1,
            orders,
            "",
            ErrorCode::None,
        ),
        (
            "stale epoch",
            9,
            MOVERS,
            "m",
            0,
            orders,
            "",
            ErrorCode::StaleMemberEpoch,
        ),
        (
            "later epoch",
            9,
            MOVERS,
            "m",
            2,
            orders,
            "",
            ErrorCode::StaleMemberEpoch,
        ),
        (
            "epochs before version 9",
            8,
            MOVERS,
            "m",
            1,
            orders,
            "",
            ErrorCode::UnsupportedVersion,
        ),
        (
            "unknown consumer",
            9,
            MOVERS,
            "stranger",
            1,
            orders,
            "",
            ErrorCode::UnknownMemberId,
        ),
        (
            "consumer as it should be",
            9,
            MOVERS,
            "m",
            1,
            orders,
            "",
            ErrorCode::None,
        ),
    ];
    for (wrong, version, group, member, generation, place, note, expected) in table {
        let by = (member, generation);
        let code = commit_in(&mut scene.world, version, group, by, place, (5, note));
        assert_eq!(code, expected, "commit: {wrong}");
    }
}

#[test]
fn members_of_the_consumer_protocol_are_told_kafkas_error() {
    let mut scene = Scene::new();
    let joining = |member: &str| {
        reporting(member, 0)
            .with_rebalance_timeout_ms(10_000)
            .with_topic_partitions(Some(vec![]))
    };
    let named = |member: &str| joining(member).with_subscribed_topic_names(Some(vec![orders()]));
    let table = [
        (
            "unknown member",
            reporting("stranger", 1),
            ErrorCode::UnknownMemberId,
        ),
        (
            "later epoch",
            reporting("m", 7),
            ErrorCode::FencedMemberEpoch,
        ),
        ("no subscription", joining("n"), ErrorCode::InvalidRequest),
        (
            "no rebalance timeout",
            reporting("n", 0),
            ErrorCode::InvalidRequest,
        ),
        ("epoch −3", reporting("m", -3), ErrorCode::InvalidRequest),
        (
            "wrong assignor",
            named("n").with_server_assignor(Some(text("magic"))),
            ErrorCode::UnsupportedAssignor,
        ),
        (
            "broken expression",
            joining("n").with_subscribed_topic_regex(Some(text("(orders"))),
            ErrorCode::InvalidRegularExpression,
        ),
        (
            "an expression that RE2 has not",
            joining("n").with_subscribed_topic_regex(Some(text("(?=orders)"))),
            ErrorCode::InvalidRegularExpression,
        ),
        ("as it should be", reporting("m", 1), ErrorCode::None),
    ];
    for (wrong, query, expected) in table {
        assert_eq!(scene.report(&query), expected, "heartbeat: {wrong}");
    }
    let fetches = [
        ("unknown member", "stranger", 1, ErrorCode::UnknownMemberId),
        ("stale epoch", "m", 0, ErrorCode::StaleMemberEpoch),
        ("as it should be", "m", 1, ErrorCode::None),
        ("nobody in particular", "", -1, ErrorCode::None),
    ];
    for (wrong, member, epoch, expected) in fetches {
        assert_eq!(scene.fetch(member, epoch), expected, "fetch: {wrong}");
    }
}

#[test]
fn heartbeats_of_the_newer_protocol_that_are_not_right_have_kafkas_error() {
    let mut world = world();
    let mut check = |query: ConsumerGroupHeartbeatRequest, expected: ErrorCode| {
        let response: ConsumerGroupHeartbeatResponse =
            world.ask(ApiKey::ConsumerGroupHeartbeat, 1, &query);
        assert_eq!(response.error_code, expected.code(), "{query:?}");
    };
    let query = || {
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group())
            .with_member_id(text("member-1"))
            .with_rebalance_timeout_ms(10_000)
            .with_subscribed_topic_names(Some(vec![orders()]))
            .with_topic_partitions(Some(vec![]))
    };
    check(query().with_member_id(text("")), ErrorCode::InvalidRequest);
    check(
        query().with_server_assignor(Some(text("magic"))),
        ErrorCode::UnsupportedAssignor,
    );
    check(query().with_member_epoch(5), ErrorCode::GroupIdNotFound);
}
