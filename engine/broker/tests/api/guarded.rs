//! A world with an authorizer, and connections of users who said who they are.

use crate::groups::{orders, text};
use crate::support::World;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    GroupId, InitProducerIdRequest, InitProducerIdResponse, MetadataRequest, MetadataResponse,
    OffsetCommitRequest, OffsetCommitResponse, ProducerId, SaslAuthenticateRequest,
    SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse, TransactionalId,
};
use plimsoll_broker::metrics::Value;
use plimsoll_broker::{Connection, Listener, SaslMechanism, SecurityProtocol};
use plimsoll_wire::api::ApiKey;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/// Kinds of things, in Kafka's numbers.
pub const TOPIC: i8 = 2;
pub const GROUP: i8 = 3;
pub const CLUSTER: i8 = 4;
pub const TRANSACTION: i8 = 5;

/// Operations, in Kafka's numbers.
pub const READ: i8 = 3;
pub const WRITE: i8 = 4;
pub const CREATE: i8 = 5;
pub const DELETE: i8 = 6;
pub const ALTER: i8 = 7;
pub const DESCRIBE: i8 = 8;
pub const CLUSTER_ACTION: i8 = 9;
pub const DESCRIBE_CONFIGS: i8 = 10;
pub const ALTER_CONFIGS: i8 = 11;
pub const IDEMPOTENT_WRITE: i8 = 12;

/// A kind of thing, a name, and an operation that alice may do to it.
pub type Grant = (i8, &'static str, i8);

/// A world where root may do everything and others what they are granted. The
/// topic `orders`, the group `readers` and the transactional id `tx` are there,
/// and the world's connection is alice's.
pub fn world() -> World {
    world_with(&[])
}

pub fn world_with(settings: &[(&str, &str)]) -> World {
    let mut all = vec![
        ("authorizer.class.name", AUTHORIZER),
        ("super.users", "User:root;User:admin"),
        ("offsets.topic.num.partitions", "1"),
        ("transaction.state.log.num.partitions", "1"),
        ("group.initial.rebalance.delay.ms", "0"),
    ];
    all.extend_from_slice(settings);
    let mut world = World::with(&all);
    become_user(&mut world, "root");
    let topic = MetadataRequestTopic::default().with_name(Some(orders()));
    let query = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true);
    let _: MetadataResponse = world.ask(ApiKey::Metadata, 9, &query);
    for (kind, key) in [(0, "readers"), (1, "tx")] {
        let query = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_key(text(key));
        let found: FindCoordinatorResponse = world.ask(ApiKey::FindCoordinator, 3, &query);
        assert_eq!(found.error_code, 0);
    }
    let query = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text("tx"))))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let made: InitProducerIdResponse = world.ask(ApiKey::InitProducerId, 4, &query);
    assert_eq!(made.error_code, 0);
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(orders())
        .with_partitions(vec![partition]);
    let query = OffsetCommitRequest::default()
        .with_group_id(GroupId(text("readers")))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    let kept: OffsetCommitResponse = world.ask(ApiKey::OffsetCommit, 8, &query);
    assert_eq!(kept.topics[0].partitions[0].error_code, 0);
    become_user(&mut world, "alice");
    world
}

/// Makes the world's connection one of this user's.
pub fn become_user(world: &mut World, user: &str) {
    let users = ["root", "alice", "bob"].map(|name| (name.to_owned(), "secret".to_owned()));
    let listener = Listener {
        name: "PLAINTEXT".into(),
        protocol: SecurityProtocol::SaslPlaintext,
        mechanisms: vec![SaslMechanism::Plain],
        plain_users: users.into(),
        ..Listener::default()
    };
    let peer = Some(([127, 0, 0, 1], 5).into());
    world.connection = Connection::to(peer, Arc::new(listener));
    let query = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
    let shaken: SaslHandshakeResponse = world.ask(ApiKey::SaslHandshake, 1, &query);
    assert_eq!(shaken.error_code, 0);
    let token = format!("\0{user}\0secret").into_bytes();
    let query = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
    let known: SaslAuthenticateResponse = world.ask(ApiKey::SaslAuthenticate, 2, &query);
    assert_eq!(known.error_code, 0);
}

/// An entry that allows alice something, by the name itself.
pub fn allow((kind, name, operation): Grant) -> AclCreation {
    AclCreation::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_resource_pattern_type(3)
        .with_principal(text("User:alice"))
        .with_host(text("*"))
        .with_operation(operation)
        .with_permission_type(3)
}

/// Has the world's user create entries; their errors.
pub fn create(world: &mut World, entries: Vec<AclCreation>) -> Vec<i16> {
    let query = CreateAclsRequest::default().with_creations(entries);
    let response: CreateAclsResponse = world.ask(ApiKey::CreateAcls, 3, &query);
    response.results.iter().map(|one| one.error_code).collect()
}

/// Grants alice what root can grant.
pub fn grant(world: &mut World, grants: &[Grant]) {
    become_user(world, "root");
    let made = create(world, grants.iter().copied().map(allow).collect());
    assert!(made.iter().all(|code| *code == 0), "{made:?}");
    become_user(world, "alice");
}

/// How often each error was answered so far, by API and name.
pub fn errors(world: &World) -> BTreeMap<(String, String), u64> {
    let families = world.broker.metrics(world.now);
    let name = "kafka_network_RequestMetrics_ErrorsPerSec";
    let errors = families.into_iter().filter(|family| family.name == name);
    let label = |sample: &plimsoll_broker::metrics::Sample, wanted: &str| {
        let found = sample.labels.iter().find(|(label, _)| *label == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let samples = errors.flat_map(|family| family.samples);
    samples
        .map(|sample| {
            let count = match sample.value {
                Value::Count(count) => count,
                other => panic!("errors are counted: {other:?}"),
            };
            ((label(&sample, "request"), label(&sample, "error")), count)
        })
        .collect()
}
