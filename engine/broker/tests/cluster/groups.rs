//! A group in a cluster: its coordinator's records are replicated before it
//! answers, and another node takes over.

use crate::world::World;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    FindCoordinatorRequest, FindCoordinatorResponse, GroupId, OffsetCommitRequest,
    OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::api::ApiKey;
use std::time::Duration;

const GROUP: &str = "readers";

/// The node that coordinates the group, once there is one.
fn coordinator(world: &mut World, asked: usize) -> usize {
    let query = FindCoordinatorRequest::default()
        .with_coordinator_keys(vec![StrBytes::from_static_str(GROUP)]);
    for _ in 0..100 {
        let answer: FindCoordinatorResponse = world.ask(asked, ApiKey::FindCoordinator, 4, &query);
        if answer.coordinators[0].error_code == 0 {
            return usize::try_from(answer.coordinators[0].node_id.0).expect("a node");
        }
        world.pass(Duration::from_millis(100));
    }
    panic!("no coordinator");
}

fn commit(world: &mut World, node: usize, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(StrBytes::from_static_str("orders")))
        .with_partitions(vec![partition]);
    let query = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str(GROUP)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    let answer: OffsetCommitResponse = world.ask(node, ApiKey::OffsetCommit, 8, &query);
    answer.topics[0].partitions[0].error_code
}

fn committed(world: &mut World, node: usize) -> i64 {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(TopicName(StrBytes::from_static_str("orders")))
        .with_partition_indexes(vec![0]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(StrBytes::from_static_str(GROUP)))
        .with_topics(Some(vec![topic]));
    let query = OffsetFetchRequest::default().with_groups(vec![group]);
    for _ in 0..100 {
        let answer: OffsetFetchResponse = world.ask(node, ApiKey::OffsetFetch, 8, &query);
        if answer.groups[0].error_code == 0 {
            return answer.groups[0].topics[0].partitions[0].committed_offset;
        }
        world.pass(Duration::from_millis(100));
    }
    panic!("no answer");
}

#[test]
fn a_committed_offset_survives_its_coordinator() {
    let mut world = World::ready(
        3,
        &[
            ("broker.session.timeout.ms", "3000"),
            ("replica.fetch.backoff.ms", "100"),
            ("offsets.topic.num.partitions", "3"),
        ],
    );
    assert_eq!(crate::membership::create(&mut world, 1, "orders", 1, 3), 0);
    world.pass(Duration::from_secs(1));
    let first = coordinator(&mut world, 1);
    world.pass(Duration::from_secs(1));
    assert_eq!(commit(&mut world, first, 42), 0);
    assert_eq!(committed(&mut world, first), 42);
    world.kill(first);
    let other = first % 3 + 1;
    world.until("another coordinates", |world| {
        world.controller().is_some_and(|node| node != first)
            && (0..3).all(|n| {
                world
                    .leader("__consumer_offsets", n)
                    .is_some_and(|l| l != first)
            })
    });
    let second = coordinator(&mut world, other);
    assert_ne!(second, first);
    assert_eq!(committed(&mut world, second), 42);
    assert_eq!(commit(&mut world, second, 43), 0);
    assert_eq!(committed(&mut world, second), 43);
}
