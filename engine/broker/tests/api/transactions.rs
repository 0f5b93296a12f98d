//! Transactions: the older flow with explicit partitions and the newer one
//! (KIP-890), in which the broker adds them.

use crate::support::{START_MS, World, body};
use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, DescribeTransactionsRequest, DescribeTransactionsResponse,
    EndTxnRequest, EndTxnResponse, GroupId, InitProducerIdRequest, InitProducerIdResponse,
    ListTransactionsRequest, ListTransactionsResponse, MetadataRequest, MetadataResponse,
    OffsetFetchRequest, OffsetFetchResponse, ProducerId as WireProducerId, TopicName,
    TransactionalId, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::Outcome;
use plimsoll_coordinator::Producer;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{self, BatchBuilder, BatchHeader, BatchSettings};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, IsolationLevel, Replica, Session,
};
use plimsoll_wire::produce::{PartitionData, ProduceRequest, ProduceResponse, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{
    Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs,
};
use std::time::Duration;
use uuid::Uuid;

fn text(words: &str) -> StrBytes {
    StrBytes::from_string(words.to_owned())
}

fn pay() -> TransactionalId {
    TransactionalId(text("pay"))
}

fn world() -> (World, Uuid) {
    let mut world = World::with(&[
        ("offsets.topic.num.partitions", "2"),
        ("transaction.state.log.num.partitions", "2"),
    ]);
    let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text("orders"))));
    let query = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true);
    let response: MetadataResponse = world.ask(ApiKey::Metadata, 12, &query);
    (world, response.topics[0].topic_id)
}

fn init(world: &mut World, version: i16) -> Producer {
    let query = InitProducerIdRequest::default()
        .with_transactional_id(Some(pay()))
        .with_transaction_timeout_ms(10_000);
    let response: InitProducerIdResponse = world.ask(ApiKey::InitProducerId, version, &query);
    assert_eq!(response.error_code, 0, "init {version}");
    Producer {
        id: ProducerId(response.producer_id.0),
        epoch: ProducerEpoch(response.producer_epoch),
    }
}

fn add_partitions(world: &mut World, version: i16, producer: Producer) -> ErrorCode {
    let topic = AddPartitionsToTxnTopic::default()
        .with_name(TopicName(text("orders")))
        .with_partitions(vec![0]);
    let query = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(pay())
        .with_v3_and_below_producer_id(WireProducerId(producer.id.get()))
        .with_v3_and_below_producer_epoch(producer.epoch.get())
        .with_v3_and_below_topics(vec![topic]);
    let response: AddPartitionsToTxnResponse =
        world.ask(ApiKey::AddPartitionsToTxn, version, &query);
    let code = &response.results_by_topic_v3_and_below[0].results_by_partition[0];
    ErrorCode::try_from(code.partition_error_code).expect("a known code")
}

fn produce(world: &mut World, version: i16, id: Uuid, by: Producer, sequence: i32) -> ErrorCode {
    let mut builder = BatchBuilder::new(BatchSettings {
        producer: batch::Producer {
            id: by.id,
            epoch: by.epoch,
            base_sequence: Sequence(sequence),
        },
        transactional: true,
        ..BatchSettings::default()
    });
    builder.push(TimestampMs(START_MS), Some(b"key"), Some(b"value"));
    let records = Bytes::from(builder.build().expect("it builds"));
    let topic = if version >= 13 {
        Topic::Id(id)
    } else {
        Topic::Name("orders")
    };
    let partitions = vec![PartitionData {
        index: PartitionIndex(0),
        records,
    }];
    let query = ProduceRequest {
        transactional_id: Some("pay"),
        acks: -1,
        timeout_ms: 1000,
        topics: vec![TopicData { topic, partitions }],
    };
    let frame = query.encode_frame(version, 42, Some("tests")).concat();
    let header = plimsoll_wire::header::RequestHeader::decode(&frame[4..]).expect("a header");
    let Outcome::Ready(response) = world.send(ApiKey::Produce, version, &frame[4 + header.1..])
    else {
        panic!("it is answered at once");
    };
    let bytes = body(ApiKey::Produce, version, &response);
    let response = ProduceResponse::decode(version, &bytes).expect("it decodes");
    response.topics[0].partitions[0].error
}

fn end(world: &mut World, version: i16, by: Producer, commit: bool) -> Result<Producer, ErrorCode> {
    let query = EndTxnRequest::default()
        .with_transactional_id(pay())
        .with_producer_id(WireProducerId(by.id.get()))
        .with_producer_epoch(by.epoch.get())
        .with_committed(commit);
    let response: EndTxnResponse = world.ask(ApiKey::EndTxn, version, &query);
    match ErrorCode::try_from(response.error_code).expect("a known code") {
        ErrorCode::None if version >= 5 => Ok(Producer {
            id: ProducerId(response.producer_id.0),
            epoch: ProducerEpoch(response.producer_epoch),
        }),
        ErrorCode::None => Ok(by),
        code => Err(code),
    }
}

