//! Producing, fetching and looking up records.

use crate::support::{World, body, read};
use bytes::Bytes;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    BrokerId, DeleteRecordsRequest, DeleteRecordsResponse, DescribeLogDirsRequest,
    DescribeLogDirsResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataRequest, MetadataResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, ProducerId as WireProducerId, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::Outcome;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{
    BatchBuilder, BatchHeader, BatchSettings, Producer, patch_base_offset, records,
};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic, IsolationLevel,
    Replica, Session,
};
use plimsoll_wire::produce::{PartitionData, ProduceRequest, ProduceResponse, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{
    LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs,
};
use std::time::Duration;
use uuid::Uuid;

use crate::support::START_MS;

fn topic_name() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

/// A world with the topic `orders` of two partitions, and the topic's id.
pub fn world_with(settings: &[(&str, &str)]) -> (World, Uuid) {
    let mut all = vec![("num.partitions", "2")];
    all.extend_from_slice(settings);
    let mut world = World::with(&all);
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name()));
    let query = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true);
    let response: MetadataResponse = world.ask(ApiKey::Metadata, 12, &query);
    (world, response.topics[0].topic_id)
}

fn batch_with(settings: BatchSettings, count: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(settings);
    for n in 0..count {
        let key = format!("key-{n}");
        builder.push(
            TimestampMs(START_MS + i64::from(n)),
            Some(key.as_bytes()),
            Some(&[7; 50]),
        );
    }
    builder.build().expect("the batch builds")
}

fn batch(count: i32) -> Vec<u8> {
    batch_with(BatchSettings::default(), count)
}

fn sequenced(epoch: i16, sequence: i32, count: i32) -> Vec<u8> {
    let producer = Producer {
        id: ProducerId(5),
        epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
    };
    batch_with(
        BatchSettings {
            producer,
            ..BatchSettings::default()
        },
        count,
    )
}

/// Which topic, in the form of the version.
fn topic_in(version: i16, id: Uuid) -> Topic<'static> {
    if version >= 13 {
        Topic::Id(id)
    } else {
        Topic::Name("orders")
    }
}

/// The body of a request's frame.
fn body_of(frame: &[u8], api: ApiKey, version: i16) -> Vec<u8> {
    let header = plimsoll_wire::header::RequestHeader::decode(&frame[4..]).expect("a header");
    assert_eq!((header.0.spec.key, header.0.version), (api, version));
    frame[4 + header.1..].to_vec()
}

pub struct Sent {
    pub error: ErrorCode,
    base_offset: i64,
    log_append_time: i64,
}

fn send(world: &mut World, version: i16, topic: Topic<'_>, acks: i16, records: &[u8]) -> Outcome {
    let partition = PartitionData {
        index: PartitionIndex(0),
        records: Bytes::copy_from_slice(records),
    };
    let query = ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 1000,
        topics: vec![TopicData {
            topic,
            partitions: vec![partition],
        }],
    };
    let frame = query.encode_frame(version, 42, Some("tests")).concat();
    world.send(
        ApiKey::Produce,
        version,
        &body_of(&frame, ApiKey::Produce, version),
    )
}

fn produce(world: &mut World, version: i16, topic: Topic<'_>, records: &[u8]) -> Sent {
    let Outcome::Ready(response) = send(world, version, topic, 1, records) else {
        panic!("produce {version} is answered at once");
    };
    let bytes = body(ApiKey::Produce, version, &response);
    let response = ProduceResponse::decode(version, &bytes).expect("the response decodes");
    let partition = &response.topics[0].partitions[0];
    Sent {
        error: partition.error,
        base_offset: partition.base_offset.get(),
        log_append_time: partition.log_append_time.get(),
    }
}

pub fn produce_name(world: &mut World, records: &[u8]) -> Sent {
    produce(world, 9, Topic::Name("orders"), records)
}

