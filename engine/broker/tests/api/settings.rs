//! Settings of topics and brokers.

use crate::support::World;
use crate::topics::{create, text, topic, with_config};
use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as ReplacedResource, AlterableConfig as ReplacedConfig,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, ListConfigResourcesRequest,
    ListConfigResourcesResponse,
};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn describe(world: &mut World, kind: i8, name: &str, key: &str) -> (i16, Option<(String, i8)>) {
    let asked = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(Some(vec![text(key)]));
    let query = DescribeConfigsRequest::default()
        .with_resources(vec![asked])
        .with_include_synonyms(true)
        .with_include_documentation(true);
    let mut seen = None;
    for version in [4, 3, 2, 1] {
        let query = if version >= 3 {
            query.clone()
        } else {
            query.clone().with_include_documentation(false)
        };
        let response: DescribeConfigsResponse = world.ask(ApiKey::DescribeConfigs, version, &query);
        let result = &response.results[0];
        let shown = result.configs.first().map(|config| {
            (
                config
                    .value
                    .as_ref()
                    .map_or("null".into(), |v| v.to_string()),
                config.config_source,
            )
        });
        let answer = (result.error_code, shown);
        assert_eq!(
            seen.get_or_insert(answer.clone()),
            &answer,
            "version {version}"
        );
    }
    seen.expect("four versions were asked")
}

fn alter(world: &mut World, kind: i8, name: &str, op: i8, key: &str, value: Option<&str>) -> i16 {
    let config = AlterableConfig::default()
        .with_name(text(key))
        .with_config_operation(op)
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config]);
    let query = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let response: IncrementalAlterConfigsResponse =
        world.ask(ApiKey::IncrementalAlterConfigs, 1, &query);
    response.responses[0].error_code
}

#[test]
fn settings_are_set_removed_appended_and_subtracted() {
    let mut world = World::new();
    create(&mut world, 7, vec![topic("a", 1, 1)]);
    let mut check = |op: i8, key: &str, value: Option<&str>, expected: (&str, i8)| {
        assert_eq!(
            alter(&mut world, TOPIC, "a", op, key, value),
            0,
            "{op} {key} {value:?}"
        );
        let shown = describe(&mut world, TOPIC, "a", key);
        assert_eq!(shown, (0, Some((expected.0.to_owned(), expected.1))));
    };
    check(0, "retention.ms", Some("1000"), ("1000", 1));
    check(1, "retention.ms", None, ("604800000", 5));
    check(2, "cleanup.policy", Some("compact"), ("delete,compact", 1));
    check(3, "cleanup.policy", Some("delete"), ("compact", 1));
    world.restart(false);
    assert_eq!(
        describe(&mut world, TOPIC, "a", "cleanup.policy"),
        (0, Some(("compact".into(), 1)))
    );
}

#[test]
fn the_brokers_settings_are_the_topics_defaults_and_change_at_run_time() {
    let mut world = World::with(&[("log.retention.hours", "1")]);
    create(&mut world, 7, vec![topic("a", 1, 1)]);
    let retention = |world: &mut World| describe(world, TOPIC, "a", "retention.ms").1;
    assert_eq!(retention(&mut world), Some(("3600000".into(), 4)));
    assert_eq!(
        alter(&mut world, BROKER, "", 0, "log.retention.ms", Some("7")),
        0
    );
    assert_eq!(retention(&mut world), Some(("7".into(), 3)));
    assert_eq!(
        alter(&mut world, BROKER, "1", 0, "log.retention.ms", Some("8")),
        0
    );
    assert_eq!(retention(&mut world), Some(("8".into(), 2)));
    assert_eq!(
        describe(&mut world, BROKER, "1", "log.retention.ms"),
        (0, Some(("8".into(), 2)))
    );
    assert_eq!(
        describe(&mut world, BROKER, "", "log.retention.ms"),
        (0, Some(("7".into(), 3)))
    );
}

/// Kafka's reassignment tool removes all throttles at its end, of which this broker
/// does not have each.
#[test]
fn what_a_broker_does_not_have_can_be_removed_and_not_set() {
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    let mut world = World::new();
    let invalid = ErrorCode::InvalidConfig.code();
    let name = "replica.alter.log.dirs.io.max.bytes.per.second";
    assert_eq!(alter(&mut world, BROKER, "1", DELETE, name, None), 0);
    assert_eq!(
        alter(&mut world, BROKER, "1", SET, name, Some("1")),
        invalid
    );
    create(&mut world, 7, vec![topic("a", 1, 1)]);
    assert_eq!(
        alter(&mut world, TOPIC, "a", DELETE, "no.such", None),
        invalid
    );
}

