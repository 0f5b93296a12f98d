//! The codec against the library's, version by version.

use super::*;
use crate::error_code::ErrorCode;
use crate::frame::LENGTH_LEN;
use crate::header::{RequestHeader, decode_response};
use crate::leader::{CurrentLeader, NodeEndpoint};
use crate::read::ReadError;
use crate::topic::Topic;
use crate::types::{LeaderEpoch, NodeId, Offset, PartitionIndex, TimestampMs};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ProduceRequest as TheirRequest, ProduceResponse as TheirResponse, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use uuid::Uuid;

const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;
const NAMES: [&str; 2] = ["orders", ""];

fn topic(number: usize, version: i16) -> Topic<'static> {
    match version >= TOPIC_IDS {
        true => Topic::Id(Uuid::from_u128(7 + number as u128)),
        false => Topic::Name(NAMES[number]),
    }
}

fn request(version: i16) -> ProduceRequest<'static, Bytes> {
    let partition = |index, records| PartitionData {
        index: PartitionIndex(index),
        records: Bytes::from_static(records),
    };
    ProduceRequest {
        transactional_id: Some("tx"),
        acks: -1,
        timeout_ms: 1500,
        topics: vec![
            TopicData {
                topic: topic(0, version),
                partitions: vec![partition(0, b"first batch"), partition(9, b"")],
            },
            TopicData {
                topic: topic(1, version),
                partitions: vec![partition(1, &[7; 300])],
            },
        ],
    }
}

fn their_request(version: i16) -> TheirRequest {
    let topics = request(version).topics.into_iter().map(|ours| {
        let partitions = ours.partitions.into_iter().map(|partition| {
            PartitionProduceData::default()
                .with_index(partition.index.get())
                .with_records(Some(partition.records))
        });
        let theirs = TopicProduceData::default().with_partition_data(partitions.collect());
        match ours.topic {
            Topic::Name(name) => theirs.with_name(TopicName(StrBytes::from_static_str(name))),
            Topic::Id(id) => theirs.with_topic_id(id),
        }
    });
    TheirRequest::default()
        .with_transactional_id(Some(StrBytes::from_static_str("tx").into()))
        .with_acks(-1)
        .with_timeout_ms(1500)
        .with_topic_data(topics.collect())
}

/// A frame's body, after its length and header have been checked.
fn body_of(frame: &[u8]) -> &[u8] {
    let (length, rest) = frame.split_at(LENGTH_LEN);
    assert_eq!(length, (rest.len() as i32).to_be_bytes());
    let (header, body) = RequestHeader::decode(rest).unwrap();
    assert_eq!((header.correlation_id, header.client_id), (5, Some("me")));
    &rest[body..]
}

#[test]
fn requests_read_as_the_library_wrote_them() {
    for version in VERSIONS {
        let mut body = BytesMut::new();
        their_request(version).encode(&mut body, version).unwrap();
        let read = ProduceRequest::decode(version, &mut body).unwrap();
        let expected = request(version);
        assert_eq!(read.transactional_id, expected.transactional_id);
        assert_eq!((read.acks, read.timeout_ms), (-1, 1500));
        assert_eq!(read.topics.len(), expected.topics.len());
        for (read, expected) in read.topics.iter().zip(&expected.topics) {
            assert_eq!(read.topic, expected.topic, "version {version}");
            assert_eq!(read.partitions.len(), expected.partitions.len());
            for (read, expected) in read.partitions.iter().zip(&expected.partitions) {
                assert_eq!(read.index, expected.index);
                assert_eq!(read.records, &expected.records[..]);
            }
        }
    }
}

#[test]
fn requests_are_written_as_the_library_writes_them() {
    for version in VERSIONS {
        let frame = request(version)
            .encode_frame(version, 5, Some("me"))
            .concat();
        let mut expected = BytesMut::new();
        their_request(version)
            .encode(&mut expected, version)
            .unwrap();
        assert_eq!(body_of(&frame), expected, "version {version}");
    }
}

