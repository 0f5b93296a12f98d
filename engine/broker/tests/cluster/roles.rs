//! Controllers that are no brokers, and brokers that do not vote.

use crate::membership::create;
use crate::replication::{consume, produce};
use crate::world::World;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeQuorumRequest, DescribeQuorumResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use std::time::Duration;

const SETTINGS: &[(&str, &str)] = &[
    ("min.insync.replicas", "2"),
    ("broker.session.timeout.ms", "3000"),
    ("replica.lag.time.max.ms", "2000"),
    ("replica.fetch.backoff.ms", "100"),
];

/// Creates `orders` on all brokers, which come after the controllers, and waits
/// until all are in sync; its leader.
fn with_orders(world: &mut World, brokers: std::ops::RangeInclusive<usize>) -> usize {
    let first = *brokers.start();
    let replicas = i16::try_from(brokers.count()).expect("few");
    assert_eq!(create(world, first, "orders", 1, replicas), 0);
    world.until("all are in sync", |world| {
        let found = world.partition(first, "orders", 0);
        found.is_some_and(|found| found.isr.len() == usize::try_from(replicas).unwrap_or(0))
    });
    world.pass(Duration::from_millis(500));
    world.leader("orders", 0).expect("a leader")
}

#[test]
fn one_controller_serves_two_brokers_and_holds_no_partition() {
    let mut world = World::split(1, 2, SETTINGS);
    let leader = with_orders(&mut world, 2..=3);
    assert_eq!(world.controller(), Some(1));
    for n in 0..5 {
        let made = produce(&mut world, leader, &format!("r{n}"), -1);
        assert_eq!(made, (ErrorCode::None, n));
    }
    world.pass(Duration::from_secs(1));
    let expected: Vec<String> = (0..5).map(|n| format!("r{n}")).collect();
    for node in 2..=3 {
        let seen = consume(&mut world, node);
        assert_eq!(seen, (ErrorCode::None, 5, expected.clone()), "node {node}");
    }
    // More replicas than brokers: the controller does not count.
    let code = create(&mut world, 2, "wide", 1, 3);
    assert_eq!(code, ErrorCode::InvalidReplicationFactor.code());
    assert!(world.broker(1).replicas().is_empty(), "no log is there");
}

#[test]
fn a_single_controller_that_is_back_is_followed_again() {
    let mut world = World::split(1, 2, SETTINGS);
    with_orders(&mut world, 2..=3);
    world.kill(1);
    world.pass(Duration::from_secs(5));
    let leader = world.leader("orders", 0).expect("brokers serve on");
    assert_eq!(produce(&mut world, leader, "alone", -1).0, ErrorCode::None);
    world.start(1);
    assert_eq!(create(&mut world, 2, "later", 3, 2), 0);
    world.until("both know the topic", |world| {
        (2..=3).all(|node| world.partition(node, "later", 2).is_some())
    });
}

#[test]
fn the_next_of_three_controllers_is_followed_and_the_lost_one_catches_up() {
    let mut world = World::split(3, 3, SETTINGS);
    let leader = with_orders(&mut world, 4..=6);
    let first = world.controller().expect("one is active");
    assert!(first <= 3, "a broker does not vote");
    world.kill(first);
    // The brokers hear of the next one, by whom topics are created.
    assert_eq!(create(&mut world, 5, "later", 1, 3), 0);
    let next = world.controller().expect("one is active");
    assert!(next <= 3 && next != first);
    assert_eq!(produce(&mut world, leader, "kept", -1).0, ErrorCode::None);
    world.start(first);
    world.until("the lost one knows it", |world| {
        world.partition(first, "later", 0).is_some()
    });
}

#[test]
fn a_lost_broker_is_replaced_and_follows_again_once_it_is_back() {
    let mut world = World::split(3, 3, SETTINGS);
    let leader = with_orders(&mut world, 4..=6);
    assert_eq!(produce(&mut world, leader, "kept", -1).0, ErrorCode::None);
    world.kill(leader);
    world.until("another leads", |world| {
        world.leader("orders", 0).is_some_and(|now| now != leader)
    });
    let next = world.leader("orders", 0).expect("a leader");
    let other = (4..=6).find(|node| *node != leader).expect("another");
    world.until("its leader knows it", |world| {
        let known = world.partition(next, "orders", 0);
        known.is_some_and(|p| usize::try_from(p.leader.get()) == Ok(next))
    });
    assert_eq!(produce(&mut world, next, "more", -1).0, ErrorCode::None);
    assert_eq!(create(&mut world, other, "meanwhile", 1, 2), 0);
    world.start(leader);
    world.until("it is in sync and knows all", |world| {
        let orders = world.partition(next, "orders", 0);
        orders.is_some_and(|orders| orders.isr.len() == 3)
            && world.partition(leader, "meanwhile", 0).is_some()
    });
    world.pass(Duration::from_secs(1));
    assert_eq!(consume(&mut world, leader).2, ["kept", "more"]);
}

/// A group's first consumer came after a broker had been lost. The topic of
/// offsets was asked for with a replica on each broker that was ever known, which
/// the controller refused, for ever.
#[test]
fn the_offsets_topic_is_made_of_the_brokers_that_live() {
    let mut world = World::split(1, 3, SETTINGS);
    world.kill(4);
    world.pass(Duration::from_secs(5));
    let query = FindCoordinatorRequest::default()
        .with_key_type(0)
        .with_coordinator_keys(vec![StrBytes::from_static_str("readers")]);
    let _asks: FindCoordinatorResponse = world.ask(2, ApiKey::FindCoordinator, 4, &query);
    world.until("the offsets topic is there", |world| {
        world.partition(2, "__consumer_offsets", 0).is_some()
    });
    let offsets = world.partition(2, "__consumer_offsets", 0);
    assert_eq!(offsets.map(|partition| partition.replicas.len()), Some(2));
}