#[test]
fn settings_that_cannot_be_made_have_kafkas_error() {
    let mut world = World::new();
    create(&mut world, 7, vec![topic("a", 1, 1)]);
    let mut check = |kind: i8, name: &str, op: i8, key: &str, value, expected: ErrorCode| {
        let code = alter(&mut world, kind, name, op, key, value);
        assert_eq!(code, expected.code(), "{kind} {name} {op} {key} {value:?}");
    };
    check(
        TOPIC,
        "b",
        0,
        "retention.ms",
        Some("1"),
        ErrorCode::UnknownTopicOrPartition,
    );
    check(
        TOPIC,
        "a b",
        0,
        "retention.ms",
        Some("1"),
        ErrorCode::InvalidTopicException,
    );
    check(
        TOPIC,
        "a",
        0,
        "retention",
        Some("1"),
        ErrorCode::InvalidConfig,
    );
    check(
        TOPIC,
        "a",
        0,
        "retention.ms",
        Some("x"),
        ErrorCode::InvalidConfig,
    );
    check(
        TOPIC,
        "a",
        0,
        "retention.ms",
        None,
        ErrorCode::InvalidRequest,
    );
    check(
        TOPIC,
        "a",
        2,
        "retention.ms",
        Some("1"),
        ErrorCode::InvalidConfig,
    );
    check(
        TOPIC,
        "a",
        9,
        "retention.ms",
        Some("1"),
        ErrorCode::InvalidRequest,
    );
    check(
        TOPIC,
        "a",
        3,
        "cleanup.policy",
        Some("delete"),
        ErrorCode::None,
    );
    check(
        BROKER,
        "2",
        0,
        "log.retention.ms",
        Some("1"),
        ErrorCode::InvalidRequest,
    );
    check(
        BROKER,
        "1",
        0,
        "node.id",
        Some("2"),
        ErrorCode::InvalidRequest,
    );
    check(8, "1", 0, "root", Some("INFO"), ErrorCode::InvalidRequest);
    check(99, "1", 0, "x", Some("1"), ErrorCode::InvalidRequest);
}

#[test]
fn replacing_settings_removes_those_that_are_not_named() {
    for version in 0..=2 {
        let mut world = World::new();
        create(
            &mut world,
            7,
            vec![with_config(topic("a", 1, 1), "retention.ms", "5")],
        );
        let config = ReplacedConfig::default()
            .with_name(text("segment.bytes"))
            .with_value(Some(text("1000")));
        let resource = ReplacedResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text("a"))
            .with_configs(vec![config]);
        let query = AlterConfigsRequest::default().with_resources(vec![resource.clone()]);
        let response: AlterConfigsResponse = world.ask(ApiKey::AlterConfigs, version, &query);
        assert_eq!(response.responses[0].error_code, 0);
        assert_eq!(
            describe(&mut world, TOPIC, "a", "segment.bytes").1,
            Some(("1000".into(), 1))
        );
        let retention = describe(&mut world, TOPIC, "a", "retention.ms").1;
        assert_eq!(retention, Some(("604800000".into(), 5)));
        let twice = query.with_resources(vec![resource.clone(), resource]);
        let response: AlterConfigsResponse = world.ask(ApiKey::AlterConfigs, version, &twice);
        assert_eq!(
            response.responses[1].error_code,
            ErrorCode::InvalidRequest.code()
        );
    }
}

#[test]
fn things_with_settings_are_listed() {
    let mut world = World::new();
    create(&mut world, 7, vec![topic("a", 1, 1)]);
    let mut check = |version: i16, kinds: &[i8], expected: &[(&str, i8)]| {
        let query = ListConfigResourcesRequest::default().with_resource_types(kinds.to_vec());
        let response: ListConfigResourcesResponse =
            world.ask(ApiKey::ListConfigResources, version, &query);
        let named: Vec<_> = response
            .config_resources
            .iter()
            .map(|r| (r.resource_name.as_str(), r.resource_type))
            .collect();
        assert_eq!(named, expected);
    };
    check(0, &[], &[]);
    check(1, &[], &[("a", TOPIC), ("1", BROKER)]);
    check(1, &[BROKER], &[("1", BROKER)]);
}
