//! Who comes in: SASL's handshake and tokens, and the users of SCRAM.

use crate::support::{World, read};
use bytes::Bytes;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, ApiVersionsRequest,
    ApiVersionsResponse, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    MetadataRequest, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::{Connection, Listener, Outcome, Part, SaslMechanism, SecurityProtocol};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::scram::{ClientExchange, ScramMechanism};
use std::sync::Arc;

const SALT: &[u8] = b"sixteen bytes or";

/// A world whose connection came in by a listener that asks who is there.
fn guarded() -> World {
    let mut world = World::new();
    let upsert = upsertion("alice", 1, 4096, "secret");
    assert_eq!(alter(&mut world, &[upsert], &[]), [("alice".into(), 0)]);
    world.connection = stranger();
    world
}

fn stranger() -> Connection {
    let listener = Listener {
        name: "IN".into(),
        protocol: SecurityProtocol::SaslPlaintext,
        mechanisms: vec![
            SaslMechanism::Plain,
            SaslMechanism::Scram(ScramMechanism::Sha256),
        ],
        plain_users: [("bob".to_owned(), "hidden".to_owned())].into(),
        ..Listener::default()
    };
    Connection::to(None, Arc::new(listener))
}

fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn upsertion(name: &str, mechanism: i8, rounds: i32, password: &str) -> ScramCredentialUpsertion {
    let known = ScramMechanism::from_code(mechanism).unwrap_or(ScramMechanism::Sha256);
    let salted = known.salted_password(password, SALT, 4096);
    ScramCredentialUpsertion::default()
        .with_name(string(name))
        .with_mechanism(mechanism)
        .with_iterations(rounds)
        .with_salt(Bytes::from_static(SALT))
        .with_salted_password(salted.into())
}

fn deletion(name: &str, mechanism: i8) -> ScramCredentialDeletion {
    ScramCredentialDeletion::default()
        .with_name(string(name))
        .with_mechanism(mechanism)
}

fn alter(
    world: &mut World,
    upsertions: &[ScramCredentialUpsertion],
    deletions: &[ScramCredentialDeletion],
) -> Vec<(String, i16)> {
    let query = AlterUserScramCredentialsRequest::default()
        .with_upsertions(upsertions.to_vec())
        .with_deletions(deletions.to_vec());
    let response: AlterUserScramCredentialsResponse =
        world.ask(ApiKey::AlterUserScramCredentials, 0, &query);
    let results = response.results.into_iter();
    results
        .map(|one| (one.user.to_string(), one.error_code))
        .collect()
}

/// A user, an error, and the user's mechanisms with their rounds.
type Described = (String, i16, Vec<(i8, i32)>);

fn described(world: &mut World, users: &[&str]) -> Vec<Described> {
    let users = users
        .iter()
        .map(|user| UserName::default().with_name(string(user)));
    let query = DescribeUserScramCredentialsRequest::default().with_users(Some(users.collect()));
    let response: DescribeUserScramCredentialsResponse =
        world.ask(ApiKey::DescribeUserScramCredentials, 0, &query);
    let results = response.results.into_iter();
    results
        .map(|one| {
            let infos = one.credential_infos.iter();
            let infos = infos.map(|info| (info.mechanism, info.iterations));
            (one.user.to_string(), one.error_code, infos.collect())
        })
        .collect()
}

fn handshake(world: &mut World, version: i16, mechanism: &str) -> i16 {
    let query = SaslHandshakeRequest::default().with_mechanism(string(mechanism));
    let response: SaslHandshakeResponse = world.ask(ApiKey::SaslHandshake, version, &query);
    response.error_code
}

fn token(world: &mut World, version: i16, token: &[u8]) -> (SaslAuthenticateResponse, bool) {
    let query = SaslAuthenticateRequest::default().with_auth_bytes(token.to_vec().into());
    let (response, last) = match world.send_message(ApiKey::SaslAuthenticate, version, &query) {
        Outcome::Ready(response) => (response, false),
        Outcome::Last(response, _) => (response, true),
        other => panic!("{other:?}"),
    };
    let response = read(ApiKey::SaslAuthenticate, version, &response);
    (response, last)
}

