//! Requests, built once and sent again and again with another correlation id.

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, MetadataRequest, ProduceRequest, RequestHeader, TopicName,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};
use plimsoll_wire::batch::{BatchBuilder, BatchSettings};
use plimsoll_wire::types::TimestampMs;
use std::io;

/// The value of a record.
const RECORD_BYTES: usize = 1024;

/// A record batch and how many records it holds.
pub struct Batch {
    bytes: Bytes,
    records: usize,
}

impl Batch {
    /// As many 1 KiB records as fit into `limit` bytes.
    pub fn of(limit: usize) -> Self {
        let mut builder = BatchBuilder::new(BatchSettings::default());
        let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
        while builder.is_empty() || builder.uncompressed_len() + RECORD_BYTES + 16 <= limit {
            let value: Vec<u8> = (0..RECORD_BYTES)
                .map(|_| {
                    noise ^= noise << 13;
                    noise ^= noise >> 7;
                    noise ^= noise << 17;
                    noise as u8
                })
                .collect();
            builder.push(TimestampMs(1_700_000_000_000), None, Some(&value));
        }
        let records = builder.count() as usize;
        let bytes = builder.build().expect("no compression, no failure").into();
        Self { bytes, records }
    }

    /// Its bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its records.
    pub fn records(&self) -> usize {
        self.records
    }
}

fn frame<R: Encodable + HeaderVersion>(
    key: ApiKey,
    version: i16,
    body: &R,
) -> io::Result<BytesMut> {
    let mut out = BytesMut::new();
    out.put_i32(0);
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("cost")));
    header
        .encode(&mut out, R::header_version(version))
        .map_err(io::Error::other)?;
    body.encode(&mut out, version).map_err(io::Error::other)?;
    let length = (out.len() - 4) as i32;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Ok(out)
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// Creates the topic on the way.
pub fn metadata(topic: &str) -> io::Result<BytesMut> {
    let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
    let body = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true);
    frame(ApiKey::Metadata, 9, &body)
}

/// One batch to partition 0, acks=1.
pub fn produce(topic: &str, batch: &Batch) -> io::Result<BytesMut> {
    let data = PartitionProduceData::default().with_records(Some(batch.bytes.clone()));
    let topic = TopicProduceData::default()
        .with_name(name(topic))
        .with_partition_data(vec![data]);
    let body = ProduceRequest::default()
        .with_acks(1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic]);
    frame(ApiKey::Produce, 9, &body)
}

/// Up to `bytes` of partition 0 from `offset` on.
pub fn fetch(topic: &str, offset: usize, bytes: usize) -> io::Result<BytesMut> {
    let partition = FetchPartition::default()
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset as i64)
        .with_partition_max_bytes(bytes as i32);
    let topic = FetchTopic::default()
        .with_topic(name(topic))
        .with_partitions(vec![partition]);
    let body = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(bytes as i32)
        .with_session_id(0)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    frame(ApiKey::Fetch, 11, &body)
}
