//! Producing records.

use crate::support::body;
use plimsoll_broker::Outcome;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, patch_base_offset};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::FetchResponse;
use plimsoll_wire::produce::ProduceResponse;
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{Offset, ProducerId, Sequence, TimestampMs};
use std::time::Duration;
use uuid::Uuid;

use crate::client::*;
use crate::support::START_MS;

#[test]
fn records_come_back_in_every_version_of_produce_and_fetch() {
    for produce_version in 3..=13 {
        let (mut world, id) = world_with(&[]);
        let topic = topic_in(produce_version, id);
        for expected in [0, 3, 6] {
            let sent = produce(&mut world, produce_version, topic, &batch(3));
            assert_eq!((sent.error, sent.base_offset), (ErrorCode::None, expected));
        }
        for version in 4..=18 {
            let fetched = fetch(&mut world, version, &fetch_query(topic_in(version, id), 4));
            let expected = vec![(0, ErrorCode::None, 9, 6)];
            assert_eq!(fetched.partitions, expected, "fetch {version}");
        }
    }
}

#[test]
fn a_batch_that_is_not_right_has_kafkas_error() {
    let check = |settings: &[(&str, &str)], records: &[u8], expected: ErrorCode| {
        let (mut world, _) = world_with(settings);
        let sent = produce_name(&mut world, records);
        assert_eq!(
            (sent.error, sent.base_offset),
            (expected, -1),
            "{settings:?}"
        );
        let query = fetch_query(Topic::Name("orders"), 0);
        assert_eq!(
            fetch(&mut world, 12, &query).partitions,
            [(0, ErrorCode::None, 0, 0)]
        );
    };
    let broken = |at: usize, byte: u8| {
        let mut batch = batch(1);
        batch[at] = byte;
        batch
    };
    check(&[], &[], ErrorCode::InvalidRecord);
    check(&[], &batch(1)[..70], ErrorCode::CorruptMessage);
    check(&[], &broken(16, 1), ErrorCode::InvalidRecord);
    check(&[], &broken(80, 0xff), ErrorCode::CorruptMessage);
    check(
        &[],
        &[batch(1), batch(1)].concat(),
        ErrorCode::InvalidRecord,
    );
    check(
        &[("message.max.bytes", "100")],
        &batch(1),
        ErrorCode::MessageTooLarge,
    );
    check(
        &[("log.segment.bytes", "100")],
        &batch(1),
        ErrorCode::RecordListTooLarge,
    );
    check(
        &[("log.message.timestamp.before.max.ms", "0")],
        &{
            let mut builder = BatchBuilder::new(BatchSettings::default());
            builder.push(TimestampMs(5), None, None);
            builder.build().expect("it builds")
        },
        ErrorCode::InvalidTimestamp,
    );
    check(
        &[("log.cleanup.policy", "compact")],
        &{
            let mut builder = BatchBuilder::new(BatchSettings::default());
            builder.push(TimestampMs(START_MS), None, Some(b"keyless"));
            builder.build().expect("it builds")
        },
        ErrorCode::InvalidRecord,
    );
    let control = BatchSettings {
        control: true,
        ..BatchSettings::default()
    };
    check(&[], &batch_with(control, 1), ErrorCode::InvalidRecord);
}

#[test]
fn requests_that_name_nothing_have_kafkas_error() {
    let (mut world, _) = world_with(&[]);
    let unknown = Topic::Id(Uuid::from_u128(7));
    assert_eq!(
        produce(&mut world, 13, unknown, &batch(1)).error,
        ErrorCode::UnknownTopicId
    );
    let missing = Topic::Name("missing");
    let error = produce(&mut world, 9, missing, &batch(1)).error;
    assert_eq!(error, ErrorCode::UnknownTopicOrPartition);
    let Outcome::Ready(response) = send(&mut world, 9, Topic::Name("orders"), 5, &batch(1)) else {
        panic!("it is answered");
    };
    let bytes = body(ApiKey::Produce, 9, &response);
    let response = ProduceResponse::decode(9, &bytes).expect("it decodes");
    assert_eq!(
        response.topics[0].partitions[0].error,
        ErrorCode::InvalidRequiredAcks
    );
}

