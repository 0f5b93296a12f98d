//! Racks, the replica that a consumer reads, leaders that moved, and replicas
//! that are held back while they catch up.

use crate::consumer::{self, body_of, fetch_query, node_id, orders_in_sync};
use crate::membership::create;
use crate::replication::produce;
use crate::world::World;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, BrokerId,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::produce::ProduceResponse;
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{LeaderEpoch, NodeId};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// Each node stands in a rack of its own.
const RACKS: &[(&str, &str)] = &[
    ("broker.rack", "rack-{node}"),
    (
        "replica.selector.class",
        "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    ),
    ("min.insync.replicas", "1"),
];

/// What a fetch of partition 0 of `orders` brings.
#[derive(Debug, PartialEq, Eq)]
struct Fetched {
    error: ErrorCode,
    nearer: NodeId,
    bytes: usize,
    leader: Option<(NodeId, LeaderEpoch)>,
    endpoints: Vec<(NodeId, i32)>,
}

fn fetch(world: &mut World, node: usize, version: i16, rack: &'static str, wait: i32) -> Fetched {
    let image = world.broker(node).image();
    let topic = match version {
        13.. => Topic::Id(image.topic("orders").map_or(Uuid::nil(), |topic| topic.id)),
        _ => Topic::Name("orders"),
    };
    let mut query = fetch_query(0);
    query.max_wait_ms = wait;
    query.rack_id = rack;
    query.topics[0].topic = topic;
    consumer::fetch(world, node, version, &query, |response| {
        let partition = &response.topics[0].partitions[0];
        let endpoints = response.node_endpoints.iter();
        Fetched {
            error: partition.error,
            nearer: partition.preferred_read_replica,
            bytes: partition.records.len(),
            leader: partition
                .current_leader
                .map(|leader| (leader.id, leader.epoch)),
            endpoints: endpoints.map(|one| (one.id, one.port)).collect(),
        }
    })
}

#[test]
fn a_consumer_is_sent_to_the_replica_of_its_rack_and_reads_there() {
    let (mut world, leader) = orders_in_sync(RACKS);
    assert_eq!(produce(&mut world, leader, "near", -1).0, ErrorCode::None);
    world.pass(Duration::from_secs(1));
    let racks = ["rack-0", "rack-1", "rack-2", "rack-3"];
    for (node, rack) in racks.into_iter().enumerate().skip(1) {
        // Told at once, though the fetch would wait.
        let told = fetch(&mut world, leader, 11, rack, 5000);
        let at_leader = node == leader;
        let nearer = if at_leader {
            NodeId::NONE
        } else {
            node_id(node)
        };
        assert_eq!(
            (told.error, told.nearer),
            (ErrorCode::None, nearer),
            "{rack}"
        );
        assert_eq!(told.bytes > 0, at_leader, "{rack}");
        let there = fetch(&mut world, node, 11, rack, 0);
        assert_eq!((there.error, there.nearer), (ErrorCode::None, NodeId::NONE));
        assert!(there.bytes > 0, "{rack}");
    }
    for (version, rack) in [(11, ""), (11, "rack-0"), (10, "")] {
        let told = fetch(&mut world, leader, version, rack, 0);
        assert_eq!(told.nearer, NodeId::NONE, "{version} {rack}");
        assert!(told.bytes > 0);
    }
}

#[test]
fn a_replica_that_fell_out_of_sync_is_read_by_nobody() {
    let settings = [RACKS, &[("replica.lag.time.max.ms", "1000")]].concat();
    let (mut world, leader) = orders_in_sync(&settings);
    let far = leader % 3 + 1;
    world.pause(far, true);
    assert_eq!(produce(&mut world, leader, "a", 1).0, ErrorCode::None);
    world.until("it leaves the ISR", |world| {
        world
            .partition(leader, "orders", 0)
            .is_some_and(|p| p.isr.len() == 2)
    });
    let rack = ["", "rack-1", "rack-2", "rack-3"][far];
    let told = fetch(&mut world, leader, 11, rack, 0);
    assert_eq!(told.nearer, NodeId::NONE);
    assert!(told.bytes > 0);
}

#[test]
fn without_the_selector_everyone_reads_the_leader() {
    let (mut world, leader) = orders_in_sync(&RACKS[..1]);
    assert_eq!(produce(&mut world, leader, "x", -1).0, ErrorCode::None);
    let rack = ["", "rack-2", "rack-3", "rack-1"][leader];
    let told = fetch(&mut world, leader, 11, rack, 0);
    assert_eq!(told.nearer, NodeId::NONE);
    assert!(told.bytes > 0);
}

#[test]
fn whoever_asks_the_wrong_node_is_told_who_leads_and_where() {
    let mut world = World::ready(3, &[]);
    assert_eq!(create(&mut world, 1, "orders", 1, 2), 0);
    world.until("it has a leader", |world| {
        world.leader("orders", 0).is_some()
    });
    world.pass(Duration::from_millis(500));
    let state = world.partition(1, "orders", 0).expect("it exists");
    let wrong = (1..=3).find(|node| !state.replicas.contains(&node_id(*node)));
    let wrong = wrong.expect("a node without a replica");
    let (id, epoch) = (state.leader, state.leader_epoch);
    let place = (id, 19_000 + id.get());
    let check = |told: (ErrorCode, Option<_>, Vec<_>), named: bool, placed: bool| {
        let places: &[_] = if placed { &[place] } else { &[] };
        let expected = (
            ErrorCode::NotLeaderOrFollower,
            named.then_some((id, epoch)),
            places.to_vec(),
        );
        assert_eq!(told, expected);
    };
    for (version, named, placed) in [(11, false, false), (12, true, false), (16, true, true)] {
        let told = fetch(&mut world, wrong, version, "", 0);
        check((told.error, told.leader, told.endpoints), named, placed);
    }
    for (version, named) in [(9, false), (10, true)] {
        let request = crate::replication::request("x", 1);
        let frame = request.encode_frame(version, 42, Some("tests")).concat();
        let body = body_of(ApiKey::Produce, &frame);
        let response = world.ask_bytes(wrong, ApiKey::Produce, version, &body);
        let response = ProduceResponse::decode(version, &response).expect("a response");
        let partition = &response.topics[0].partitions[0];
        let leader = partition.current_leader;
        let endpoints = response.node_endpoints.iter();
        let told = (
            partition.error,
            leader.map(|leader| (leader.id, leader.epoch)),
            endpoints.map(|one| (one.id, one.port)).collect(),
        );
        check(told, named, named);
    }
}

#[test]
fn replicas_are_placed_in_as_many_racks_as_there_are() {
    let mut world = World::ready(3, &[("broker.rack", "rack-{node}")]);
    assert_eq!(create(&mut world, 1, "spread", 6, 2), 0);
    world.until("it is known", |world| {
        world.partition(1, "spread", 5).is_some()
    });
    let leaders = (0..6).map(|index| {
        let partition = world.partition(1, "spread", index).expect("it exists");
        let distinct: BTreeSet<_> = partition.replicas.iter().collect();
        assert_eq!(distinct.len(), 2);
        partition.leader
    });
    let leaders: Vec<NodeId> = leaders.collect();
    for node in 1..=3 {
        assert_eq!(
            leaders.iter().filter(|one| **one == node_id(node)).count(),
            2
        );
    }
}

/// Sets one setting of a topic (2) or a broker (4), which is asked itself.
fn alter(world: &mut World, kind: i8, resource: &str, name: &str, value: &str) -> i16 {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let config = AlterableConfig::default()
        .with_name(text(name))
        .with_config_operation(0)
        .with_value(Some(text(value)));
    let query = IncrementalAlterConfigsRequest::default().with_resources(vec![
        AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(resource))
            .with_configs(vec![config]),
    ]);
    let api = ApiKey::IncrementalAlterConfigs;
    let node = resource.parse().unwrap_or(1);
    let response: IncrementalAlterConfigsResponse = world.ask(node, api, 1, &query);
    response.responses[0].error_code
}

