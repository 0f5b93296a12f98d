//! Client quotas: kept, described, and enforced by a rest.

use crate::client::{batch, count, fetch_query, send, send_fetch, world_with};
use crate::groups::text;
use crate::support::{World, body};
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
};
use plimsoll_broker::Outcome;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::FetchResponse;
use plimsoll_wire::produce::ProduceResponse;
use plimsoll_wire::topic::Topic;
use std::time::Duration;

const PRODUCED: &str = "producer_byte_rate";
const FETCHED: &str = "consumer_byte_rate";

/// Parts of an entity: kind, and name unless it is the default.
type Parts<'a> = &'a [(&'a str, Option<&'a str>)];

fn entry(parts: Parts<'_>, quotas: &[(&str, Option<f64>)]) -> EntryData {
    let parts = parts.iter().map(|(kind, name)| {
        EntityData::default()
            .with_entity_type(text(kind))
            .with_entity_name(name.map(text))
    });
    let ops = quotas.iter().map(|(key, value)| {
        OpData::default()
            .with_key(text(key))
            .with_value(value.unwrap_or(0.0))
            .with_remove(value.is_none())
    });
    EntryData::default()
        .with_entity(parts.collect())
        .with_ops(ops.collect())
}

fn alter_in(world: &mut World, version: i16, entries: Vec<EntryData>, keep: bool) -> Vec<String> {
    let query = AlterClientQuotasRequest::default()
        .with_entries(entries)
        .with_validate_only(!keep);
    let response: AlterClientQuotasResponse = world.ask(ApiKey::AlterClientQuotas, version, &query);
    let entries = response.entries.into_iter();
    entries
        .map(|one| {
            let words = one.error_message.unwrap_or_default();
            assert!(one.error_code == 0 || one.error_code == ErrorCode::InvalidRequest.code());
            words.to_string()
        })
        .collect()
}

fn alter(world: &mut World, parts: Parts<'_>, quotas: &[(&str, Option<f64>)]) {
    let made = alter_in(world, 1, vec![entry(parts, quotas)], true);
    assert_eq!(made, [""]);
}

/// Every entity that a filter means, and its quotas, in words.
fn described(world: &mut World, filter: &[(&str, i8, Option<&str>)], strict: bool) -> Vec<String> {
    let components = filter.iter().map(|(kind, match_type, name)| {
        ComponentData::default()
            .with_entity_type(text(kind))
            .with_match_type(*match_type)
            .with_match(name.map(text))
    });
    let query = DescribeClientQuotasRequest::default()
        .with_components(components.collect())
        .with_strict(strict);
    let response: DescribeClientQuotasResponse = world.ask(ApiKey::DescribeClientQuotas, 1, &query);
    assert_eq!(response.error_code, 0, "{:?}", response.error_message);
    let entries = response.entries.unwrap_or_default().into_iter();
    entries
        .map(|one| {
            let parts = one.entity.iter().map(|part| {
                let name = part.entity_name.as_deref().unwrap_or("<default>");
                format!("{} {name}", &*part.entity_type)
            });
            let quotas = one.values.iter();
            let quotas = quotas.map(|quota| format!("{}={}", &*quota.key, quota.value));
            let words: Vec<_> = parts.chain(quotas).collect();
            words.join(", ")
        })
        .collect()
}

#[test]
fn quotas_are_kept_described_by_a_filter_and_removed() {
    let mut world = World::new();
    let (alice, app) = (("user", Some("alice")), ("client-id", Some("app")));
    alter(&mut world, &[alice], &[(PRODUCED, Some(1000.0))]);
    alter(&mut world, &[alice, app], &[(FETCHED, Some(2000.0))]);
    alter(
        &mut world,
        &[("user", None)],
        &[(PRODUCED, Some(3.0)), (FETCHED, Some(4.0))],
    );
    alter(&mut world, &[app], &[(PRODUCED, Some(5.0))]);
    let validated = entry(&[app], &[(PRODUCED, Some(6.0))]);
    assert_eq!(alter_in(&mut world, 0, vec![validated], false), [""]);
    world.restart(true);
    let default = "user <default>, producer_byte_rate=3, consumer_byte_rate=4";
    let of_alice = "user alice, producer_byte_rate=1000";
    let of_both = "user alice, client-id app, consumer_byte_rate=2000";
    let of_app = "client-id app, producer_byte_rate=5";
    let mut check = |filter: &[(&str, i8, Option<&str>)], strict, expected: &[&str]| {
        let mut found = described(&mut world, filter, strict);
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{filter:?} {strict}");
    };
    check(&[], false, &[default, of_alice, of_both, of_app]);
    check(&[], true, &[]);
    check(&[("user", 0, Some("alice"))], false, &[of_alice, of_both]);
    check(&[("user", 0, Some("alice"))], true, &[of_alice]);
    check(&[("user", 1, None)], true, &[default]);
    check(&[("user", 2, None)], true, &[default, of_alice]);
    check(&[("client-id", 2, None)], false, &[of_both, of_app]);
    check(&[("ip", 2, None)], false, &[]);
    alter(&mut world, &[alice, app], &[(FETCHED, None)]);
    alter(&mut world, &[("user", Some("nobody"))], &[(FETCHED, None)]);
    let left = described(&mut world, &[("client-id", 2, None)], false);
    assert_eq!(left, [of_app]);
}