fn fetch_query(topic: Topic<'_>, offset: i64) -> FetchRequest<'_> {
    FetchRequest {
        cluster_id: None,
        replica: Replica::CONSUMER,
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation: IsolationLevel::ReadUncommitted,
        session: Session::NONE,
        topics: vec![FetchTopic {
            topic,
            partitions: vec![FetchPartition::from_offset(
                PartitionIndex(0),
                Offset(offset),
                1 << 20,
            )],
        }],
        forgotten: Vec::new(),
        rack_id: "",
    }
}

fn send_fetch(world: &mut World, version: i16, query: &FetchRequest<'_>) -> Outcome {
    let frame = query.encode_frame(version, 42, Some("tests"));
    world.send(
        ApiKey::Fetch,
        version,
        &body_of(&frame, ApiKey::Fetch, version),
    )
}

/// What a fetch answered, for comparison.
#[derive(Debug, PartialEq, Eq)]
struct Fetched {
    error: ErrorCode,
    session: i32,
    /// Partition, error, high watermark, and how many records there are.
    partitions: Vec<(i32, ErrorCode, i64, usize)>,
}

fn seen(version: i16, response: &plimsoll_broker::Response) -> Fetched {
    let bytes = body(ApiKey::Fetch, version, response);
    let response = FetchResponse::decode(version, &bytes).expect("the response decodes");
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    Fetched {
        error: response.error,
        session: response.session_id,
        partitions: partitions
            .map(|p| {
                (
                    p.index.get(),
                    p.error,
                    p.high_watermark.get(),
                    count(p.records),
                )
            })
            .collect(),
    }
}

fn count(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        let header = BatchHeader::parse(bytes).expect("a whole batch");
        let (batch, rest) = bytes.split_at(header.total_len());
        let mut scratch = Vec::new();
        count += records(batch, &mut scratch, 1 << 20)
            .expect("records")
            .count();
        bytes = rest;
    }
    count
}

fn fetch(world: &mut World, version: i16, query: &FetchRequest<'_>) -> Fetched {
    match send_fetch(world, version, query) {
        Outcome::Ready(response) => seen(version, &response),
        other => panic!("fetch {version} is answered at once: {other:?}"),
    }
}

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
fn a_fetch_waits_for_its_bytes_and_no_longer_than_it_said() {
    let (mut world, _) = world_with(&[]);
    let query = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 200,
        ..fetch_query(Topic::Name("orders"), 0)
    };
    let Outcome::Parked(mut parked) = send_fetch(&mut world, 12, &query) else {
        panic!("there is nothing to answer with");
    };
    assert_eq!(
        parked.deadline(),
        world.now.mono.after(Duration::from_millis(500))
    );
    assert!(world.poll(&mut parked).is_none());
    produce_name(&mut world, &batch(1));
    assert_eq!(world.bell.rung(), 0, "one record is less than 200 bytes");
    produce_name(&mut world, &batch(1));
    assert_eq!(world.bell.rung(), 1);
    let response = world.poll(&mut parked).expect("there are enough bytes");
    assert_eq!(seen(12, &response).partitions, [(0, ErrorCode::None, 2, 2)]);

    let late = FetchRequest {
        min_bytes: 100_000,
        ..query
    };
    let Outcome::Parked(mut parked) = send_fetch(&mut world, 12, &late) else {
        panic!("there is too little to answer with");
    };
    world.pass(Duration::from_millis(500));
    let response = world.poll(&mut parked).expect("its time is up");
    assert_eq!(seen(12, &response).partitions, [(0, ErrorCode::None, 2, 2)]);
}

#[test]
fn a_fetch_that_was_given_up_is_not_woken() {
    let (mut world, _) = world_with(&[]);
    let query = FetchRequest {
        max_wait_ms: 500,
        ..fetch_query(Topic::Name("orders"), 0)
    };
    let parked = send_fetch(&mut world, 12, &query);
    assert!(matches!(parked, Outcome::Parked(_)));
    drop(parked);
    produce_name(&mut world, &batch(1));
    assert_eq!(world.bell.rung(), 0);
}

