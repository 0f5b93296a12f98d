//! The codec against the library's, version by version.

use super::*;
use crate::api::ApiKey;
use crate::error_code::ErrorCode;
use crate::frame::{LENGTH_LEN, Piece};
use crate::header::{RequestHeader, decode_response};
use crate::leader::{CurrentLeader, NodeEndpoint};
use crate::read::ReadError;
use crate::topic::Topic;
use crate::types::{BrokerEpoch, LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerId};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{FetchRequest as TheirRequest, FetchResponse as TheirResponse};
use kafka_protocol::protocol::{Decodable, Encodable};
use uuid::Uuid;

const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;

fn topic(version: i16) -> Topic<'static> {
    match version >= TOPIC_IDS {
        true => Topic::Id(Uuid::from_u128(7)),
        false => Topic::Name("orders"),
    }
}

/// A request in which every field that `version` has is set.
fn request(version: i16) -> FetchRequest<'static> {
    let epoch = |since| LeaderEpoch(if version >= since { 5 } else { -1 });
    let replica_epoch = BrokerEpoch(if version >= 15 { 6 } else { -1 });
    let partition = FetchPartition {
        current_leader_epoch: epoch(9),
        last_fetched_epoch: epoch(12),
        log_start_offset: Offset(if version >= 5 { 1 } else { -1 }),
        directory_id: Uuid::from_u128(if version >= 17 { 9 } else { 0 }),
        high_watermark: (version >= 18).then_some(Offset(44)),
        ..FetchPartition::from_offset(PartitionIndex(3), Offset(1 << 40), 1 << 20)
    };
    FetchRequest {
        cluster_id: (version >= 12).then_some("cluster"),
        replica: Replica {
            id: NodeId(2),
            epoch: replica_epoch,
        },
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 50 << 20,
        isolation: IsolationLevel::ReadCommitted,
        session: match version >= 7 {
            true => Session { id: 8, epoch: 2 },
            false => Session::NONE,
        },
        topics: vec![FetchTopic {
            topic: topic(version),
            partitions: vec![
                partition,
                FetchPartition::from_offset(PartitionIndex(4), Offset(0), 0),
            ],
        }],
        forgotten: match version >= 7 {
            true => vec![ForgottenTopic {
                topic: topic(version),
                partitions: vec![PartitionIndex(6), PartitionIndex(7)],
            }],
            false => vec![],
        },
        rack_id: if version >= 11 { "rack" } else { "" },
    }
}

#[test]
fn requests_read_back_and_agree_with_the_library() {
    for version in VERSIONS {
        let frame = request(version).encode_frame(version, 5, Some("me"));
        let (length, rest) = frame.split_at(LENGTH_LEN);
        assert_eq!(length, (rest.len() as i32).to_be_bytes());
        let (header, body) = RequestHeader::decode(rest).unwrap();
        assert_eq!((header.spec.key, header.version), (ApiKey::Fetch, version));
        let body = &rest[body..];
        assert_eq!(FetchRequest::decode(version, body), Ok(request(version)));

        let mut bytes = Bytes::copy_from_slice(body);
        let theirs = TheirRequest::decode(&mut bytes, version).unwrap();
        assert!(bytes.is_empty(), "version {version}");
        assert_eq!(theirs.topics[0].partitions[0].fetch_offset, 1 << 40);
        assert_eq!(
            theirs.rack_id.as_str(),
            if version >= 11 { "rack" } else { "" }
        );
        let mut again = BytesMut::new();
        theirs.encode(&mut again, version).unwrap();
        assert_eq!(again, body, "version {version}");
    }
}

#[test]
fn malformed_requests_are_refused() {
    for version in VERSIONS {
        let frame = request(version).encode_frame(version, 5, None);
        let (_, body) = RequestHeader::decode(&frame[LENGTH_LEN..]).unwrap();
        let body = &frame[LENGTH_LEN + body..];
        for len in 0..body.len() {
            assert!(FetchRequest::decode(version, &body[..len]).is_err());
        }
        let longer = [body, &[0]].concat();
        let trailing = Err(ReadError::Trailing { left: 1 });
        assert_eq!(FetchRequest::decode(version, &longer), trailing);
    }
    let frame = request(4).encode_frame(4, 5, None);
    let mut body = frame[LENGTH_LEN + 10..].to_vec();
    body[16] = 2;
    let error = FetchRequest::decode(4, &body).unwrap_err();
    assert_eq!(error.to_string(), "byte 16: isolation level 2 is unknown");
}

const RECORDS: [&[u8]; 3] = [b"records of the first", b"", b"third"];