/// How long it takes until a third replica is in sync, in virtual milliseconds.
fn time_to_join(throttle: Option<(&str, &str)>) -> u128 {
    let mut world = World::ready(3, &[("replica.fetch.max.bytes", "16384")]);
    assert_eq!(create(&mut world, 1, "orders", 1, 2), 0);
    world.until("two are in sync", |world| {
        world
            .partition(1, "orders", 0)
            .is_some_and(|p| p.isr.len() == 2)
    });
    let leader = world.leader("orders", 0).expect("a leader");
    let value = "x".repeat(10_000);
    for _ in 0..20 {
        assert_eq!(produce(&mut world, leader, &value, -1).0, ErrorCode::None);
    }
    if let Some((side, replicas)) = throttle {
        let rate = format!("{side}.replication.throttled.rate");
        for node in ["1", "2", "3"] {
            assert_eq!(alter(&mut world, 4, node, &rate, "20000"), 0);
        }
        let listed = format!("{side}.replication.throttled.replicas");
        assert_eq!(alter(&mut world, 2, "orders", &listed, replicas), 0);
        world.pass(Duration::from_millis(500));
    }
    let replicas = [1, 2, 3].map(BrokerId).to_vec();
    let query = AlterPartitionReassignmentsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(vec![
            ReassignableTopic::default()
                .with_name(TopicName(StrBytes::from_static_str("orders")))
                .with_partitions(vec![
                    ReassignablePartition::default()
                        .with_partition_index(0)
                        .with_replicas(Some(replicas)),
                ]),
        ]);
    let api = ApiKey::AlterPartitionReassignments;
    let response: AlterPartitionReassignmentsResponse = world.ask(1, api, 0, &query);
    assert_eq!(response.responses[0].partitions[0].error_code, 0);
    let began = world.now.mono;
    world.until("the third is in sync", |world| {
        world
            .partition(1, "orders", 0)
            .is_some_and(|p| p.isr.len() == 3)
    });
    world.now.mono.since(began).as_millis()
}

#[test]
fn a_replica_that_catches_up_is_held_to_the_rate_on_either_side() {
    // 200 kB at 20 kB a second, the first second's worth at once.
    let free = time_to_join(None);
    assert!(free < 3000, "{free} ms");
    for side in ["leader", "follower"] {
        for replicas in ["*", "0:1,0:2,0:3"] {
            let held = time_to_join(Some((side, replicas)));
            assert!(
                (7000..14_000).contains(&held),
                "{side} {replicas}: {held} ms"
            );
        }
        let others = time_to_join(Some((side, "1:1,1:2,1:3")));
        assert!(others < 3000, "{side}: {others} ms");
    }
}

#[test]
fn replicas_that_are_no_list_are_refused() {
    let (mut world, _) = orders_in_sync(&[]);
    let name = "leader.replication.throttled.replicas";
    assert_eq!(
        alter(&mut world, 2, "orders", name, "0-1"),
        ErrorCode::InvalidConfig.code()
    );
}