#[test]
fn who_is_eligible_to_lead_is_shown_once_the_isr_is_too_small() {
    let mut world = World::split(1, 2, SETTINGS);
    let leader = with_orders(&mut world, 2..=3);
    let lost = 5 - leader;
    world.kill(lost);
    world.until("the lost one has left the ISR", |world| {
        let orders = world.partition(leader, "orders", 0);
        orders.is_some_and(|orders| orders.isr.len() == 1)
    });
    let topic = TopicRequest::default().with_name(TopicName(StrBytes::from_static_str("orders")));
    let query = DescribeTopicPartitionsRequest::default()
        .with_topics(vec![topic])
        .with_response_partition_limit(10);
    let api = ApiKey::DescribeTopicPartitions;
    let seen: DescribeTopicPartitionsResponse = world.ask(leader, api, 0, &query);
    let eligible = seen.topics[0].partitions[0]
        .eligible_leader_replicas
        .clone();
    let eligible = eligible.expect("it is told").into_iter().map(|node| node.0);
    assert_eq!(
        eligible.collect::<Vec<_>>(),
        [i32::try_from(lost).expect("small")]
    );
}

/// A broker is cut off for longer than its session, while much is changed.
#[test]
fn a_broker_that_was_cut_off_learns_what_it_missed() {
    let mut world = World::split(1, 3, SETTINGS);
    with_orders(&mut world, 2..=4);
    world.isolate(4, true);
    world.pass(Duration::from_secs(5));
    for n in 0..20 {
        assert_eq!(create(&mut world, 2, &format!("t{n}"), 2, 2), 0);
    }
    assert!(world.partition(4, "t0", 0).is_none());
    world.isolate(4, false);
    world.until("it knows all and is let in", |world| {
        world.partition(4, "t19", 1).is_some() && world.broker(4).is_ready()
    });
}

#[test]
fn the_quorum_shows_its_voters_and_who_observes() {
    let mut world = World::split(3, 2, SETTINGS);
    world.pass(Duration::from_secs(2));
    let topic = TopicData::default()
        .with_topic_name(TopicName(StrBytes::from_static_str("__cluster_metadata")))
        .with_partitions(vec![PartitionData::default()]);
    let query = DescribeQuorumRequest::default().with_topics(vec![topic]);
    for node in 1..=5 {
        let response: DescribeQuorumResponse = world.ask(node, ApiKey::DescribeQuorum, 2, &query);
        let partition = &response.topics[0].partitions[0];
        let voters = partition.current_voters.iter().map(|one| one.replica_id.0);
        assert_eq!(voters.collect::<Vec<_>>(), [1, 2, 3], "node {node}");
        let observers = partition.observers.iter().map(|one| one.replica_id.0);
        assert_eq!(observers.collect::<Vec<_>>(), [4, 5], "node {node}");
        for one in &partition.observers {
            assert_eq!(one.log_end_offset, partition.high_watermark);
            let silent_ms = world.now.wall.get() - one.last_caught_up_timestamp;
            assert!((0..=1000).contains(&silent_ms), "{silent_ms} ms");
        }
    }
}

#[test]
fn a_controller_serves_what_controllers_do_and_is_no_broker_to_clients() {
    let mut world = World::split(1, 2, SETTINGS);
    let versions = ApiVersionsRequest::default();
    let mut told = |node| {
        let response: ApiVersionsResponse = world.ask(node, ApiKey::ApiVersions, 2, &versions);
        let keys = response.api_keys.iter().map(|one| one.api_key);
        keys.collect::<Vec<_>>()
    };
    for (api, by_controller) in [
        (ApiKey::Produce, false),
        (ApiKey::Metadata, false),
        (ApiKey::FindCoordinator, false),
        (ApiKey::CreateTopics, true),
        (ApiKey::DescribeCluster, true),
        (ApiKey::DescribeQuorum, true),
    ] {
        assert_eq!(told(1).contains(&api.key()), by_controller, "{api}");
        assert!(told(2).contains(&api.key()), "{api}");
    }
    assert!(world.closes(1, ApiKey::Metadata, 12, &MetadataRequest::default()));
    let seen: MetadataResponse = world.ask(2, ApiKey::Metadata, 12, &MetadataRequest::default());
    let brokers = seen.brokers.iter().map(|broker| broker.node_id.0);
    assert_eq!(brokers.collect::<Vec<_>>(), [2, 3]);
    let mut describe = |node: usize, kind: i8| {
        let query = DescribeClusterRequest::default().with_endpoint_type(kind);
        let response: DescribeClusterResponse = world.ask(node, ApiKey::DescribeCluster, 1, &query);
        let nodes = response.brokers.iter().map(|one| one.broker_id.0);
        (
            ErrorCode::from_wire(response.error_code),
            nodes.collect::<Vec<_>>(),
        )
    };
    let mismatch = (ErrorCode::MismatchedEndpointType, vec![]);
    assert_eq!(describe(1, 2), (ErrorCode::None, vec![1]));
    assert_eq!(describe(1, 1), mismatch);
    assert_eq!(describe(2, 1), (ErrorCode::None, vec![2, 3]));
    assert_eq!(describe(2, 2), mismatch);
}
