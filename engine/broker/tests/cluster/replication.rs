//! Records and their replicas: acknowledgement, the ISR, new leaders, logs that
//! part.

use crate::consumer::{body_of, fetch, fetch_query};
use crate::membership::create;
use crate::world::World;
use bytes::Bytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{BatchBuilder, BatchSettings, records};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::produce::{PartitionData, ProduceRequest, ProduceResponse, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{NodeId, PartitionIndex, TimestampMs};
use std::time::Duration;

const SETTINGS: &[(&str, &str)] = &[
    ("min.insync.replicas", "2"),
    ("broker.session.timeout.ms", "3000"),
    ("replica.lag.time.max.ms", "2000"),
    ("replica.fetch.backoff.ms", "100"),
];

/// A request that sends one record to partition 0 of `orders`.
pub fn request(value: &str, acks: i16) -> ProduceRequest<'static, Bytes> {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    builder.push(TimestampMs(1_700_000_000_000), None, Some(value.as_bytes()));
    let batch = builder.build().expect("a batch");
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 5000,
        topics: vec![TopicData {
            topic: Topic::Name("orders"),
            partitions: vec![PartitionData {
                index: PartitionIndex(0),
                records: Bytes::from(batch),
            }],
        }],
    }
}

/// Sends one record to partition 0; the error, and where it lies.
pub fn produce(world: &mut World, node: usize, value: &str, acks: i16) -> (ErrorCode, i64) {
    let frame = request(value, acks)
        .encode_frame(9, 42, Some("tests"))
        .concat();
    let body = body_of(ApiKey::Produce, &frame);
    let response = world.ask_bytes(node, ApiKey::Produce, 9, &body);
    let response = ProduceResponse::decode(9, &response).expect("a response");
    let partition = &response.topics[0].partitions[0];
    (partition.error, partition.base_offset.get())
}

/// What a consumer reads of partition 0 at a node, and the high watermark.
pub fn consume(world: &mut World, node: usize) -> (ErrorCode, i64, Vec<String>) {
    fetch(world, node, 11, &fetch_query(0), |response| {
        let partition = &response.topics[0].partitions[0];
        let (mut values, mut rest, mut scratch) = (Vec::new(), partition.records, Vec::new());
        while !rest.is_empty() {
            let header = plimsoll_wire::batch::BatchHeader::parse(rest).expect("a batch");
            let (batch, after) = rest.split_at(header.total_len());
            for record in records(batch, &mut scratch, 1 << 20).expect("records") {
                let value = record.expect("a record").value.unwrap_or_default();
                values.push(String::from_utf8_lossy(value).into_owned());
            }
            rest = after;
        }
        (partition.error, partition.high_watermark.get(), values)
    })
}

/// A cluster with a topic of one partition on three nodes, and its leader.
fn with_orders() -> (World, usize) {
    let mut world = World::ready(3, SETTINGS);
    assert_eq!(create(&mut world, 1, "orders", 1, 3), 0);
    world.until("all nodes follow", |world| {
        (1..=3).all(|node| world.partition(node, "orders", 0).is_some())
    });
    world.pass(Duration::from_millis(500));
    let leader = world.leader("orders", 0).expect("a leader");
    (world, leader)
}

fn isr(world: &World, node: usize) -> Vec<i32> {
    let partition = world.partition(node, "orders", 0).expect("it exists");
    let mut isr: Vec<i32> = partition.isr.iter().map(|node| node.get()).collect();
    isr.sort_unstable();
    isr
}

#[test]
fn an_acknowledged_record_is_on_every_replica_in_sync() {
    let (mut world, leader) = with_orders();
    for n in 0..5 {
        assert_eq!(
            produce(&mut world, leader, &format!("r{n}"), -1),
            (ErrorCode::None, n)
        );
    }
    let expected: Vec<String> = (0..5).map(|n| format!("r{n}")).collect();
    // The followers hear of the high watermark with their next fetch.
    world.pass(Duration::from_secs(1));
    for node in 1..=3 {
        assert_eq!(
            consume(&mut world, node),
            (ErrorCode::None, 5, expected.clone()),
            "{node}"
        );
    }
    let follower = leader % 3 + 1;
    let (code, _) = produce(&mut world, follower, "x", -1);
    assert_eq!(code, ErrorCode::NotLeaderOrFollower);
}

#[test]
fn a_lost_leader_is_replaced_from_the_isr_and_keeps_every_acknowledged_record() {
    let (mut world, leader) = with_orders();
    assert_eq!(produce(&mut world, leader, "kept", -1).0, ErrorCode::None);
    world.kill(leader);
    world.until("another leads", |world| {
        world.leader("orders", 0).is_some_and(|now| now != leader)
    });
    let next = world.leader("orders", 0).expect("a leader");
    assert!(!isr(&world, next).contains(&i32::try_from(leader).expect("small")));
    assert_eq!(produce(&mut world, next, "more", -1).0, ErrorCode::None);
    let (_, _, values) = consume(&mut world, next);
    assert_eq!(values, ["kept", "more"]);
    world.start(leader);
    world.until("it is in sync again", |world| isr(world, next).len() == 3);
    world.pass(Duration::from_secs(1));
    assert_eq!(consume(&mut world, leader).2, ["kept", "more"]);
}

