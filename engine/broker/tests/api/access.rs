//! Who may do what: every API that is served is refused without the entries that
//! it needs, and served with them.

use crate::access_table::{Case, Denied, OPEN, cases};
use crate::groups::text;
use crate::guarded::*;
use crate::support::{World, body};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteAclsRequest, DeleteAclsResponse,
    DescribeAclsRequest, DescribeAclsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeGroupsRequest, DescribeGroupsResponse, GroupId, MetadataRequest, MetadataResponse,
    TopicName,
};
use plimsoll_broker::{Broker, BrokerConfig, Outcome};
use plimsoll_log::MemDisk;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What alice is answered.
struct Answered {
    /// The names of its errors.
    errors: BTreeSet<String>,
    bytes: Vec<u8>,
    /// Whether it comes at once.
    ready: bool,
}

fn ask(case: &Case, grants: &[Grant]) -> Answered {
    let mut world = world();
    grant(&mut world, grants);
    let before = errors(&world);
    let outcome = world.send(case.api, case.version, &case.body);
    let news = errors(&world).into_iter().filter(|(key, count)| {
        let earlier = before.get(key).copied().unwrap_or(0);
        key.0 == case.api.spec().name && *count > earlier
    });
    let (bytes, ready) = match &outcome {
        Outcome::Ready(response) => (body(case.api, case.version, response).to_vec(), true),
        Outcome::Parked(_) => (Vec::new(), false),
        other => panic!("{} {}: {other:?}", case.api, case.version),
    };
    Answered {
        errors: news.map(|((_, error), _)| error).collect(),
        bytes,
        ready,
    }
}

/// What is wrong with the answer to a client with these entries.
fn fault(case: &Case, grants: &[Grant], allowed: bool) -> Option<String> {
    let answered = ask(case, grants);
    let asked = format!("{} {} with {grants:?}", case.api, case.version);
    let is_refusal = |error: &String| error.ends_with("_AUTHORIZATION_FAILED");
    let served = match case.denied {
        Denied::Hidden(name) => {
            let mut parts = answered.bytes.windows(name.len());
            parts.any(|part| part == name.as_bytes())
        }
        Denied::Refused => !answered.errors.iter().any(is_refusal),
    };
    if served != allowed {
        return Some(format!("{asked} served: {served}, {:?}", answered.errors));
    }
    (!allowed && !answered.ready).then(|| format!("{asked} is not refused at once"))
}

