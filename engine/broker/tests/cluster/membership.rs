//! Nodes find each other, elect a controller, come, go and come back.

use crate::world::World;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DescribeQuorumRequest, DescribeQuorumResponse,
    MetadataRequest, MetadataResponse, TopicName, UpdateFeaturesRequest, UpdateFeaturesResponse,
    describe_quorum_request,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use plimsoll_broker::Connection;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use std::time::Duration;

fn creation(name: &str, partitions: i32, replicas: i16) -> CreateTopicsRequest {
    let topic = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_string(name.to_owned())))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas);
    CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(10_000)
}

/// Creates a topic by way of a node; the error code.
pub fn create(world: &mut World, node: usize, name: &str, partitions: i32, replicas: i16) -> i16 {
    let query = creation(name, partitions, replicas);
    let response: CreateTopicsResponse = world.ask(node, ApiKey::CreateTopics, 7, &query);
    response.topics[0].error_code
}

#[test]
fn three_nodes_elect_one_controller_and_let_each_other_in() {
    let world = World::ready(3, &[]);
    let active = (1..=3).filter(|node| world.broker(*node).is_active_controller());
    assert_eq!(active.count(), 1);
    for node in 1..=3 {
        let image = world.broker(node).image();
        assert_eq!(image.brokers().len(), 3, "node {node}");
    }
}

#[test]
fn a_topic_created_anywhere_is_known_everywhere() {
    let mut world = World::ready(3, &[]);
    for node in 1..=3 {
        let name = format!("by-{node}");
        assert_eq!(create(&mut world, node, &name, 3, 3), 0, "{name}");
        world.until("all nodes know the topic", |world| {
            (1..=3).all(|other| world.partition(other, &name, 2).is_some())
        });
    }
    let exists = ErrorCode::TopicAlreadyExists.code();
    assert_eq!(create(&mut world, 2, "by-1", 3, 3), exists);
}

#[test]
fn a_lost_controller_is_replaced_and_nothing_it_committed_is_forgotten() {
    let mut world = World::ready(3, &[]);
    let first = world.controller().expect("one is active");
    assert_eq!(create(&mut world, first, "orders", 1, 3), 0);
    world.kill(first);
    world.until("another controller is active", |world| {
        world.controller().is_some_and(|node| node != first)
    });
    let second = world.controller().expect("one is active");
    assert!(world.partition(second, "orders", 0).is_some());
    assert_eq!(create(&mut world, second, "later", 1, 2), 0);
    world.start(first);
    world.until("the lost node is back", |world| {
        world.broker(first).is_ready() && world.partition(first, "later", 0).is_some()
    });
}

#[test]
fn without_a_majority_nothing_is_changed_and_the_client_is_told_to_try_again() {
    let mut world = World::ready(3, &[("request.timeout.ms", "5000")]);
    let left = world.controller().expect("one is active");
    for node in (1..=3).filter(|node| *node != left) {
        world.kill(node);
    }
    let code = create(&mut world, left, "orders", 1, 1);
    assert_eq!(code, ErrorCode::NotController.code());
    assert!(world.partition(left, "orders", 0).is_none());
}

/// What a node tells a client of the cluster: the brokers, and the partitions
/// of `orders`.
fn told(world: &mut World, node: usize) -> (Vec<i32>, usize) {
    let name = TopicName(StrBytes::from_static_str("orders"));
    let topic = MetadataRequestTopic::default().with_name(Some(name));
    let query = MetadataRequest::default().with_topics(Some(vec![topic]));
    let response: MetadataResponse = world.ask(node, ApiKey::Metadata, 12, &query);
    let brokers = response.brokers.iter().map(|broker| broker.node_id.0);
    (brokers.collect(), response.topics[0].partitions.len())
}

/// A node was killed and was back within the second. It answered a client out of
/// an image of which nothing was replayed yet: no brokers. The client, librdkafka,
/// let go of all the brokers that it knew and never asked anybody again.
#[test]
fn a_node_that_is_back_tells_clients_of_the_cluster_once_it_knows_it() {
    let mut world = World::ready(3, &[]);
    assert_eq!(create(&mut world, 1, "orders", 2, 3), 0);
    for node in 1..=3 {
        world.kill(node);
        world.start(node);
        assert_eq!(told(&mut world, node), (vec![1, 2, 3], 2), "node {node}");
    }
}

/// In their images all nodes are fenced until the first is let in.
#[test]
fn nodes_that_start_together_tell_of_no_empty_cluster() {
    let mut world = World::ready(3, &[]);
    assert_eq!(create(&mut world, 1, "orders", 2, 3), 0);
    for node in 1..=3 {
        world.kill(node);
    }
    for node in 1..=3 {
        world.start(node);
    }
    for node in 1..=3 {
        let (brokers, partitions) = told(&mut world, node);
        let itself = i32::try_from(node).expect("small");
        assert!(brokers.contains(&itself), "node {node}: {brokers:?}");
        assert_eq!(partitions, 2, "node {node}");
    }
}

