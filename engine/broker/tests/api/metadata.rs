//! ApiVersions, Metadata, DescribeCluster and DescribeTopicPartitions, in every
//! version.

use crate::support::{World, read};
use kafka_protocol::messages::api_versions_request::ApiVersionsRequest;
use kafka_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use kafka_protocol::messages::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use kafka_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::messages::{
    ApiVersionsResponse, DescribeClusterResponse, DescribeTopicPartitionsResponse,
    MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::Outcome;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;

fn name(name: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(name))
}

fn metadata_of(topics: &[&'static str]) -> MetadataRequest {
    let topic = |topic: &&'static str| MetadataRequestTopic::default().with_name(Some(name(topic)));
    MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(true)
}

#[test]
fn api_versions_names_everything_that_is_served_in_every_version() {
    let mut world = World::new();
    let query = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("tests"))
        .with_client_software_version(StrBytes::from_static_str("1.0"));
    for version in 0..=4 {
        let query = if version >= 3 {
            query.clone()
        } else {
            ApiVersionsRequest::default()
        };
        let response: ApiVersionsResponse = world.ask(ApiKey::ApiVersions, version, &query);
        assert_eq!(response.error_code, 0, "version {version}");
        let produce = response.api_keys.iter().find(|api| api.api_key == 0);
        let range = produce.map(|api| (api.min_version, api.max_version));
        assert_eq!(range, Some((0, 13)), "librdkafka wants to see produce 0");
    }
    assert_eq!(world.connection.software(), Some(("tests", "1.0")));
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0_with_the_range() {
    let mut world = World::new();
    let Outcome::Ready(response) = world.send(ApiKey::ApiVersions, 9, &[]) else {
        panic!("it is answered");
    };
    let response: ApiVersionsResponse = read(ApiKey::ApiVersions, 0, &response);
    assert_eq!(response.error_code, ErrorCode::UnsupportedVersion.code());
    let range: Vec<_> = response
        .api_keys
        .iter()
        .map(|a| (a.api_key, a.min_version, a.max_version))
        .collect();
    assert_eq!(range, [(18, 0, 4)]);
}

#[test]
fn bad_software_names_are_refused() {
    let mut world = World::new();
    let query = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("a b"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    let response: ApiVersionsResponse = world.ask(ApiKey::ApiVersions, 3, &query);
    assert_eq!(response.error_code, ErrorCode::InvalidRequest.code());
}

#[test]
fn other_unknown_versions_and_apis_close_the_connection() {
    let mut world = World::new();
    let mut check = |api: ApiKey, version: i16, body: &[u8]| {
        let outcome = world.send(api, version, body);
        assert!(
            matches!(outcome, Outcome::Close(_)),
            "{api} {version}: {outcome:?}"
        );
    };
    check(ApiKey::Metadata, 99, &[]);
    check(ApiKey::Produce, 0, &[]);
    check(ApiKey::DescribeAcls, 1, &[]);
    // Two thousand million topics in a few bytes.
    check(ApiKey::Metadata, 1, &[0x7f, 0xff, 0xff, 0xff, 0, 0]);
    check(ApiKey::Metadata, 1, &[]);
}

#[test]
fn asking_for_a_topic_creates_it_in_every_version() {
    for version in 0..=13 {
        let mut world = World::with(&[("num.partitions", "3")]);
        let mut query = metadata_of(&["orders"]);
        if version < 4 {
            query.allow_auto_topic_creation = true;
        }
        let response: MetadataResponse = world.ask(ApiKey::Metadata, version, &query);
        let topic = &response.topics[0];
        assert_eq!(
            (topic.error_code, topic.partitions.len()),
            (0, 3),
            "version {version}"
        );
        assert_eq!(topic.topic_id.is_nil(), version < 10, "version {version}");
        assert_eq!(response.brokers[0].host.as_str(), "localhost");
    }
}

#[test]
fn topics_are_not_created_when_broker_or_client_say_no() {
    let check = |auto: &str, allow: bool, version: i16, expected: ErrorCode| {
        let mut world = World::with(&[("auto.create.topics.enable", auto)]);
        let query = metadata_of(&["orders"]).with_allow_auto_topic_creation(allow);
        let response: MetadataResponse = world.ask(ApiKey::Metadata, version, &query);
        assert_eq!(
            response.topics[0].error_code,
            expected.code(),
            "{auto} {allow} {version}"
        );
    };
    check("true", true, 9, ErrorCode::None);
    check("true", false, 9, ErrorCode::UnknownTopicOrPartition);
    check("false", true, 9, ErrorCode::UnknownTopicOrPartition);
}

#[test]
fn bad_names_and_unknown_ids_have_errors_of_their_own() {
    let mut world = World::new();
    let response: MetadataResponse =
        world.ask(ApiKey::Metadata, 12, &metadata_of(&["no such name", ".."]));
    let codes: Vec<_> = response
        .topics
        .iter()
        .map(|topic| topic.error_code)
        .collect();
    assert_eq!(codes, [ErrorCode::InvalidTopicException.code(); 2]);
    let unknown = MetadataRequestTopic::default()
        .with_topic_id(uuid::Uuid::from_u128(7))
        .with_name(None);
    let query = MetadataRequest::default().with_topics(Some(vec![unknown]));
    let response: MetadataResponse = world.ask(ApiKey::Metadata, 12, &query);
    assert_eq!(
        response.topics[0].error_code,
        ErrorCode::UnknownTopicId.code()
    );
}

#[test]
fn version_0_asks_for_all_topics_with_an_empty_list_and_later_ones_with_null() {
    let mut world = World::new();
    let _: MetadataResponse = world.ask(ApiKey::Metadata, 9, &metadata_of(&["a", "b"]));
    let mut count = |version, topics| {
        let query = MetadataRequest::default().with_topics(topics);
        let response: MetadataResponse = world.ask(ApiKey::Metadata, version, &query);
        response.topics.len()
    };
    assert_eq!(count(0, Some(vec![])), 2);
    assert_eq!(count(1, Some(vec![])), 0);
    assert_eq!(count(1, None), 2);
    assert_eq!(count(13, None), 2);
}

#[test]
fn the_cluster_is_described_in_every_version() {
    let mut world = World::new();
    for version in 0..=2 {
        let query = DescribeClusterRequest::default();
        let query = if version >= 1 {
            query.with_endpoint_type(1)
        } else {
            query
        };
        let response: DescribeClusterResponse = world.ask(ApiKey::DescribeCluster, version, &query);
        assert_eq!((response.error_code, response.brokers.len()), (0, 1));
        assert_eq!(response.cluster_id.as_str(), world.broker.cluster_id());
    }
    let controllers = DescribeClusterRequest::default().with_endpoint_type(2);
    let response: DescribeClusterResponse = world.ask(ApiKey::DescribeCluster, 1, &controllers);
    assert_eq!(
        response.error_code,
        ErrorCode::MismatchedEndpointType.code()
    );
}

#[test]
fn pages_of_partitions_follow_one_another_without_gap_or_repetition() {
    let mut world = World::with(&[("num.partitions", "5")]);
    let _: MetadataResponse = world.ask(ApiKey::Metadata, 9, &metadata_of(&["b", "a", "c"]));
    let mut seen = Vec::new();
    let mut cursor: Option<Cursor> = None;
    for _ in 0..10 {
        let query = DescribeTopicPartitionsRequest::default()
            .with_response_partition_limit(3)
            .with_cursor(cursor.take());
        let page: DescribeTopicPartitionsResponse =
            world.ask(ApiKey::DescribeTopicPartitions, 0, &query);
        for topic in &page.topics {
            let name = topic.name.as_ref().expect("a name").0.to_string();
            seen.extend(
                topic
                    .partitions
                    .iter()
                    .map(|p| (name.clone(), p.partition_index)),
            );
        }
        let Some(next) = page.next_cursor else {
            break;
        };
        cursor = Some(
            Cursor::default()
                .with_topic_name(next.topic_name)
                .with_partition_index(next.partition_index),
        );
    }
    let expected: Vec<_> = ["a", "b", "c"]
        .iter()
        .flat_map(|t| (0..5).map(|p| ((*t).to_owned(), p)))
        .collect();
    assert_eq!(seen, expected);
    let missing = TopicRequest::default().with_name(name("missing"));
    let query = DescribeTopicPartitionsRequest::default().with_topics(vec![missing]);
    let page: DescribeTopicPartitionsResponse =
        world.ask(ApiKey::DescribeTopicPartitions, 0, &query);
    assert_eq!(
        page.topics[0].error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
}

#[test]
fn topics_and_identity_outlive_clean_and_unclean_restarts() {
    for clean in [true, false] {
        let mut world = World::with(&[("num.partitions", "2")]);
        let before: MetadataResponse = world.ask(ApiKey::Metadata, 12, &metadata_of(&["orders"]));
        let cluster = world.broker.cluster_id().to_owned();
        world.restart(clean);
        assert_eq!(world.broker.cluster_id(), cluster);
        let query = metadata_of(&["orders"]).with_allow_auto_topic_creation(false);
        let after: MetadataResponse = world.ask(ApiKey::Metadata, 12, &query);
        assert_eq!(after.topics, before.topics, "clean: {clean}");
    }
}