/// A response in which every field that `version` has is set.
fn response(version: i16) -> FetchResponse<'static, &'static [u8]> {
    let end = EpochEndOffset {
        epoch: LeaderEpoch(2),
        end_offset: Offset(30),
    };
    let partition = |index: i32| FetchedPartition {
        high_watermark: Offset(100),
        last_stable_offset: Offset(90),
        log_start_offset: Offset(if version >= 5 { 10 } else { -1 }),
        preferred_read_replica: NodeId(if version >= 11 { 3 } else { -1 }),
        records: RECORDS[index as usize],
        ..FetchedPartition::failed(PartitionIndex(index), ErrorCode::None)
    };
    let aborted = AbortedTransaction {
        producer_id: ProducerId(4),
        first_offset: Offset(12),
    };
    let full = FetchedPartition {
        aborted_transactions: Some(vec![aborted]),
        diverging_epoch: (version >= 12).then_some(end),
        current_leader: (version >= 12).then_some(CurrentLeader {
            id: NodeId(5),
            epoch: LeaderEpoch(6),
        }),
        snapshot_id: (version >= 12).then_some(end),
        ..partition(0)
    };
    let empty = FetchedPartition {
        aborted_transactions: Some(vec![]),
        ..partition(1)
    };
    let endpoint = NodeEndpoint {
        id: NodeId(5),
        host: "host",
        port: 9093,
        rack: None,
    };
    FetchResponse {
        throttle_time_ms: 3,
        error: ErrorCode::None,
        session_id: if version >= 7 { 11 } else { 0 },
        topics: vec![
            FetchedTopic {
                topic: topic(version),
                partitions: vec![full, empty],
            },
            FetchedTopic {
                topic: topic(version),
                partitions: vec![partition(2)],
            },
        ],
        node_endpoints: if version >= 16 {
            vec![endpoint]
        } else {
            vec![]
        },
    }
}

/// The same response with its records still elsewhere.
fn with_gaps(
    response: FetchResponse<'static, &'static [u8]>,
) -> FetchResponse<'static, RecordsLen> {
    let leave_gap = |partition: FetchedPartition<&[u8]>| FetchedPartition {
        records: RecordsLen(partition.records.len()),
        aborted_transactions: partition.aborted_transactions,
        diverging_epoch: partition.diverging_epoch,
        current_leader: partition.current_leader,
        snapshot_id: partition.snapshot_id,
        high_watermark: partition.high_watermark,
        last_stable_offset: partition.last_stable_offset,
        log_start_offset: partition.log_start_offset,
        preferred_read_replica: partition.preferred_read_replica,
        ..FetchedPartition::failed(partition.index, partition.error)
    };
    let topics = response.topics.into_iter().map(|topic| FetchedTopic {
        topic: topic.topic,
        partitions: topic.partitions.into_iter().map(leave_gap).collect(),
    });
    FetchResponse {
        topics: topics.collect(),
        throttle_time_ms: response.throttle_time_ms,
        error: response.error,
        session_id: response.session_id,
        node_endpoints: response.node_endpoints,
    }
}

#[test]
fn responses_read_back_and_agree_with_the_library() {
    for version in VERSIONS {
        let pieces = with_gaps(response(version)).encode_frame(version, 77);
        let numbers = pieces.iter().filter_map(|piece| match piece {
            Piece::Records(number) => Some(*number),
            Piece::Bytes(_) => None,
        });
        assert_eq!(numbers.collect::<Vec<_>>(), [0, 2]);
        let filled: Vec<&[u8]> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Records(number) => RECORDS[*number],
                Piece::Bytes(bytes) => bytes,
            })
            .collect();
        let frame = filled.concat();
        let (length, rest) = frame.split_at(LENGTH_LEN);
        assert_eq!(length, (rest.len() as i32).to_be_bytes());
        let (correlation_id, body) = decode_response(ApiKey::Fetch.spec(), version, rest).unwrap();
        assert_eq!(correlation_id, 77);
        let body = &rest[body..];
        assert_eq!(FetchResponse::decode(version, body), Ok(response(version)));

        let mut bytes = Bytes::copy_from_slice(body);
        let theirs = TheirResponse::decode(&mut bytes, version).unwrap();
        assert!(bytes.is_empty(), "version {version}");
        assert_eq!(theirs.responses[1].partitions[0].aborted_transactions, None);
        let mut again = BytesMut::new();
        theirs.encode(&mut again, version).unwrap();
        assert_eq!(again, body, "version {version}");
        for len in 0..body.len() {
            assert!(FetchResponse::decode(version, &body[..len]).is_err());
        }
    }
}

#[test]
fn an_entry_takes_no_more_memory_than_the_limit_counts() {
    assert!(size_of::<FetchedPartition<&[u8]>>() <= 160);
    assert!(size_of::<FetchPartition>() <= 160);
}
