//! What the broker counts, as a scrape sees it.

use crate::client::{batch, fetch, fetch_query, produce_name, sequenced, world_with};
use crate::support::World;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{
    DeleteTopicsRequest, DeleteTopicsResponse, GroupId, HeartbeatRequest, HeartbeatResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::metrics::{Kind, Value};
use plimsoll_log::Fault;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::topic::Topic;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// The value of the sample of a family that has these labels.
pub fn value(world: &World, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let families = world.broker.metrics(world.now);
    let family = families.into_iter().find(|family| family.name == name)?;
    let sample = family.samples.into_iter().find(|sample| {
        labels
            .iter()
            .all(|(key, value)| sample.labels.iter().any(|(k, v)| k == key && v == value))
    })?;
    Some(match sample.value {
        Value::Count(count) => count as f64,
        Value::Level(level) => level,
        Value::Spread(spread) => spread.count as f64,
    })
}

/// A family, labels of one of its samples, and its value.
type Expected<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

fn check(world: &World, expected: &[Expected<'_>]) {
    for (name, labels, expected) in expected {
        assert_eq!(
            value(world, name, labels),
            Some(*expected),
            "{name} {labels:?}"
        );
    }
}

#[test]
fn errors_of_every_request_are_counted() {
    let (mut world, _) = world_with(&[]);
    let stranger = HeartbeatRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_member_id(StrBytes::from_static_str("nobody"));
    for _ in 0..2 {
        let _: HeartbeatResponse = world.ask(ApiKey::Heartbeat, 4, &stranger);
    }
    let topic = DeleteTopicState::default()
        .with_name(Some(TopicName(StrBytes::from_static_str("missing"))));
    let missing = DeleteTopicsRequest::default().with_topics(vec![topic]);
    let _: DeleteTopicsResponse = world.ask(ApiKey::DeleteTopics, 6, &missing);
    let counted = |request: &str, error: &str| {
        let labels = [("request", request), ("error", error)];
        value(&world, "kafka_network_RequestMetrics_ErrorsPerSec", &labels)
    };
    assert_eq!(counted("Heartbeat", "UNKNOWN_MEMBER_ID"), Some(2.0));
    let of_a_topic = counted("DeleteTopics", "UNKNOWN_TOPIC_OR_PARTITION");
    assert_eq!(of_a_topic, Some(1.0));
    assert_eq!(counted("DeleteTopics", "NONE"), None);
}

#[test]
fn traffic_requests_and_logs_are_counted_under_kafkas_names() {
    let (mut world, _) = world_with(&[]);
    let batches = [batch(3), sequenced(0, 0, 2)];
    let bytes: usize = batches.iter().map(Vec::len).sum();
    for batch in &batches {
        assert_eq!(produce_name(&mut world, batch).error, ErrorCode::None);
    }
    let again = produce_name(&mut world, &batches[1]);
    assert_eq!(
        (again.error, again.base_offset),
        (ErrorCode::None, 3),
        "a duplicate"
    );
    let refused = produce_name(&mut world, &sequenced(0, 9, 1)).error;
    assert_eq!(refused, ErrorCode::OutOfOrderSequenceNumber);
    fetch(&mut world, 11, &fetch_query(Topic::Name("orders"), 0));
    fetch(&mut world, 11, &fetch_query(Topic::Name("orders"), 99));
    world
        .broker
        .answered(ApiKey::Fetch.key(), Duration::from_millis(3));
    world.broker.answered(-7, Duration::from_millis(3));
    let orders: &[_] = &[("topic", "orders")];
    let first: &[_] = &[("topic", "orders"), ("partition", "0")];
    let (produce, fetch): (&[_], &[_]) = (&[("request", "Produce")], &[("request", "Fetch")]);
    let size = bytes as f64;
    check(
        &world,
        &[
            (
                "kafka_server_BrokerTopicMetrics_MessagesInPerSec",
                orders,
                5.0,
            ),
            (
                "kafka_server_BrokerTopicMetrics_BytesInPerSec",
                orders,
                size,
            ),
            (
                "kafka_server_BrokerTopicMetrics_BytesOutPerSec",
                orders,
                size,
            ),
            (
                "kafka_server_BrokerTopicMetrics_TotalProduceRequestsPerSec",
                orders,
                4.0,
            ),
            (
                "kafka_server_BrokerTopicMetrics_FailedProduceRequestsPerSec",
                orders,
                1.0,
            ),
            (
                "kafka_server_BrokerTopicMetrics_FailedFetchRequestsPerSec",
                orders,
                1.0,
            ),
            ("kafka_network_RequestMetrics_RequestsPerSec", produce, 4.0),
            ("kafka_network_RequestMetrics_RequestsPerSec", fetch, 2.0),
            ("kafka_network_RequestMetrics_TotalTimeMs", fetch, 1.0),
            (
                "kafka_network_RequestMetrics_ErrorsPerSec",
                &[
                    ("request", "Produce"),
                    ("error", "OUT_OF_ORDER_SEQUENCE_NUMBER"),
                ],
                1.0,
            ),
            (
                "kafka_network_RequestMetrics_ErrorsPerSec",
                &[("request", "Fetch"), ("error", "OFFSET_OUT_OF_RANGE")],
                1.0,
            ),
            ("kafka_log_Log_Size", first, size),
            ("kafka_log_Log_LogEndOffset", first, 5.0),
            ("kafka_log_Log_LogStartOffset", first, 0.0),
            ("kafka_log_Log_NumLogSegments", first, 1.0),
            ("kafka_server_ReplicaManager_PartitionCount", &[], 2.0),
            ("kafka_server_ReplicaManager_LeaderCount", &[], 2.0),
            (
                "kafka_server_ReplicaManager_UnderReplicatedPartitions",
                &[],
                0.0,
            ),
            (
                "kafka_controller_KafkaController_OfflinePartitionsCount",
                &[],
                0.0,
            ),
            ("kafka_log_LogManager_OfflineLogDirectoryCount", &[], 0.0),
        ],
    );
}

#[test]
fn a_failed_disk_is_seen_in_the_metrics() {
    let (mut world, _) = world_with(&[("log.dirs", "/a,/b")]);
    world.disk.fail_under(Path::new("/b"), Fault::Write);
    produce_name(&mut world, &batch(1));
    check(
        &world,
        &[
            ("kafka_log_LogManager_OfflineLogDirectoryCount", &[], 1.0),
            (
                "kafka_log_LogManager_LogDirectoryOffline",
                &[("logDirectory", "/b")],
                1.0,
            ),
            (
                "kafka_controller_KafkaController_OfflinePartitionsCount",
                &[],
                1.0,
            ),
            ("kafka_server_ReplicaManager_OfflineReplicaCount", &[], 1.0),
            ("kafka_server_ReplicaManager_LeaderCount", &[], 1.0),
        ],
    );
}

#[test]
fn names_are_prometheus_names_and_used_once() {
    let (mut world, _) = world_with(&[("log.cleanup.policy", "compact")]);
    produce_name(&mut world, &batch(1));
    let families = world.broker.metrics(world.now);
    let mut names = BTreeSet::new();
    for family in &families {
        let name = family.name;
        assert!(names.insert(name), "{name} is there twice");
        assert!(!name.ends_with("_total"), "the format adds it to {name}");
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(name.chars().all(plain), "{name}");
        for sample in &family.samples {
            let fits = matches!(
                (family.kind, &sample.value),
                (Kind::Counter, Value::Count(_))
                    | (Kind::Gauge, Value::Level(_))
                    | (Kind::Histogram, Value::Spread(_))
            );
            assert!(fits, "{name}: {sample:?}");
        }
    }
}
