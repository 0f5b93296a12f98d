//! What a consumer asks of a node, and a topic for it to ask for.

use crate::membership::create;
use crate::world::World;
use bytes::BytesMut;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, IsolationLevel, Replica, Session,
};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset, PartitionIndex};
use std::time::Duration;
use uuid::Uuid;

/// A fetch of all that a partition of `orders` holds, answered at once.
pub fn fetch_query(index: i32) -> FetchRequest<'static> {
    FetchRequest {
        cluster_id: None,
        replica: Replica::CONSUMER,
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation: IsolationLevel::ReadUncommitted,
        session: Session::NONE,
        topics: vec![FetchTopic {
            topic: Topic::Name("orders"),
            partitions: vec![FetchPartition {
                index: PartitionIndex(index),
                current_leader_epoch: LeaderEpoch::NONE,
                fetch_offset: Offset(0),
                last_fetched_epoch: LeaderEpoch::NONE,
                log_start_offset: Offset(-1),
                max_bytes: 1 << 20,
                directory_id: Uuid::nil(),
                high_watermark: None,
            }],
        }],
        forgotten: vec![],
        rack_id: "",
    }
}

/// Sends a fetch to a node, and reads the answer.
pub fn fetch<T>(
    world: &mut World,
    node: usize,
    version: i16,
    query: &FetchRequest<'_>,
    read: impl FnOnce(&FetchResponse<&[u8]>) -> T,
) -> T {
    let frame = query.encode_frame(version, 42, Some("tests"));
    let body = body_of(ApiKey::Fetch, &frame);
    let answer = world.ask_bytes(node, ApiKey::Fetch, version, &body);
    read(&FetchResponse::decode(version, &answer).expect("a response"))
}

/// A frame's body after its length and header.
pub fn body_of(api: ApiKey, frame: &[u8]) -> BytesMut {
    let frame = &frame[4..];
    let (header, at) = plimsoll_wire::header::RequestHeader::decode(frame).expect("a header");
    assert_eq!(header.spec.key, api);
    BytesMut::from(&frame[at..])
}

/// Three nodes and `orders` of one partition, in sync on all of them, and its
/// leader.
pub fn orders_in_sync(settings: &[(&str, &str)]) -> (World, usize) {
    let mut world = World::ready(3, settings);
    assert_eq!(create(&mut world, 1, "orders", 1, 3), 0);
    world.until("all are in sync", |world| {
        world
            .partition(1, "orders", 0)
            .is_some_and(|p| p.isr.len() == 3)
    });
    world.pass(Duration::from_millis(500));
    let leader = world.leader("orders", 0).expect("a leader");
    (world, leader)
}

/// A node's id, by its number.
pub fn node_id(node: usize) -> NodeId {
    NodeId(i32::try_from(node).expect("a small number"))
}