#[test]
fn every_api_is_refused_without_each_entry_it_needs_and_served_with_all() {
    let mut faults = Vec::new();
    for case in cases() {
        for missing in 0..case.needs.len() {
            let mut some = case.needs.to_vec();
            some.remove(missing);
            faults.extend(fault(&case, &some, false));
        }
        faults.extend(fault(&case, case.needs, true));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_api_that_is_served_is_in_the_table() {
    let listed: BTreeSet<ApiKey> = cases().iter().map(|case| case.api).collect();
    for &api in ApiKey::ALL {
        let known = listed.contains(&api) || OPEN.contains(&api);
        let version = api.spec().max;
        let outcome = world().send(api, version, &[]);
        let unserved = matches!(&outcome, Outcome::Close(why) if why.0.ends_with("is not served"));
        assert!(
            known != unserved,
            "{api}: say in access_table.rs what a client needs to be allowed for it"
        );
    }
}

fn denial((kind, name, operation): Grant) -> AclCreation {
    allow((kind, name, operation)).with_permission_type(2)
}

fn metadata_of(world: &mut World, name: &str) -> (i16, i32, usize) {
    let asked = MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
    let query = MetadataRequest::default()
        .with_topics(Some(vec![asked]))
        .with_allow_auto_topic_creation(true)
        .with_include_topic_authorized_operations(true);
    let response: MetadataResponse = world.ask(ApiKey::Metadata, 9, &query);
    let topic = &response.topics[0];
    let operations = topic.topic_authorized_operations;
    (topic.error_code, operations, topic.partitions.len())
}

#[test]
fn a_topic_that_a_client_may_not_see_looks_like_one_that_is_not_there() {
    let mut world = world();
    let refused = ErrorCode::TopicAuthorizationFailed.code();
    let hidden = metadata_of(&mut world, "orders");
    assert_eq!(hidden, (refused, i32::MIN, 0));
    assert_eq!(metadata_of(&mut world, "missing"), hidden);
    grant(&mut world, &[(TOPIC, "*", DESCRIBE)]);
    let (code, operations, partitions) = metadata_of(&mut world, "orders");
    assert_eq!((code, operations, partitions), (0, 1 << DESCRIBE, 1));
    // Seeing it is not creating it.
    assert_eq!(metadata_of(&mut world, "missing").0, refused);
    grant(&mut world, &[(TOPIC, "missing", CREATE)]);
    assert_eq!(metadata_of(&mut world, "missing").0, 0);
}

#[test]
fn what_a_client_may_do_is_told_in_bits() {
    let mut world = world();
    let group = GroupId(text("readers"));
    let groups = DescribeGroupsRequest::default()
        .with_groups(vec![group])
        .with_include_authorized_operations(true);
    let cluster =
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
    let asked = |world: &mut World| {
        let groups: DescribeGroupsResponse = world.ask(ApiKey::DescribeGroups, 5, &groups);
        let cluster: DescribeClusterResponse = world.ask(ApiKey::DescribeCluster, 0, &cluster);
        let of_group = groups.groups[0].authorized_operations;
        (of_group, cluster.cluster_authorized_operations)
    };
    assert_eq!(asked(&mut world), (i32::MIN, 0));
    grant(
        &mut world,
        &[
            (GROUP, "readers", READ),
            (CLUSTER, "kafka-cluster", ALTER),
            (CLUSTER, "kafka-cluster", CREATE),
        ],
    );
    let bits = |operations: &[i8]| operations.iter().fold(0, |bits, one| bits | (1 << one));
    let expected = (bits(&[READ, DESCRIBE]), bits(&[ALTER, DESCRIBE, CREATE]));
    assert_eq!(asked(&mut world), expected);
}

#[test]
fn a_denial_wins_and_prefixes_and_hosts_count() {
    let mut world = world();
    become_user(&mut world, "root");
    let prefixed = allow((TOPIC, "ord", READ)).with_resource_pattern_type(4);
    let elsewhere = denial((TOPIC, "orders", READ)).with_host(text("10.0.0.1"));
    assert_eq!(create(&mut world, vec![prefixed, elsewhere]), [0, 0]);
    become_user(&mut world, "alice");
    assert_eq!(metadata_of(&mut world, "orders").0, 0);
    become_user(&mut world, "root");
    let here = denial((TOPIC, "orders", DESCRIBE)).with_host(text("127.0.0.1"));
    assert_eq!(create(&mut world, vec![here]), [0]);
    become_user(&mut world, "alice");
    let refused = ErrorCode::TopicAuthorizationFailed.code();
    assert_eq!(metadata_of(&mut world, "orders").0, refused);
    become_user(&mut world, "bob");
    assert_eq!(metadata_of(&mut world, "orders").0, refused);
}

/// Kind, name, pattern, and how many entries.
fn described(world: &mut World, name: Option<&str>, pattern: i8) -> Vec<(i8, String, i8, usize)> {
    let query = DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_resource_name_filter(name.map(text))
        .with_pattern_type_filter(pattern)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1);
    let response: DescribeAclsResponse = world.ask(ApiKey::DescribeAcls, 3, &query);
    assert_eq!(response.error_code, 0, "{:?}", response.error_message);
    let things = response.resources.iter();
    things
        .map(|thing| {
            let name = thing.resource_name.to_string();
            (
                thing.resource_type,
                name,
                thing.pattern_type,
                thing.acls.len(),
            )
        })
        .collect()
}

#[test]
fn entries_are_kept_over_a_restart_and_deleted_by_a_filter() {
    let mut world = world();
    grant(
        &mut world,
        &[(TOPIC, "orders", READ), (TOPIC, "orders", WRITE)],
    );
    become_user(&mut world, "root");
    let prefixed = allow((TOPIC, "ord", READ)).with_resource_pattern_type(4);
    // The same again adds nothing.
    assert_eq!(create(&mut world, vec![prefixed.clone(), prefixed]), [0, 0]);
    let both = [
        (TOPIC, "orders".to_owned(), 3, 2),
        (TOPIC, "ord".to_owned(), 4, 1),
    ];
    assert_eq!(described(&mut world, None, 1), both);
    world.restart(true);
    become_user(&mut world, "root");
    assert_eq!(described(&mut world, Some("orders"), 2), both);
    assert_eq!(described(&mut world, Some("orders"), 3), both[..1]);
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(2)
        .with_resource_name_filter(Some(text("orders")))
        .with_pattern_type_filter(2)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(READ)
        .with_permission_type(1);
    let query = DeleteAclsRequest::default().with_filters(vec![filter]);
    let response: DeleteAclsResponse = world.ask(ApiKey::DeleteAcls, 3, &query);
    let gone = response.filter_results[0].matching_acls.iter();
    let gone: Vec<_> = gone.map(|one| one.resource_name.to_string()).collect();
    assert_eq!(gone.len(), 2, "{gone:?}");
    let left = [(TOPIC, "orders".to_owned(), 3, 1)];
    assert_eq!(described(&mut world, None, 1), left);
}

#[test]
fn without_an_authorizer_entries_are_refused() {
    let mut world = World::new();
    let disabled = ErrorCode::SecurityDisabled.code();
    let made = create(&mut world, vec![allow((TOPIC, "orders", READ))]);
    assert_eq!(made, [disabled]);
    let query = DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1);
    let response: DescribeAclsResponse = world.ask(ApiKey::DescribeAcls, 1, &query);
    assert_eq!(response.error_code, disabled);
    let query = DeleteAclsRequest::default().with_filters(vec![DeleteAclsFilter::default()]);
    let response: DeleteAclsResponse = world.ask(ApiKey::DeleteAcls, 2, &query);
    assert_eq!(response.filter_results[0].error_code, disabled);
}