#[test]
fn fetches_that_cannot_be_served_are_answered_at_once() {
    let (mut world, id) = world_with(&[]);
    produce_name(&mut world, &batch(3));
    let mut check = |version: i16, topic: Topic<'_>, offset, epoch, expected: ErrorCode| {
        let mut query = FetchRequest {
            max_wait_ms: 500,
            ..fetch_query(topic, offset)
        };
        query.topics[0].partitions[0].current_leader_epoch = LeaderEpoch(epoch);
        let fetched = fetch(&mut world, version, &query);
        assert_eq!(
            fetched.partitions[0].1, expected,
            "{topic:?} from {offset} epoch {epoch}"
        );
    };
    check(
        12,
        Topic::Name("missing"),
        0,
        -1,
        ErrorCode::UnknownTopicOrPartition,
    );
    check(
        13,
        Topic::Id(Uuid::from_u128(7)),
        0,
        -1,
        ErrorCode::UnknownTopicId,
    );
    check(13, Topic::Id(id), 4, -1, ErrorCode::OffsetOutOfRange);
    check(13, Topic::Id(id), -1, -1, ErrorCode::OffsetOutOfRange);
    check(13, Topic::Id(id), 0, 1, ErrorCode::UnknownLeaderEpoch);
    check(13, Topic::Id(id), 0, 0, ErrorCode::None);
}

#[test]
fn the_first_batch_comes_whole_however_small_the_limit() {
    let (mut world, _) = world_with(&[]);
    produce_name(&mut world, &batch(3));
    produce_name(&mut world, &batch(3));
    let query = FetchRequest {
        max_bytes: 1,
        ..fetch_query(Topic::Name("orders"), 0)
    };
    assert_eq!(
        fetch(&mut world, 12, &query).partitions,
        [(0, ErrorCode::None, 6, 3)]
    );
}

fn in_session(id: i32, epoch: i32, wanted: &[(i32, i64)]) -> FetchRequest<'static> {
    let partition = |(index, offset): &(i32, i64)| {
        FetchPartition::from_offset(PartitionIndex(*index), Offset(*offset), 1 << 20)
    };
    let partitions: Vec<_> = wanted.iter().map(partition).collect();
    let topics = if partitions.is_empty() {
        Vec::new()
    } else {
        vec![FetchTopic {
            topic: Topic::Name("orders"),
            partitions,
        }]
    };
    FetchRequest {
        session: Session { id, epoch },
        topics,
        ..fetch_query(Topic::Name("orders"), 0)
    }
}

#[test]
fn a_session_tells_what_is_new_and_nothing_else() {
    let (mut world, _) = world_with(&[]);
    produce_name(&mut world, &batch(2));
    let first = fetch(&mut world, 12, &in_session(0, 0, &[(0, 0), (1, 0)]));
    assert_eq!(first.partitions.len(), 2);
    let id = first.session;
    assert!(id > 0);
    let none = fetch(&mut world, 12, &in_session(id, 1, &[(0, 2)]));
    assert_eq!((none.session, none.partitions), (id, vec![]));
    produce_name(&mut world, &batch(1));
    let news = fetch(&mut world, 12, &in_session(id, 2, &[]));
    assert_eq!(news.partitions, [(0, ErrorCode::None, 3, 1)]);
    let mut forget = in_session(id, 3, &[]);
    forget.forgotten = vec![ForgottenTopic {
        topic: Topic::Name("orders"),
        partitions: vec![PartitionIndex(0)],
    }];
    assert_eq!(fetch(&mut world, 12, &forget).partitions, []);
    let repeated = fetch(&mut world, 12, &in_session(id, 3, &[]));
    assert_eq!(repeated.error, ErrorCode::InvalidFetchSessionEpoch);
    let unknown = fetch(&mut world, 12, &in_session(id + 1, 3, &[]));
    assert_eq!(unknown.error, ErrorCode::FetchSessionIdNotFound);
    let ended = fetch(&mut world, 12, &in_session(id, -1, &[(0, 0)]));
    assert_eq!((ended.session, ended.partitions.len()), (0, 1));
    let gone = fetch(&mut world, 12, &in_session(id, 4, &[]));
    assert_eq!(gone.error, ErrorCode::FetchSessionIdNotFound);
}