#[test]
fn without_acks_there_is_no_answer_and_an_error_closes_the_connection() {
    let (mut world, _) = world_with(&[]);
    let outcome = send(&mut world, 9, Topic::Name("orders"), 0, &batch(1));
    assert!(matches!(outcome, Outcome::NoReply), "{outcome:?}");
    let outcome = send(&mut world, 9, Topic::Name("missing"), 0, &batch(1));
    assert!(matches!(outcome, Outcome::Close(_)), "{outcome:?}");
}

#[test]
fn acks_of_all_needs_the_in_sync_replicas() {
    let (mut world, _) = world_with(&[("min.insync.replicas", "2")]);
    let mut check = |acks: i16, expected: ErrorCode| {
        let Outcome::Ready(response) = send(&mut world, 9, Topic::Name("orders"), acks, &batch(1))
        else {
            panic!("it is answered");
        };
        let bytes = body(ApiKey::Produce, 9, &response);
        let response = ProduceResponse::decode(9, &bytes).expect("it decodes");
        assert_eq!(
            response.topics[0].partitions[0].error, expected,
            "acks {acks}"
        );
    };
    check(-1, ErrorCode::NotEnoughReplicas);
    check(1, ErrorCode::None);
}

#[test]
fn sequences_are_checked_and_repeats_answered_with_the_first_offset() {
    let (mut world, _) = world_with(&[]);
    let mut check = |epoch: i16, sequence: i32, count: i32, expected: (ErrorCode, i64)| {
        let sent = produce_name(&mut world, &sequenced(epoch, sequence, count));
        let seen = (sent.error, sent.base_offset);
        assert_eq!(seen, expected, "epoch {epoch} sequence {sequence}");
    };
    check(0, 0, 2, (ErrorCode::None, 0));
    check(0, 2, 3, (ErrorCode::None, 2));
    check(0, 0, 2, (ErrorCode::None, 0));
    check(0, 2, 3, (ErrorCode::None, 2));
    check(0, 7, 1, (ErrorCode::OutOfOrderSequenceNumber, -1));
    check(1, 1, 1, (ErrorCode::OutOfOrderSequenceNumber, -1));
    check(1, 0, 1, (ErrorCode::None, 5));
    check(0, 5, 1, (ErrorCode::InvalidProducerEpoch, -1));
    world.restart(false);
    let sent = produce_name(&mut world, &sequenced(1, 0, 1));
    assert_eq!(
        (sent.error, sent.base_offset),
        (ErrorCode::None, 5),
        "known after a crash"
    );
}

#[test]
fn the_broker_stamps_and_recompresses_when_the_topic_says_so() {
    let settings = [
        ("log.message.timestamp.type", "LogAppendTime"),
        ("compression.type", "zstd"),
    ];
    let (mut world, _) = world_with(&settings);
    world.pass(Duration::from_secs(5));
    let sent = produce_name(&mut world, &sequenced(0, 0, 3));
    assert_eq!(sent.log_append_time, START_MS + 5000);
    let Outcome::Ready(response) =
        send_fetch(&mut world, 12, &fetch_query(Topic::Name("orders"), 0))
    else {
        panic!("it is answered");
    };
    let bytes = body(ApiKey::Fetch, 12, &response);
    let response = FetchResponse::decode(12, &bytes).expect("it decodes");
    let batch = response.topics[0].partitions[0].records;
    let header = BatchHeader::parse(batch).expect("a batch");
    assert_eq!(header.compression(), Compression::Zstd);
    assert_eq!(header.max_timestamp, TimestampMs(START_MS + 5000));
    assert_eq!(
        (header.producer_id, header.base_sequence),
        (ProducerId(5), Sequence(0))
    );
    assert_eq!(count(batch), 3);
    let repeated = produce_name(&mut world, &sequenced(0, 0, 3));
    assert_eq!((repeated.error, repeated.base_offset), (ErrorCode::None, 0));
}

#[test]
fn acknowledged_records_outlive_a_clean_restart() {
    let (mut world, id) = world_with(&[]);
    produce_name(&mut world, &batch(4));
    world.restart(true);
    let mut expected = batch(4);
    patch_base_offset(&mut expected, Offset(4));
    let sent = produce(&mut world, 13, Topic::Id(id), &batch(4));
    assert_eq!(sent.base_offset, 4);
    let fetched = fetch(&mut world, 13, &fetch_query(Topic::Id(id), 0));
    assert_eq!(fetched.partitions, [(0, ErrorCode::None, 8, 8)]);
}