/// Batches, aborted transactions and the last stable offset that a reader of
/// committed records sees.
fn committed(world: &mut World) -> (usize, usize, i64) {
    let partition = FetchPartition::from_offset(PartitionIndex(0), Offset(0), 1 << 20);
    let query = FetchRequest {
        cluster_id: None,
        replica: Replica::CONSUMER,
        max_wait_ms: 0,
        min_bytes: 0,
        max_bytes: 1 << 20,
        isolation: IsolationLevel::ReadCommitted,
        session: Session::NONE,
        topics: vec![FetchTopic {
            topic: Topic::Name("orders"),
            partitions: vec![partition],
        }],
        forgotten: Vec::new(),
        rack_id: "",
    };
    let frame = query.encode_frame(12, 42, Some("tests"));
    let header = plimsoll_wire::header::RequestHeader::decode(&frame[4..]).expect("a header");
    let Outcome::Ready(response) = world.send(ApiKey::Fetch, 12, &frame[4 + header.1..]) else {
        panic!("it is answered at once");
    };
    let bytes = body(ApiKey::Fetch, 12, &response);
    let response = FetchResponse::decode(12, &bytes).expect("it decodes");
    let found = &response.topics[0].partitions[0];
    let mut rest = found.records;
    let mut batches = 0;
    while !rest.is_empty() {
        let header = BatchHeader::parse(rest).expect("a batch");
        batches += usize::from(!header.is_control());
        rest = &rest[header.total_len()..];
    }
    let aborted = found.aborted_transactions.as_ref().map_or(0, Vec::len);
    (batches, aborted, found.last_stable_offset.get())
}

#[test]
fn the_older_flow_commits_and_aborts() {
    for version in 0..=3 {
        let (mut world, id) = world();
        let producer = init(&mut world, version);
        let unknown = produce(&mut world, 9, id, producer, 0);
        assert_eq!(
            unknown,
            ErrorCode::InvalidTxnState,
            "the partition was not added"
        );
        assert_eq!(
            add_partitions(&mut world, version, producer),
            ErrorCode::None
        );
        assert_eq!(produce(&mut world, 9, id, producer, 0), ErrorCode::None);
        assert_eq!(committed(&mut world), (0, 0, 0), "nothing is decided");
        assert_eq!(end(&mut world, version, producer, true), Ok(producer));
        assert_eq!(committed(&mut world), (1, 0, 2), "record and marker");
        assert_eq!(
            add_partitions(&mut world, version, producer),
            ErrorCode::None
        );
        assert_eq!(produce(&mut world, 9, id, producer, 1), ErrorCode::None);
        assert_eq!(end(&mut world, version, producer, false), Ok(producer));
        assert_eq!(
            committed(&mut world),
            (2, 1, 4),
            "the second is listed as aborted"
        );
        world.restart(version % 2 == 0);
        assert_eq!(committed(&mut world), (2, 1, 4));
    }
}

#[test]
fn the_newer_flow_adds_partitions_by_itself_and_raises_the_epoch() {
    let (mut world, id) = world();
    let mut producer = init(&mut world, 5);
    for (version, commit) in [(12, true), (13, false), (13, true)] {
        assert_eq!(
            produce(&mut world, version, id, producer, 0),
            ErrorCode::None
        );
        assert_eq!(
            produce(&mut world, version, id, producer, 1),
            ErrorCode::None
        );
        let next = end(&mut world, 5, producer, commit).expect("it ends");
        assert_eq!(next.id, producer.id);
        assert!(next.epoch > producer.epoch);
        let late = produce(&mut world, version, id, producer, 2);
        assert_eq!(
            late,
            ErrorCode::InvalidProducerEpoch,
            "the old epoch is fenced"
        );
        producer = next;
    }
    assert_eq!(committed(&mut world), (6, 1, 9));
}

#[test]
fn a_second_producer_fences_the_first_and_aborts_what_it_left() {
    let (mut world, id) = world();
    let first = init(&mut world, 4);
    assert_eq!(add_partitions(&mut world, 3, first), ErrorCode::None);
    assert_eq!(produce(&mut world, 9, id, first, 0), ErrorCode::None);
    let query = InitProducerIdRequest::default()
        .with_transactional_id(Some(pay()))
        .with_transaction_timeout_ms(10_000);
    let retry: InitProducerIdResponse = world.ask(ApiKey::InitProducerId, 4, &query);
    assert_eq!(retry.error_code, ErrorCode::ConcurrentTransactions.code());
    let second = init(&mut world, 4);
    assert!(second.epoch > first.epoch);
    assert_eq!(committed(&mut world), (1, 1, 2), "aborted");
    assert_eq!(
        end(&mut world, 3, first, true),
        Err(ErrorCode::ProducerFenced)
    );
    assert_eq!(
        end(&mut world, 1, first, true),
        Err(ErrorCode::InvalidProducerEpoch)
    );
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let (mut world, id) = world();
    let producer = init(&mut world, 4);
    assert_eq!(add_partitions(&mut world, 3, producer), ErrorCode::None);
    assert_eq!(produce(&mut world, 9, id, producer, 0), ErrorCode::None);
    world.pass(Duration::from_secs(11));
    world.broker.tick(world.now);
    assert_eq!(committed(&mut world), (1, 1, 2));
}