#[test]
fn without_a_free_slot_a_fetch_goes_without_a_session() {
    let (mut world, _) = world_with(&[("max.incremental.fetch.session.cache.slots", "1")]);
    let open = in_session(0, 0, &[(0, 0)]);
    assert!(fetch(&mut world, 12, &open).session > 0);
    assert_eq!(fetch(&mut world, 12, &open).session, 0);
}

pub fn offset_at(world: &mut World, version: i16, timestamp: i64) -> (ErrorCode, i64, i64) {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
    let partition = if version >= 4 {
        partition.with_current_leader_epoch(-1)
    } else {
        partition
    };
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name())
        .with_partitions(vec![partition]);
    let query = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![topic]);
    let response: ListOffsetsResponse = world.ask(ApiKey::ListOffsets, version, &query);
    let found = &response.topics[0].partitions[0];
    let error = ErrorCode::try_from(found.error_code).expect("a known code");
    (error, found.offset, found.timestamp)
}

#[test]
fn offsets_are_found_by_name_and_by_time_in_every_version() {
    let (mut world, _) = world_with(&[]);
    for codec in [Compression::None, Compression::Lz4] {
        let settings = BatchSettings {
            compression: codec,
            ..BatchSettings::default()
        };
        produce_name(&mut world, &batch_with(settings, 4));
    }
    for version in 1..=10 {
        let mut check = |timestamp, expected: (i64, i64)| {
            let (error, offset, time) = offset_at(&mut world, version, timestamp);
            assert_eq!(
                (error, offset, time),
                (ErrorCode::None, expected.0, expected.1)
            );
        };
        check(-1, (8, -1));
        check(-2, (0, -1));
        check(0, (0, START_MS));
        check(START_MS + 2, (2, START_MS + 2));
        check(START_MS + 9, (-1, -1));
        if version >= 7 {
            check(-3, (3, START_MS + 3));
        }
        if version >= 8 {
            check(-4, (0, -1));
        }
        if version >= 9 {
            check(-5, (-1, -1));
        }
    }
    assert_eq!(
        offset_at(&mut world, 6, -3).0,
        ErrorCode::UnsupportedVersion
    );
}

#[test]
fn records_are_deleted_up_to_an_offset() {
    let (mut world, _) = world_with(&[]);
    produce_name(&mut world, &batch(4));
    produce_name(&mut world, &batch(4));
    let mut check = |version: i16, offset: i64, expected: (ErrorCode, i64)| {
        let partition = DeleteRecordsPartition::default()
            .with_partition_index(0)
            .with_offset(offset);
        let topic = DeleteRecordsTopic::default()
            .with_name(topic_name())
            .with_partitions(vec![partition]);
        let query = DeleteRecordsRequest::default().with_topics(vec![topic]);
        let response: DeleteRecordsResponse = world.ask(ApiKey::DeleteRecords, version, &query);
        let deleted = &response.topics[0].partitions[0];
        let seen = (deleted.error_code, deleted.low_watermark);
        assert_eq!(
            seen,
            (expected.0.code(), expected.1),
            "version {version} offset {offset}"
        );
    };
    check(0, 2, (ErrorCode::None, 2));
    check(1, 1, (ErrorCode::None, 2));
    check(2, 9, (ErrorCode::OffsetOutOfRange, -1));
    check(2, -1, (ErrorCode::None, 8));
    assert_eq!(offset_at(&mut world, 6, -2), (ErrorCode::None, 8, -1));
    let query = fetch_query(Topic::Name("orders"), 0);
    assert_eq!(
        fetch(&mut world, 12, &query).partitions[0].1,
        ErrorCode::OffsetOutOfRange
    );
    world.restart(true);
    assert_eq!(offset_at(&mut world, 6, -2), (ErrorCode::None, 8, -1));
}