#[test]
fn a_creator_that_may_not_describe_settings_is_told_none() {
    use kafka_protocol::messages::create_topics_request::CreatableTopic;
    let mut world = world();
    grant(&mut world, &[(TOPIC, "new", CREATE)]);
    let new = CreatableTopic::default()
        .with_name(TopicName(text("new")))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let query = CreateTopicsRequest::default()
        .with_topics(vec![new])
        .with_validate_only(true);
    let made: CreateTopicsResponse = world.ask(ApiKey::CreateTopics, 5, &query);
    let made = &made.topics[0];
    let refused = ErrorCode::TopicAuthorizationFailed.code();
    assert_eq!(
        (made.error_code, made.topic_config_error_code),
        (0, refused)
    );
    assert_eq!(
        (made.num_partitions, made.configs.as_deref()),
        (-1, Some(&[][..]))
    );
}

#[test]
fn nodes_of_a_cluster_must_be_let_in() {
    let start = |super_users: &str| {
        let settings = [
            ("node.id", "1"),
            ("log.dirs", "/data"),
            ("controller.quorum.voters", "1@h:1,2@h:2,3@h:3"),
            ("authorizer.class.name", AUTHORIZER),
            ("super.users", super_users),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (config, _) = BrokerConfig::from_properties(settings).expect("good settings");
        let now = World::new().now;
        Broker::new(config, Arc::new(MemDisk::new()), now).map(drop)
    };
    let refused = start("User:root").expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "super.users: User:root contradicts authorizer.class.name in a cluster: nodes speak to \
         each other as User:ANONYMOUS, which must be a super user; keep their listener away from \
         clients"
    );
    assert!(start("User:root;User:ANONYMOUS").is_ok());
}
