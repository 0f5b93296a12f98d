//! Creating, growing and deleting topics.

use crate::support::World;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;

pub fn text(words: &str) -> StrBytes {
    StrBytes::from_string(words.to_owned())
}

pub fn topic(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

pub fn with_config(topic: CreatableTopic, name: &str, value: &str) -> CreatableTopic {
    let config = CreatableTopicConfig::default()
        .with_name(text(name))
        .with_value(Some(text(value)));
    topic.with_configs(vec![config])
}

pub fn create(world: &mut World, version: i16, topics: Vec<CreatableTopic>) -> Vec<i16> {
    let query = CreateTopicsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(1000);
    let response: CreateTopicsResponse = world.ask(ApiKey::CreateTopics, version, &query);
    response
        .topics
        .iter()
        .map(|topic| topic.error_code)
        .collect()
}

#[test]
fn topics_are_created_in_every_version() {
    for version in 2..=7 {
        let mut world = World::new();
        let query = CreateTopicsRequest::default().with_topics(vec![with_config(
            topic("orders", 3, 1),
            "retention.ms",
            "5",
        )]);
        let response: CreateTopicsResponse = world.ask(ApiKey::CreateTopics, version, &query);
        let made = &response.topics[0];
        assert_eq!(made.error_code, 0, "version {version}");
        if version >= 5 {
            assert_eq!((made.num_partitions, made.replication_factor), (3, 1));
            let configs = made.configs.as_ref().expect("configs are answered");
            let retention = configs.iter().find(|c| c.name.as_str() == "retention.ms");
            let shown =
                retention.map(|c| (c.value.as_ref().map(|v| v.to_string()), c.config_source));
            assert_eq!(shown, Some((Some("5".to_owned()), 1)));
        }
        assert_eq!(made.topic_id.is_nil(), version < 7);
    }
}

#[test]
fn what_cannot_be_created_has_kafkas_error() {
    let check = |asked: CreatableTopic, expected: ErrorCode| {
        let mut world = World::new();
        assert_eq!(create(&mut world, 7, vec![topic("taken.name", 1, 1)]), [0]);
        assert_eq!(
            create(&mut world, 7, vec![asked.clone()]),
            [expected.code()],
            "{asked:?}"
        );
    };
    let assigned = |partitions: &[(i32, &[i32])]| {
        let one = |(index, brokers): &(i32, &[i32])| {
            CreatableReplicaAssignment::default()
                .with_partition_index(*index)
                .with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
        };
        topic("a", -1, -1).with_assignments(partitions.iter().map(one).collect())
    };
    check(topic("a", -1, -1), ErrorCode::None);
    check(topic("taken.name", 1, 1), ErrorCode::TopicAlreadyExists);
    check(topic("taken_name", 1, 1), ErrorCode::InvalidTopicException);
    check(topic("", 1, 1), ErrorCode::InvalidTopicException);
    check(topic("a/b", 1, 1), ErrorCode::InvalidTopicException);
    check(topic("__cluster_metadata", 1, 1), ErrorCode::InvalidRequest);
    check(topic("a", 0, 1), ErrorCode::InvalidPartitions);
    check(topic("a", 1, 0), ErrorCode::InvalidReplicationFactor);
    check(topic("a", 1, 2), ErrorCode::InvalidReplicationFactor);
    check(topic("a", 1_000_000, 1), ErrorCode::PolicyViolation);
    check(
        with_config(topic("a", 1, 1), "retention.msec", "1"),
        ErrorCode::InvalidConfig,
    );
    check(
        with_config(topic("a", 1, 1), "retention.ms", "-2"),
        ErrorCode::InvalidConfig,
    );
    check(
        with_config(topic("a", 1, 1), "cleanup.policy", "shrink"),
        ErrorCode::InvalidConfig,
    );
    check(assigned(&[(0, &[1]), (1, &[1])]), ErrorCode::None);
    check(assigned(&[(0, &[2])]), ErrorCode::InvalidReplicaAssignment);
    check(
        assigned(&[(0, &[1, 1])]),
        ErrorCode::InvalidReplicaAssignment,
    );
    check(
        assigned(&[(0, &[1]), (2, &[1])]),
        ErrorCode::InvalidReplicaAssignment,
    );
    check(
        assigned(&[(0, &[1])]).with_num_partitions(1),
        ErrorCode::InvalidRequest,
    );
}

#[test]
fn a_name_that_is_asked_for_twice_is_refused_and_the_rest_is_made() {
    let mut world = World::new();
    let asked = vec![topic("a", 1, 1), topic("b", 1, 1), topic("a", 1, 1)];
    let twice = ErrorCode::InvalidRequest.code();
    assert_eq!(create(&mut world, 7, asked), [twice, 0, twice]);
}

#[test]
fn validation_alone_creates_nothing() {
    let mut world = World::new();
    let query = CreateTopicsRequest::default()
        .with_topics(vec![topic("orders", 1, 1)])
        .with_validate_only(true);
    let response: CreateTopicsResponse = world.ask(ApiKey::CreateTopics, 7, &query);
    assert_eq!(response.topics[0].error_code, 0);
    assert!(world.broker.image().topic("orders").is_none());
}

#[test]
fn topics_are_deleted_by_name_and_by_id_in_every_version() {
    for version in 1..=6 {
        let mut world = World::new();
        create(&mut world, 7, vec![topic("a", 2, 1), topic("b", 1, 1)]);
        let id = world.broker.image().topic("b").expect("it exists").id;
        let query = if version >= 6 {
            let by_name = DeleteTopicState::default().with_name(Some(TopicName(text("a"))));
            let by_id = DeleteTopicState::default()
                .with_name(None)
                .with_topic_id(id);
            DeleteTopicsRequest::default().with_topics(vec![by_name, by_id])
        } else {
            let names = ["a", "b"].map(|name| TopicName(text(name)));
            DeleteTopicsRequest::default().with_topic_names(names.to_vec())
        };
        let response: DeleteTopicsResponse = world.ask(ApiKey::DeleteTopics, version, &query);
        let codes: Vec<_> = response
            .responses
            .iter()
            .map(|topic| topic.error_code)
            .collect();
        assert_eq!(codes, [0, 0], "version {version}");
        assert_eq!(world.broker.image().topic_count(), 0);
        world.restart(true);
        assert_eq!(
            create(&mut world, 7, vec![topic("a", 1, 1)]),
            [0],
            "the name is free again"
        );
    }
}

#[test]
fn what_cannot_be_deleted_has_kafkas_error() {
    let named = |name: &str| DeleteTopicState::default().with_name(Some(TopicName(text(name))));
    let with_id = |id| {
        DeleteTopicState::default()
            .with_name(None)
            .with_topic_id(id)
    };
    let check = |enabled: &str, states: Vec<DeleteTopicState>, expected: &[ErrorCode]| {
        let mut world = World::with(&[("delete.topic.enable", enabled)]);
        create(&mut world, 7, vec![topic("a", 1, 1)]);
        let query = DeleteTopicsRequest::default().with_topics(states);
        let response: DeleteTopicsResponse = world.ask(ApiKey::DeleteTopics, 6, &query);
        let codes: Vec<_> = response
            .responses
            .iter()
            .map(|topic| topic.error_code)
            .collect();
        assert_eq!(
            codes,
            expected.iter().map(|code| code.code()).collect::<Vec<_>>()
        );
    };
    let some_id = uuid::Uuid::from_u128(7);
    check(
        "true",
        vec![named("b")],
        &[ErrorCode::UnknownTopicOrPartition],
    );
    check("true", vec![with_id(some_id)], &[ErrorCode::UnknownTopicId]);
    check(
        "true",
        vec![with_id(uuid::Uuid::nil())],
        &[ErrorCode::InvalidRequest],
    );
    check(
        "true",
        vec![named("a").with_topic_id(some_id)],
        &[ErrorCode::InvalidRequest],
    );
    check(
        "true",
        vec![named("a"), named("a")],
        &[ErrorCode::InvalidRequest; 2],
    );
    check(
        "false",
        vec![named("a")],
        &[ErrorCode::TopicDeletionDisabled],
    );
}

#[test]
fn partitions_are_added_in_every_version_and_never_taken_away() {
    for version in 0..=3 {
        let check = |count: i32, assignments: Option<&[i32]>, expected: ErrorCode| {
            let mut world = World::new();
            create(&mut world, 7, vec![topic("a", 2, 1)]);
            let chosen = |brokers: &[i32]| {
                let one = |id: &i32| {
                    CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(*id)])
                };
                brokers.iter().map(one).collect()
            };
            let asked = CreatePartitionsTopic::default()
                .with_name(TopicName(text("a")))
                .with_count(count)
                .with_assignments(assignments.map(chosen));
            let query = CreatePartitionsRequest::default().with_topics(vec![asked]);
            let response: CreatePartitionsResponse =
                world.ask(ApiKey::CreatePartitions, version, &query);
            assert_eq!(
                response.results[0].error_code,
                expected.code(),
                "to {count}"
            );
            let image = world.broker.image();
            let partitions = image.topic("a").map(|topic| topic.partitions.len());
            let grown = expected == ErrorCode::None;
            assert_eq!(partitions, Some(if grown { 4 } else { 2 }));
        };
        check(4, None, ErrorCode::None);
        check(4, Some(&[1, 1]), ErrorCode::None);
        check(4, Some(&[1]), ErrorCode::InvalidReplicaAssignment);
        check(4, Some(&[1, 2]), ErrorCode::InvalidReplicaAssignment);
        check(2, None, ErrorCode::InvalidPartitions);
        check(1, None, ErrorCode::InvalidPartitions);
    }
}