#[test]
fn what_is_no_quota_is_refused_by_name() {
    let mut world = World::new();
    let mut check = |parts: Parts<'_>, quota: (&str, f64), expected: &str| {
        let asked = vec![entry(parts, &[(quota.0, Some(quota.1))])];
        assert_eq!(alter_in(&mut world, 1, asked, true), [expected]);
    };
    let alice = [("user", Some("alice"))];
    check(
        &alice,
        (PRODUCED, 0.0),
        "producer_byte_rate: 0, a whole number above 0 is accepted",
    );
    check(
        &alice,
        (PRODUCED, 1.5),
        "producer_byte_rate: 1.5, a whole number above 0 is accepted",
    );
    check(
        &alice,
        ("request_percentage", 50.0),
        "request_percentage: it is not enforced here, producer_byte_rate or consumer_byte_rate is",
    );
    check(
        &alice,
        ("rate", 5.0),
        "quota: \"rate\", producer_byte_rate or consumer_byte_rate is accepted",
    );
    check(
        &[],
        (PRODUCED, 5.0),
        "entity: give a user, a client-id or both",
    );
    check(
        &[("user", Some(""))],
        (PRODUCED, 5.0),
        "user: its name may not be empty",
    );
    check(
        &[("ip", Some("::1"))],
        (PRODUCED, 5.0),
        "entity type: ip: the rate of new connections is not bounded, user or client-id is accepted",
    );
    check(
        &[("group", Some("g"))],
        (PRODUCED, 5.0),
        "entity type: \"group\", user or client-id is accepted",
    );
    assert_eq!(described(&mut world, &[], false), [""; 0]);
}

/// How long the client rests, as a response and as the connection says.
fn rests(world: &World, throttle_time_ms: i32) -> (i32, u128) {
    let muted = world.connection.muted_until().since(world.now.mono);
    (throttle_time_ms, muted.as_nanos().div_ceil(1_000_000))
}

fn produce(world: &mut World, records: &[u8]) -> (i32, u128) {
    let Outcome::Ready(response) = send(world, 9, Topic::Name("orders"), 1, records) else {
        panic!("it is answered at once");
    };
    let bytes = body(ApiKey::Produce, 9, &response);
    let response = ProduceResponse::decode(9, &bytes).expect("it decodes");
    assert_eq!(response.topics[0].partitions[0].error, ErrorCode::None);
    rests(world, response.throttle_time_ms)
}

#[test]
fn who_produces_too_much_is_answered_and_rests() {
    let (mut world, _) = world_with(&[]);
    // Its requests name the client "tests".
    let tests = [("client-id", Some("tests"))];
    let records = batch(10);
    let rate = (records.len() / 20) as f64;
    alter(&mut world, &tests, &[(PRODUCED, Some(rate))]);
    let (told, muted) = produce(&mut world, &records);
    assert!(told > 0, "{told}");
    assert_eq!(u128::try_from(told), Ok(muted));
    // With acks=0 there is no answer to tell it, and a rest all the same.
    let sent = send(&mut world, 9, Topic::Name("orders"), 0, &records);
    assert!(matches!(sent, Outcome::NoReply), "{sent:?}");
    assert!(rests(&world, 0).1 > muted);
    world.pass(Duration::from_secs(60));
    assert!(world.connection.muted_until() < world.now.mono);
    alter(&mut world, &tests, &[(PRODUCED, None)]);
    assert_eq!(produce(&mut world, &records).0, 0);
}

#[test]
fn a_users_quota_is_stronger_and_is_the_users_own() {
    let (mut world, _) = world_with(&[]);
    let records = batch(10);
    let (little, much) = (Some(1.0), Some(1e9));
    alter(
        &mut world,
        &[("client-id", Some("tests"))],
        &[(PRODUCED, little)],
    );
    assert!(produce(&mut world, &records).0 > 0);
    alter(
        &mut world,
        &[("user", Some("ANONYMOUS"))],
        &[(PRODUCED, much)],
    );
    assert_eq!(produce(&mut world, &records).0, 0);
}

/// How long a fetch rests, and how many records it brings.
fn fetch(world: &mut World, from: i64) -> ((i32, u128), usize) {
    let query = fetch_query(Topic::Name("orders"), from);
    let Outcome::Ready(response) = send_fetch(world, 12, &query) else {
        panic!("it is answered at once");
    };
    let bytes = body(ApiKey::Fetch, 12, &response);
    let response = FetchResponse::decode(12, &bytes).expect("it decodes");
    assert_eq!(response.error, ErrorCode::None);
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let records = partitions.map(|partition| count(partition.records)).sum();
    (rests(world, response.throttle_time_ms), records)
}

#[test]
fn who_fetches_too_much_gets_nothing_until_it_has_rested() {
    let (mut world, _) = world_with(&[("quota.window.num", "2")]);
    let records = batch(10);
    for _ in 0..4 {
        produce(&mut world, &records);
    }
    // The two windows hold one batch and a half.
    let rate = (records.len() * 3 / 2) as f64;
    alter(&mut world, &[("client-id", None)], &[(FETCHED, Some(rate))]);
    // A fetch never brings more than it may at all.
    let (rest, brought) = fetch(&mut world, 0);
    assert_eq!((rest, brought), ((0, 0), 10));
    let ((told, muted), brought) = fetch(&mut world, 10);
    assert_eq!((u128::try_from(told), brought), (Ok(muted), 0));
    assert!(told > 0);
    // Nothing was counted for what did not come: after the rest it does.
    let rest = Duration::from_millis(u64::try_from(told).expect("a time"));
    world.pass(rest);
    assert_eq!(fetch(&mut world, 10), ((0, 0), 10));
}