fn commit_offset(world: &mut World, version: i16, by: Producer, offset: i64) -> ErrorCode {
    let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(TopicName(text("orders")))
        .with_partitions(vec![partition]);
    let query = TxnOffsetCommitRequest::default()
        .with_transactional_id(pay())
        .with_group_id(GroupId(text("readers")))
        .with_producer_id(WireProducerId(by.id.get()))
        .with_producer_epoch(by.epoch.get())
        .with_topics(vec![topic]);
    let query = if version >= 3 {
        query.with_generation_id(-1)
    } else {
        query
    };
    let response: TxnOffsetCommitResponse = world.ask(ApiKey::TxnOffsetCommit, version, &query);
    let code = response.topics[0].partitions[0].error_code;
    ErrorCode::try_from(code).expect("a known code")
}

fn fetch_offset(world: &mut World, stable: bool) -> (ErrorCode, i64) {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(TopicName(text("orders")))
        .with_partition_indexes(vec![0]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text("readers")))
        .with_topics(Some(vec![topic]));
    let query = OffsetFetchRequest::default()
        .with_groups(vec![group])
        .with_require_stable(stable);
    let response: OffsetFetchResponse = world.ask(ApiKey::OffsetFetch, 8, &query);
    let found = &response.groups[0].topics[0].partitions[0];
    let code = ErrorCode::try_from(found.error_code).expect("a known code");
    (code, found.committed_offset)
}

#[test]
fn offsets_count_once_their_transaction_commits() {
    for version in 0..=5 {
        let (mut world, _) = world();
        let producer = init(&mut world, 4);
        if version < 5 {
            let query = AddOffsetsToTxnRequest::default()
                .with_transactional_id(pay())
                .with_producer_id(WireProducerId(producer.id.get()))
                .with_producer_epoch(producer.epoch.get())
                .with_group_id(GroupId(text("readers")));
            let response: AddOffsetsToTxnResponse =
                world.ask(ApiKey::AddOffsetsToTxn, version.min(4), &query);
            assert_eq!(response.error_code, 0);
        }
        assert_eq!(
            commit_offset(&mut world, version, producer, 7),
            ErrorCode::None
        );
        assert_eq!(
            fetch_offset(&mut world, true).0,
            ErrorCode::UnstableOffsetCommit
        );
        assert_eq!(fetch_offset(&mut world, false), (ErrorCode::None, -1));
        end(&mut world, version, producer, true).expect("it ends");
        assert_eq!(
            fetch_offset(&mut world, true),
            (ErrorCode::None, 7),
            "version {version}"
        );
        world.restart(false);
        assert_eq!(fetch_offset(&mut world, true), (ErrorCode::None, 7));
    }
}

#[test]
fn transactions_are_listed_and_described() {
    let (mut world, _) = world();
    let producer = init(&mut world, 4);
    add_partitions(&mut world, 3, producer);
    let query = DescribeTransactionsRequest::default()
        .with_transactional_ids(vec![pay(), TransactionalId(text("missing"))]);
    let response: DescribeTransactionsResponse = world.ask(ApiKey::DescribeTransactions, 0, &query);
    let (found, missing) = (
        &response.transaction_states[0],
        &response.transaction_states[1],
    );
    assert_eq!(
        (found.transaction_state.as_str(), found.topics.len()),
        ("Ongoing", 1)
    );
    assert_eq!(
        missing.error_code,
        ErrorCode::TransactionalIdNotFound.code()
    );
    let mut listed = |version: i16, state: &str, pattern: Option<&str>| {
        let query = ListTransactionsRequest::default().with_state_filters(vec![text(state)]);
        let query = if version >= 2 {
            query.with_transactional_id_pattern(pattern.map(text))
        } else {
            query
        };
        let response: ListTransactionsResponse =
            world.ask(ApiKey::ListTransactions, version, &query);
        (response.error_code, response.transaction_states.len())
    };
    for version in 0..=2 {
        assert_eq!(listed(version, "Ongoing", None), (0, 1));
        assert_eq!(listed(version, "Empty", None), (0, 0));
        assert_eq!(listed(version, "Nonsense", None), (0, 0));
    }
    assert_eq!(listed(2, "Ongoing", Some("p.*")), (0, 1));
    assert_eq!(listed(2, "Ongoing", Some("p")), (0, 0));
    assert_eq!(
        listed(2, "Ongoing", Some("(")).0,
        ErrorCode::InvalidRegularExpression.code()
    );
}