#[test]
fn records_are_shared_and_not_copied() {
    let records = Bytes::from(vec![1; 100]);
    let request = ProduceRequest {
        topics: vec![TopicData {
            topic: Topic::Name("t"),
            partitions: vec![PartitionData {
                index: PartitionIndex(0),
                records: records.clone(),
            }],
        }],
        ..request(9)
    };
    let pieces = request.encode_frame(9, 1, None);
    assert!(
        pieces
            .iter()
            .any(|piece| piece.as_ptr() == records.as_ptr())
    );
}

#[test]
fn records_can_be_patched_where_they_arrived() {
    let frame = request(9).encode_frame(9, 5, Some("me")).concat();
    let mut body = body_of(&frame).to_vec();
    let mut read = ProduceRequest::decode(9, &mut body).unwrap();
    read.topics[0].partitions[0].records[0] = b'F';
    let again = ProduceRequest::decode(9, &mut body).unwrap();
    assert_eq!(again.topics[0].partitions[0].records, b"First batch");
}

#[test]
fn malformed_requests_are_refused() {
    let check = |body: &[u8], expected: ReadError| {
        let mut body = body.to_vec();
        let got = ProduceRequest::decode(3, &mut body);
        assert_eq!(got.unwrap_err(), expected);
    };
    let frame = request(3).encode_frame(3, 5, Some("me")).concat();
    let body = body_of(&frame);
    check(&[body, &[0]].concat(), ReadError::Trailing { left: 1 });
    let short = ReadError::Truncated {
        at: 0,
        need: 2,
        have: 0,
    };
    check(&[], short);
    // No transactional id, acks 1, no timeout, then 2³¹ − 1 topics.
    let huge = [0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0];
    let (at, need, have) = (12, 3 * (i32::MAX as usize), 2);
    check(&huge, ReadError::Truncated { at, need, have });
    for len in 0..body.len() {
        assert!(ProduceRequest::decode(3, &mut body[..len].to_vec()).is_err());
    }
}

fn response(version: i16) -> ProduceResponse<'static> {
    let leader = CurrentLeader {
        id: NodeId(4),
        epoch: LeaderEpoch(8),
    };
    let failed = PartitionResponse {
        log_append_time: TimestampMs(99),
        log_start_offset: Offset(if version >= 5 { 3 } else { -1 }),
        record_errors: if version >= 8 {
            vec![RecordError {
                batch_index: 2,
                message: Some("no key"),
            }]
        } else {
            Vec::new()
        },
        error_message: (version >= 8).then_some("refused"),
        current_leader: (version >= 10).then_some(leader),
        ..PartitionResponse::failed(PartitionIndex(0), ErrorCode::InvalidRecord)
    };
    let fine = PartitionResponse {
        base_offset: Offset(1 << 33),
        ..PartitionResponse::failed(PartitionIndex(1), ErrorCode::None)
    };
    let endpoint = NodeEndpoint {
        id: NodeId(4),
        host: "localhost",
        port: 9092,
        rack: Some("a"),
    };
    ProduceResponse {
        topics: vec![TopicResponse {
            topic: topic(0, version),
            partitions: vec![failed, fine],
        }],
        throttle_time_ms: 12,
        node_endpoints: if version >= 10 {
            vec![endpoint]
        } else {
            vec![]
        },
    }
}

#[test]
fn responses_read_back_and_agree_with_the_library() {
    for version in VERSIONS {
        let frame = response(version).encode_frame(version, 77);
        let (length, rest) = frame.split_at(LENGTH_LEN);
        assert_eq!(length, (rest.len() as i32).to_be_bytes());
        let spec = crate::api::ApiKey::Produce.spec();
        let (correlation_id, body) = decode_response(spec, version, rest).unwrap();
        assert_eq!(correlation_id, 77);
        let body = &rest[body..];
        assert_eq!(
            ProduceResponse::decode(version, body),
            Ok(response(version))
        );

        let mut bytes = Bytes::copy_from_slice(body);
        let theirs = TheirResponse::decode(&mut bytes, version).unwrap();
        assert!(bytes.is_empty(), "version {version}");
        let partition = &theirs.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, 87);
        assert_eq!(partition.record_errors.len(), usize::from(version >= 8));
        let mut again = BytesMut::new();
        theirs.encode(&mut again, version).unwrap();
        assert_eq!(again, body, "version {version}");
    }
}