#[test]
fn a_silent_node_is_fenced_and_let_in_again_when_it_speaks() {
    let mut world = World::ready(3, &[("broker.session.timeout.ms", "3000")]);
    let controller = world.controller().expect("one is active");
    let silent = (1..=3).find(|node| *node != controller).expect("another");
    let id = plimsoll_wire::types::NodeId(i32::try_from(silent).expect("small"));
    let fenced = move |world: &World| {
        let node = world.controller().unwrap_or(controller);
        world.broker(node).image().brokers()[&id].fenced
    };
    world.isolate(silent, true);
    world.until("it is fenced", fenced);
    world.isolate(silent, false);
    world.until("it is let in again", |world| !fenced(world));
}

#[test]
fn the_quorum_is_described_by_its_leader_whoever_is_asked() {
    let mut world = World::ready(3, &[]);
    world.pass(Duration::from_secs(1));
    let topic = describe_quorum_request::TopicData::default()
        .with_topic_name(TopicName(StrBytes::from_static_str("__cluster_metadata")))
        .with_partitions(vec![describe_quorum_request::PartitionData::default()]);
    let query = DescribeQuorumRequest::default().with_topics(vec![topic]);
    let controller = world.controller().expect("one is active");
    for node in 1..=3 {
        let response: DescribeQuorumResponse = world.ask(node, ApiKey::DescribeQuorum, 2, &query);
        assert_eq!(response.error_code, 0);
        let partition = &response.topics[0].partitions[0];
        assert_eq!(usize::try_from(partition.leader_id.0), Ok(controller));
        assert_eq!(partition.current_voters.len(), 3);
        for voter in &partition.current_voters {
            assert_eq!(voter.log_end_offset, partition.high_watermark);
        }
        assert_eq!(response.nodes.len(), 3);
    }
}

#[test]
fn features_are_lowered_and_raised_and_stay_so_under_the_next_controller() {
    let mut world = World::ready(3, &[]);
    let update = |world: &mut World, name: &'static str, level: i16, kind: i8| {
        let one = FeatureUpdateKey::default()
            .with_feature(StrBytes::from_static_str(name))
            .with_max_version_level(level)
            .with_upgrade_type(kind);
        let query = UpdateFeaturesRequest::default()
            .with_timeout_ms(10_000)
            .with_feature_updates(vec![one]);
        let node = world.controller().expect("one is active") % 3 + 1;
        let response: UpdateFeaturesResponse = world.ask(node, ApiKey::UpdateFeatures, 2, &query);
        (
            ErrorCode::from_wire(response.error_code),
            response.error_message,
        )
    };
    let level = |world: &World, node: usize| {
        let image = world.broker(node).image();
        image.features().get("group.version").copied()
    };
    let refused = [
        ("group.version", 9, 1, "level 9, 0 to 1 is served"),
        (
            "group.version",
            0,
            1,
            "level 0 is below 1, allow a downgrade",
        ),
        (
            "grupe.version",
            1,
            1,
            "there is no such feature, only group.version",
        ),
    ];
    for (name, to, kind, expected) in refused {
        let (code, words) = update(&mut world, name, to, kind);
        assert_eq!(code, ErrorCode::InvalidUpdateVersion, "{name} {to}");
        let words = words.expect("a reason").to_string();
        assert!(words.contains(expected), "{words}");
    }
    assert_eq!(level(&world, 1), Some(1));
    let (code, _) = update(&mut world, "group.version", 0, 2);
    assert_eq!(code, ErrorCode::None);
    let old = world.controller().expect("one is active");
    world.kill(old);
    world.until("another decides", |world| world.controller().is_some());
    world.pass(Duration::from_secs(1));
    let next = world.controller().expect("one is active");
    assert_eq!(level(&world, next), None, "it stays off");
    world.start(old);
    let (code, _) = update(&mut world, "group.version", 1, 1);
    assert_eq!(code, ErrorCode::None);
    assert_eq!(level(&world, next), Some(1));
}

/// Seed 821 of three nodes: a controller was cut off with a topic that it had
/// appended, and was deposed; when what its successor wrote reached as far, it
/// told the client that the topic was made, though the log had it no more.
#[test]
fn a_deposed_controller_tells_nobody_that_what_it_appended_is_kept() {
    let mut world = World::ready(3, &[]);
    let old = world.controller().expect("one is active");
    let mut body = bytes::BytesMut::new();
    let query = creation("orders", 1, 1);
    query.encode(&mut body, 7).expect("it encodes");
    world.isolate(old, true);
    let mut connection = Connection::new(None);
    let begun = world.begin(old, &mut connection, (ApiKey::CreateTopics, 7), &body);
    world.until("another controls", |world| {
        (1..=3).any(|node| node != old && world.broker(node).is_active_controller())
    });
    let next = (1..=3).find(|node| *node != old && world.broker(*node).is_active_controller());
    let next = next.expect("another controls");
    // More than what the old one had appended.
    assert_eq!(create(&mut world, next, "other", 9, 2), 0);
    world.isolate(old, false);
    world.until("the old one has heard", |world| {
        world.broker(old).image().topic("other").is_some()
    });
    assert!(world.broker(old).image().topic("orders").is_none());
    let mut answer = world.finish(begun);
    let response = CreateTopicsResponse::decode(&mut answer, 7).expect("it decodes");
    assert_eq!(response.topics[0].error_code, 0, "made by the next one");
    let known = world.broker(next).image();
    assert!(known.topic("orders").is_some(), "it is there when told of");
}