/// Whether the connection may ask for metadata.
fn is_in(world: &mut World) -> bool {
    let query = MetadataRequest::default();
    match world.send_message(ApiKey::Metadata, 9, &query) {
        Outcome::Ready(_) => true,
        Outcome::Close(reason) => {
            assert!(reason.0.contains("before the client said"), "{reason}");
            false
        }
        other => panic!("{other:?}"),
    }
}

/// A whole exchange of SCRAM; whether it opened.
fn prove(world: &mut World, user: &str, password: &str) -> bool {
    let sha256 = ScramMechanism::Sha256;
    assert_eq!(handshake(world, 1, sha256.name()), 0);
    let (mut client, first) = ClientExchange::begin(sha256, user, password, "nonce");
    let (challenge, last) = token(world, 2, &first);
    if last {
        assert_eq!(
            challenge.error_code,
            ErrorCode::SaslAuthenticationFailed.code()
        );
        return false;
    }
    let proof = client.prove(&challenge.auth_bytes).expect("a challenge");
    let (verdict, last) = token(world, 2, &proof);
    assert_eq!(last, verdict.error_code != 0);
    !last && client.check(&verdict.auth_bytes).is_ok()
}

#[test]
fn a_stranger_may_ask_for_versions_and_nothing_else() {
    let mut world = guarded();
    let query = ApiVersionsRequest::default();
    let versions: ApiVersionsResponse = world.ask(ApiKey::ApiVersions, 0, &query);
    assert_eq!(versions.error_code, 0);
    assert!(!is_in(&mut world));
    assert_eq!(world.connection.request_bytes_max(), Some(524_288));
    assert_eq!(world.connection.user(), None);
}

#[test]
fn plain_opens_for_the_right_password_only() {
    let check = |message: &[u8], opens: bool| {
        let mut world = guarded();
        assert_eq!(handshake(&mut world, 1, "PLAIN"), 0);
        assert!(!is_in(&mut world), "a mechanism alone opens nothing");
        let (response, last) = token(&mut world, 1, message);
        assert_eq!(
            (response.error_code == 0, last),
            (opens, !opens),
            "{message:?}"
        );
        assert_eq!(is_in(&mut world), opens);
        assert_eq!(world.connection.user(), opens.then_some("bob"));
        assert_eq!(world.connection.request_bytes_max().is_none(), opens);
    };
    check(b"\0bob\0hidden", true);
    check(b"bob\0bob\0hidden", true);
    check(b"\0bob\0Hidden", false);
    check(b"\0bob\0", false);
    check(b"\0alice\0secret", false);
    check(b"alice\0bob\0hidden", false);
    check(b"\0bob\0hidden\0", false);
    check(b"", false);
    check(b"\0\xff\0hidden", false);
}

#[test]
fn scram_opens_for_whoever_knows_the_password() {
    let mut world = guarded();
    assert!(prove(&mut world, "alice", "secret"));
    assert_eq!(world.connection.user(), Some("alice"));
    assert!(is_in(&mut world));
    for (user, password) in [("alice", "other"), ("nobody", "secret"), ("bob", "hidden")] {
        world.connection = stranger();
        assert!(!prove(&mut world, user, password), "{user}");
        assert!(!is_in(&mut world), "{user}");
    }
    // What was given outlives the broker.
    world.restart(true);
    world.connection = stranger();
    assert!(prove(&mut world, "alice", "secret"));
}