#[test]
fn a_follower_that_lags_leaves_the_isr_and_joins_again() {
    let (mut world, leader) = with_orders();
    let slow = leader % 3 + 1;
    world.pause(slow, true);
    // acks=all waits for the follower until that has left the ISR.
    assert_eq!(produce(&mut world, leader, "a", -1).0, ErrorCode::None);
    assert_eq!(isr(&world, leader).len(), 2);
    world.pause(slow, false);
    world.until("it is in sync again", |world| isr(world, leader).len() == 3);
}

#[test]
fn too_few_in_sync_refuse_before_the_append_and_commit_nothing() {
    let (mut world, leader) = with_orders();
    let controller = world.controller().expect("one is active");
    // The controller must go on: both followers stop fetching, not the quorum.
    let others: Vec<usize> = (1..=3).filter(|node| *node != leader).collect();
    if let Some(first) = others.iter().find(|node| **node != controller) {
        world.kill(*first);
    }
    world.until("two are in sync", |world| isr(world, leader).len() == 2);
    assert_eq!(produce(&mut world, leader, "two", -1).0, ErrorCode::None);
    let last = others
        .into_iter()
        .find(|node| isr(&world, leader).contains(&i32::try_from(*node).expect("small")))
        .expect("one more is in sync");
    world.pause(last, true);
    let (code, _) = produce(&mut world, leader, "one", -1);
    let refused = [
        ErrorCode::NotEnoughReplicas,
        ErrorCode::NotEnoughReplicasAfterAppend,
        ErrorCode::RequestTimedOut,
    ];
    assert!(refused.contains(&code), "{code:?}");
    assert_eq!(consume(&mut world, leader).2, ["two"]);
}

#[test]
fn a_leader_that_was_cut_off_gives_up_what_it_alone_had() {
    let (mut world, old) = with_orders();
    assert_eq!(produce(&mut world, old, "shared", -1).0, ErrorCode::None);
    world.isolate(old, true);
    // It still believes that it leads: acks=1 is answered and will be lost.
    assert_eq!(produce(&mut world, old, "lost", 1).0, ErrorCode::None);
    world.until("another leads", |world| {
        let other = old % 3 + 1;
        let now = world.partition(other, "orders", 0).map(|p| p.leader);
        now.is_some_and(|now| {
            now != NodeId::NONE && now.get() != i32::try_from(old).expect("small")
        })
    });
    let other = old % 3 + 1;
    let next = world
        .partition(other, "orders", 0)
        .expect("it exists")
        .leader;
    let next = usize::try_from(next.get()).expect("a node");
    assert_eq!(produce(&mut world, next, "new", -1).0, ErrorCode::None);
    world.isolate(old, false);
    world.until("it is in sync again", |world| isr(world, next).len() == 3);
    world.pass(Duration::from_secs(1));
    for node in 1..=3 {
        assert_eq!(
            consume(&mut world, node).2,
            ["shared", "new"],
            "node {node}"
        );
    }
}

/// A leader lost power and was back before its session had ended. It led on at
/// once in its old term with the log that was left, and the others, told that
/// they had parted from it, gave up what was acknowledged.
#[test]
fn a_leader_that_lost_power_leads_again_only_after_it_has_caught_up() {
    for seed in 0..8 {
        let (mut world, old) = with_orders();
        let expected: Vec<String> = (0..5).map(|n| format!("r{n}")).collect();
        for value in &expected {
            assert_eq!(produce(&mut world, old, value, -1).0, ErrorCode::None);
        }
        world.lose_power(old, seed);
        world.pass(Duration::from_millis(300));
        world.start(old);
        world.until("all are in sync again", |world| {
            let leader = world.leader("orders", 0);
            leader.is_some_and(|leader| {
                world
                    .partition(leader, "orders", 0)
                    .is_some_and(|p| p.isr.len() == 3)
            }) && world.broker(old).is_ready()
        });
        world.pass(Duration::from_secs(2));
        for node in 1..=3 {
            assert_eq!(
                consume(&mut world, node).2,
                expected,
                "seed {seed}, node {node}"
            );
        }
    }
}

/// Seed 679 of three nodes: a node that lost power was started, and stopped in
/// order before it had heard of the cluster. Its logs, which it had not opened,
/// counted as closed from then on; nothing was scanned, and one kept a hole.
#[test]
fn a_crash_is_not_forgotten_by_a_run_that_opened_no_log() {
    let (mut world, leader) = with_orders();
    assert_eq!(produce(&mut world, leader, "kept", -1).0, ErrorCode::None);
    let node = leader % 3 + 1;
    world.lose_power(node, 3);
    world.isolate(node, true);
    world.start(node);
    world.pass(Duration::from_millis(300));
    assert!(world.broker(node).image().topic("orders").is_none());
    world.broker(node).shutdown(world.now).expect("it stops");
    let mark = std::path::Path::new("/data/.kafka_cleanshutdown");
    let read = plimsoll_log::read_whole(world.disk(node), mark);
    assert_eq!(read.expect("the disk works"), None);
}