#[test]
fn compacted_topics_keep_their_records_from_deletion() {
    let (mut world, _) = world_with(&[("log.cleanup.policy", "compact")]);
    let partition = DeleteRecordsPartition::default().with_offset(0);
    let topic = DeleteRecordsTopic::default()
        .with_name(topic_name())
        .with_partitions(vec![partition]);
    let query = DeleteRecordsRequest::default().with_topics(vec![topic]);
    let response: DeleteRecordsResponse = world.ask(ApiKey::DeleteRecords, 2, &query);
    let code = response.topics[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::PolicyViolation.code());
}

#[test]
fn epochs_end_where_the_log_says() {
    let (mut world, _) = world_with(&[]);
    produce_name(&mut world, &batch(4));
    for version in 2..=4 {
        let mut check = |current: i32, epoch: i32, expected: (ErrorCode, i32, i64)| {
            let partition = OffsetForLeaderPartition::default()
                .with_current_leader_epoch(current)
                .with_leader_epoch(epoch);
            let topic = OffsetForLeaderTopic::default()
                .with_topic(topic_name())
                .with_partitions(vec![partition]);
            let query = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
            let query = if version >= 3 {
                query.with_replica_id(BrokerId(-1))
            } else {
                query
            };
            let response: OffsetForLeaderEpochResponse =
                world.ask(ApiKey::OffsetForLeaderEpoch, version, &query);
            let found = &response.topics[0].partitions[0];
            let seen = (found.error_code, found.leader_epoch, found.end_offset);
            assert_eq!(seen, (expected.0.code(), expected.1, expected.2));
        };
        check(-1, 0, (ErrorCode::None, 0, 4));
        check(0, 0, (ErrorCode::None, 0, 4));
        check(3, 0, (ErrorCode::UnknownLeaderEpoch, -1, -1));
    }
}

#[test]
fn producer_ids_are_never_given_twice() {
    let mut world = World::new();
    let mut given = std::collections::BTreeSet::new();
    for round in 0..3 {
        for version in 0..=5 {
            let query = InitProducerIdRequest::default()
                .with_transactional_id(None)
                .with_transaction_timeout_ms(1000);
            let response: InitProducerIdResponse =
                world.ask(ApiKey::InitProducerId, version, &query);
            assert_eq!((response.error_code, response.producer_epoch), (0, 0));
            assert!(
                given.insert(response.producer_id.0),
                "round {round} version {version}"
            );
        }
        world.restart(round == 0);
    }
    let half = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_producer_id(WireProducerId(5));
    let response: InitProducerIdResponse = world.ask(ApiKey::InitProducerId, 4, &half);
    assert_eq!(response.error_code, ErrorCode::InvalidRequest.code());
    let empty = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(StrBytes::default())));
    let response: InitProducerIdResponse = world.ask(ApiKey::InitProducerId, 4, &empty);
    assert_eq!(response.error_code, ErrorCode::InvalidRequest.code());
}

/// Bytes in partition 0.
pub fn size(world: &mut World) -> i64 {
    let query = DescribeLogDirsRequest::default().with_topics(None);
    let response: DescribeLogDirsResponse = world.ask(ApiKey::DescribeLogDirs, 1, &query);
    response.results[0].topics[0].partitions[0].partition_size
}

#[test]
fn directories_are_described_in_every_version() {
    let (mut world, _) = world_with(&[]);
    produce_name(&mut world, &batch(4));
    for version in 1..=4 {
        let query = DescribeLogDirsRequest::default().with_topics(None);
        let outcome = world.send_message(ApiKey::DescribeLogDirs, version, &query);
        let Outcome::Ready(response) = outcome else {
            panic!("it is answered");
        };
        let response: DescribeLogDirsResponse = read(ApiKey::DescribeLogDirs, version, &response);
        let dir = &response.results[0];
        assert_eq!((dir.error_code, dir.log_dir.as_str()), (0, "/data"));
        let sizes: Vec<_> = dir.topics[0]
            .partitions
            .iter()
            .map(|p| (p.partition_index, p.partition_size))
            .collect();
        assert_eq!(
            sizes,
            [(0, i64::try_from(batch(4).len()).expect("small")), (1, 0)]
        );
    }
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
