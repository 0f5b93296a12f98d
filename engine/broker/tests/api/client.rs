//! A client of the data path: batches, produce and fetch in every version.

use crate::support::{World, body};
use bytes::Bytes;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    DeleteTopicsRequest, DeleteTopicsResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::Outcome;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, Producer, records};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, IsolationLevel, Replica, Session,
};
use plimsoll_wire::produce::{PartitionData, ProduceRequest, ProduceResponse, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{
    Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs,
};
use uuid::Uuid;

use crate::support::START_MS;

pub fn topic_name() -> TopicName {
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

/// Deletes the topic `orders`, over a connection of its own.
pub fn delete_orders(world: &World) {
    let query = DeleteTopicsRequest::default().with_topic_names(vec![topic_name()]);
    let response: DeleteTopicsResponse = world.ask_aside(ApiKey::DeleteTopics, 5, &query);
    assert_eq!(response.responses[0].error_code, 0);
}

pub fn batch_with(settings: BatchSettings, count: i32) -> Vec<u8> {
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

pub fn batch(count: i32) -> Vec<u8> {
    batch_with(BatchSettings::default(), count)
}

pub fn sequenced(epoch: i16, sequence: i32, count: i32) -> Vec<u8> {
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
pub fn topic_in(version: i16, id: Uuid) -> Topic<'static> {
    if version >= 13 {
        Topic::Id(id)
    } else {
        Topic::Name("orders")
    }
}

/// The body of a request's frame.
pub fn body_of(frame: &[u8], api: ApiKey, version: i16) -> Vec<u8> {
    let header = plimsoll_wire::header::RequestHeader::decode(&frame[4..]).expect("a header");
    assert_eq!((header.0.spec.key, header.0.version), (api, version));
    frame[4 + header.1..].to_vec()
}

pub struct Sent {
    pub error: ErrorCode,
    pub base_offset: i64,
    pub log_append_time: i64,
}

pub fn send(
    world: &mut World,
    version: i16,
    topic: Topic<'_>,
    acks: i16,
    records: &[u8],
) -> Outcome {
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

pub fn produce(world: &mut World, version: i16, topic: Topic<'_>, records: &[u8]) -> Sent {
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

pub fn fetch_query(topic: Topic<'_>, offset: i64) -> FetchRequest<'_> {
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

pub fn send_fetch(world: &mut World, version: i16, query: &FetchRequest<'_>) -> Outcome {
    let frame = query.encode_frame(version, 42, Some("tests"));
    world.send(
        ApiKey::Fetch,
        version,
        &body_of(&frame, ApiKey::Fetch, version),
    )
}

/// What a fetch answered, for comparison.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetched {
    pub error: ErrorCode,
    pub session: i32,
    /// Partition, error, high watermark, and how many records there are.
    pub partitions: Vec<(i32, ErrorCode, i64, usize)>,
}

pub fn seen(version: i16, response: &plimsoll_broker::Response) -> Fetched {
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

pub fn count(mut bytes: &[u8]) -> usize {
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

pub fn fetch(world: &mut World, version: i16, query: &FetchRequest<'_>) -> Fetched {
    match send_fetch(world, version, query) {
        Outcome::Ready(response) => seen(version, &response),
        other => panic!("fetch {version} is answered at once: {other:?}"),
    }
}