#[test]
fn what_does_not_belong_to_the_moment_is_refused() {
    let mut world = guarded();
    let illegal = ErrorCode::IllegalSaslState.code();
    assert_eq!(token(&mut world, 1, b"x").0.error_code, illegal);
    let unsupported = ErrorCode::UnsupportedSaslMechanism.code();
    assert_eq!(handshake(&mut world, 1, "GSSAPI"), unsupported);
    assert_eq!(handshake(&mut world, 1, "SCRAM-SHA-512"), unsupported);
    assert!(prove(&mut world, "alice", "secret"));
    assert_eq!(handshake(&mut world, 1, "PLAIN"), illegal);
    world.connection = Connection::new(None);
    assert_eq!(handshake(&mut world, 1, "PLAIN"), illegal);
    assert!(is_in(&mut world), "a listener in plain text asks nobody");
}

#[test]
fn an_older_clients_tokens_come_without_a_header() {
    let bare = |world: &mut World, token: &[u8]| {
        let wake: Arc<dyn plimsoll_broker::Wake> =
            Arc::clone(&world.bell) as Arc<dyn plimsoll_broker::Wake>;
        world
            .broker
            .handle(world.now, &mut world.connection, token.into(), &wake)
    };
    let mut world = guarded();
    assert_eq!(handshake(&mut world, 0, "PLAIN"), 0);
    match bare(&mut world, b"\0bob\0hidden") {
        Outcome::Ready(response) => match &response.parts[..] {
            [Part::Bytes(bytes)] => assert_eq!(&bytes[..], [0, 0, 0, 0]),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    assert!(is_in(&mut world));
    world.connection = stranger();
    assert_eq!(handshake(&mut world, 0, "PLAIN"), 0);
    let outcome = bare(&mut world, b"\0bob\0other");
    assert!(matches!(outcome, Outcome::Close(_)), "{outcome:?}");
}

#[test]
fn users_are_changed_whole_and_nothing_of_passwords_is_told() {
    let mut world = World::new();
    let upserts = [
        upsertion("alice", 1, 4096, "a"),
        upsertion("alice", 2, 8192, "a"),
        upsertion("carol", 2, 4096, "c"),
    ];
    let fine = |user: &str| (user.to_owned(), 0);
    assert_eq!(
        alter(&mut world, &upserts, &[]),
        [fine("alice"), fine("carol")]
    );
    let all = [
        ("alice".to_owned(), 0, vec![(1, 4096), (2, 8192)]),
        ("carol".to_owned(), 0, vec![(2, 4096)]),
    ];
    assert_eq!(described(&mut world, &[]), all);
    let missing = ErrorCode::ResourceNotFound.code();
    assert_eq!(
        described(&mut world, &["nobody", "carol"]),
        [all[1].clone(), ("nobody".into(), missing, vec![])]
    );
    let twice = ErrorCode::DuplicateResource.code();
    assert_eq!(
        described(&mut world, &["carol", "carol"]),
        [("carol".into(), twice, vec![])]
    );
    let refused = |world: &mut World, upsert: ScramCredentialUpsertion, code: ErrorCode| {
        let deletions = [deletion("alice", 2)];
        let answers = alter(world, &[upsert], &deletions);
        assert_eq!(answers, [("alice".into(), code.code())], "{code:?}");
    };
    let unacceptable = ErrorCode::UnacceptableCredential;
    refused(&mut world, upsertion("alice", 1, 4095, "b"), unacceptable);
    refused(&mut world, upsertion("alice", 1, 16_385, "b"), unacceptable);
    refused(
        &mut world,
        upsertion("alice", 9, 4096, "b"),
        ErrorCode::UnsupportedSaslMechanism,
    );
    refused(
        &mut world,
        upsertion("alice", 2, 4096, "b"),
        ErrorCode::DuplicateResource,
    );
    assert_eq!(described(&mut world, &[]), all, "no half of it was done");
    assert_eq!(
        alter(
            &mut world,
            &[],
            &[deletion("carol", 2), deletion("dave", 1)]
        ),
        [fine("carol"), ("dave".into(), missing)]
    );
    assert_eq!(described(&mut world, &[]), all[..1]);
}
