//! Looking offsets up, deleting records, producer ids and directories.

use crate::support::{World, read};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    BrokerId, DeleteRecordsRequest, DeleteRecordsResponse, DescribeLogDirsRequest,
    DescribeLogDirsResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    ProducerId as WireProducerId, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::Outcome;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::BatchSettings;
use plimsoll_wire::compression::Compression;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::topic::Topic;

use crate::client::*;
use crate::support::START_MS;

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
