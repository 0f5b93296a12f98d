//! Who may do what in a cluster: the controller judges the client, not the node
//! that passes its request on.

use crate::world::World;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, CreateTopicsRequest, CreateTopicsResponse,
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::{Connection, Listener, SaslMechanism, SecurityProtocol};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use std::sync::Arc;

fn text(words: &str) -> StrBytes {
    StrBytes::from_string(words.to_owned())
}

/// A connection of a user to a node.
fn of_user(world: &mut World, node: usize, user: &str) -> Connection {
    let users = ["root", "alice"].map(|name| (name.to_owned(), "secret".to_owned()));
    let listener = Listener {
        protocol: SecurityProtocol::SaslPlaintext,
        mechanisms: vec![SaslMechanism::Plain],
        plain_users: users.into(),
        ..Listener::default()
    };
    let peer = Some(([127, 0, 0, 1], 5).into());
    let mut connection = Connection::to(peer, Arc::new(listener));
    let query = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
    let api = (ApiKey::SaslHandshake, 1);
    let _: SaslHandshakeResponse = world.ask_over(node, &mut connection, api, &query);
    let token = format!("\0{user}\0secret").into_bytes();
    let query = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
    let api = (ApiKey::SaslAuthenticate, 2);
    let known: SaslAuthenticateResponse = world.ask_over(node, &mut connection, api, &query);
    assert_eq!(known.error_code, 0);
    connection
}

fn create_topic(world: &mut World, node: usize, connection: &mut Connection, name: &str) -> i16 {
    let topic = CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let query = CreateTopicsRequest::default().with_topics(vec![topic]);
    let api = (ApiKey::CreateTopics, 7);
    let made: CreateTopicsResponse = world.ask_over(node, connection, api, &query);
    made.topics[0].error_code
}

#[test]
fn a_client_is_judged_by_the_controller_whichever_node_it_asks() {
    let mut world = World::ready(
        3,
        &[
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            ),
            ("super.users", "User:root;User:ANONYMOUS"),
        ],
    );
    let controller = world.controller().expect("there is one");
    let refused = ErrorCode::TopicAuthorizationFailed.code();
    for node in 1..=3 {
        let mut alice = of_user(&mut world, node, "alice");
        let code = create_topic(&mut world, node, &mut alice, "orders");
        assert_eq!(code, refused, "node {node}, the controller is {controller}");
    }
    let asked = controller % 3 + 1;
    let mut root = of_user(&mut world, asked, "root");
    let entry = AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text("ord"))
        .with_resource_pattern_type(4)
        .with_principal(text("User:alice"))
        .with_host(text("127.0.0.1"))
        .with_operation(5)
        .with_permission_type(3);
    let query = CreateAclsRequest::default().with_creations(vec![entry]);
    let api = (ApiKey::CreateAcls, 3);
    let made: CreateAclsResponse = world.ask_over(asked, &mut root, api, &query);
    assert_eq!(made.results[0].error_code, 0);
    let mut alice = of_user(&mut world, asked, "alice");
    assert_eq!(create_topic(&mut world, asked, &mut alice, "orders"), 0);
    assert_eq!(
        create_topic(&mut world, asked, &mut alice, "payments"),
        refused
    );
}
