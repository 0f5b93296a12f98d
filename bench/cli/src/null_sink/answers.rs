//! What the sink answers: one node that leads every partition of every topic.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataRequest, MetadataResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use parking_lot::Mutex;
use plimsoll_server::{Outcome, Response, Service, Wake};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::guard;
use plimsoll_wire::header::{self, RequestHeader};
use plimsoll_wire::produce::{PartitionResponse, ProduceRequest, ProduceResponse, TopicResponse};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{Offset, TimestampMs};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The versions that are spoken: what the native client and librdkafka ask.
const VERSIONS: [(ApiKey, i16, i16); 8] = [
    (ApiKey::Produce, 0, 7),
    (ApiKey::Fetch, 4, 11),
    (ApiKey::ListOffsets, 1, 6),
    (ApiKey::Metadata, 1, 9),
    (ApiKey::ApiVersions, 0, 2),
    (ApiKey::CreateTopics, 2, 6),
    (ApiKey::DeleteTopics, 1, 5),
    (ApiKey::InitProducerId, 0, 4),
];
const NODE: BrokerId = BrokerId(1);

/// Where each partition's log would end, by topic.
type Ends = BTreeMap<String, Vec<i64>>;

/// The sink.
#[derive(Debug)]
pub struct Sink {
    port: u16,
    ends: Mutex<Ends>,
    producers: AtomicI64,
}

/// Why a request is not answered.
type Refusal = Box<dyn std::fmt::Display + Send>;

impl Sink {
    /// A sink that clients reach at this port.
    pub fn at(port: u16) -> Self {
        Self {
            port,
            ends: Mutex::default(),
            producers: AtomicI64::new(0),
        }
    }

    fn answer(&self, frame: &mut BytesMut) -> Result<Option<Bytes>, Refusal> {
        let (head, body_at) = RequestHeader::decode(frame).map_err(refusal)?;
        let call = Call {
            api: head.spec.key,
            version: head.version,
            correlation: head.correlation_id,
        };
        let spoken = VERSIONS
            .iter()
            .any(|(api, min, max)| *api == call.api && (*min..=*max).contains(&call.version));
        if !spoken {
            return match call.api {
                ApiKey::ApiVersions => {
                    let asked_again =
                        versions().with_error_code(ErrorCode::UnsupportedVersion.code());
                    Call { version: 0, ..call }.encode(&asked_again).map(Some)
                }
                api => Err(Box::new(format!(
                    "{api} {} is not spoken here",
                    call.version
                ))),
            };
        }
        let spec = head.spec;
        let mut body = frame.split_off(body_at);
        if call.api == ApiKey::Produce {
            return self.produce(call, &mut body);
        }
        guard::check(spec, call.version, &body).map_err(refusal)?;
        let body = body.freeze();
        let answer = match call.api {
            ApiKey::ApiVersions => call.encode(&versions()),
            ApiKey::Metadata => call.encode(&self.metadata(&call.decode(body)?)),
            ApiKey::CreateTopics => call.encode(&self.create(&call.decode(body)?)),
            ApiKey::DeleteTopics => call.encode(&self.delete(&call.decode(body)?)),
            ApiKey::ListOffsets => call.encode(&self.list_offsets(&call.decode(body)?)),
            ApiKey::InitProducerId => {
                let id = self.producers.fetch_add(1, Ordering::Relaxed);
                call.encode(&InitProducerIdResponse::default().with_producer_id(id.into()))
            }
            api => return Err(Box::new(format!("{api} is not answered here"))),
        };
        answer.map(Some)
    }

    /// Counts the records by their batch's header; nothing is kept or checked.
    fn produce(&self, call: Call, body: &mut [u8]) -> Result<Option<Bytes>, Refusal> {
        let request = ProduceRequest::decode(call.version, body).map_err(refusal)?;
        let mut ends = self.ends.lock();
        let mut topics = Vec::with_capacity(request.topics.len());
        for data in &request.topics {
            let Topic::Name(name) = data.topic else {
                return Err(Box::new("a topic by its id is not known here"));
            };
            let mut none = Vec::new();
            let known = ends.get_mut(name).unwrap_or(&mut none);
            let mut partitions = Vec::with_capacity(data.partitions.len());
            for part in &data.partitions {
                let at = usize::try_from(part.index.get()).unwrap_or(usize::MAX);
                let batch = BatchHeader::parse(part.records).map_err(refusal)?;
                let (error, base) = match known.get_mut(at) {
                    Some(end) => {
                        let base = *end;
                        *end += i64::from(batch.record_count);
                        (ErrorCode::None, base)
                    }
                    None => (ErrorCode::UnknownTopicOrPartition, -1),
                };
                partitions.push(PartitionResponse {
                    index: part.index,
                    error,
                    base_offset: Offset(base),
                    log_append_time: TimestampMs(-1),
                    log_start_offset: Offset(0),
                    record_errors: Vec::new(),
                    error_message: None,
                    current_leader: None,
                });
            }
            topics.push(TopicResponse {
                topic: Topic::Name(name),
                partitions,
            });
        }
        drop(ends);
        if request.acks == 0 {
            return Ok(None);
        }
        let response = ProduceResponse {
            topics,
            throttle_time_ms: 0,
            node_endpoints: Vec::new(),
        };
        Ok(Some(response.encode_frame(call.version, call.correlation)))
    }

    fn metadata(&self, query: &MetadataRequest) -> MetadataResponse {
        let ends = self.ends.lock();
        let describe = |name: &str| {
            let topic = MetadataResponseTopic::default()
                .with_name(Some(StrBytes::from_string(name.to_owned()).into()));
            let Some(partitions) = ends.get(name) else {
                return topic.with_error_code(ErrorCode::UnknownTopicOrPartition.code());
            };
            let partitions = (0i32..).zip(partitions).map(|(index, _)| {
                MetadataResponsePartition::default()
                    .with_partition_index(index)
                    .with_leader_id(NODE)
                    .with_replica_nodes(vec![NODE])
                    .with_isr_nodes(vec![NODE])
            });
            topic.with_partitions(partitions.collect())
        };
        let topics = match &query.topics {
            None => ends.keys().map(|name| describe(name)).collect(),
            Some(asked) => {
                let names = asked.iter().filter_map(|topic| topic.name.as_ref());
                names.map(|name| describe(name)).collect()
            }
        };
        let node = MetadataResponseBroker::default()
            .with_node_id(NODE)
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(self.port.into());
        MetadataResponse::default()
            .with_brokers(vec![node])
            .with_controller_id(NODE)
            .with_topics(topics)
    }

    fn create(&self, query: &CreateTopicsRequest) -> CreateTopicsResponse {
        let mut ends = self.ends.lock();
        let created = query.topics.iter().map(|topic| {
            let partitions = usize::try_from(topic.num_partitions).unwrap_or(1).max(1);
            ends.insert(topic.name.to_string(), vec![0; partitions]);
            CreatableTopicResult::default().with_name(topic.name.clone())
        });
        CreateTopicsResponse::default().with_topics(created.collect())
    }

    fn delete(&self, query: &DeleteTopicsRequest) -> DeleteTopicsResponse {
        let mut ends = self.ends.lock();
        let deleted = query.topic_names.iter().map(|name| {
            ends.remove(name.as_str());
            DeletableTopicResult::default().with_name(Some(name.clone()))
        });
        DeleteTopicsResponse::default().with_responses(deleted.collect())
    }

    fn list_offsets(&self, query: &ListOffsetsRequest) -> ListOffsetsResponse {
        let ends = self.ends.lock();
        let topics = query.topics.iter().map(|topic| {
            let known = ends.get(topic.name.as_str());
            let partitions = topic.partitions.iter().map(|asked| {
                let at = usize::try_from(asked.partition_index).unwrap_or(usize::MAX);
                let end = known.and_then(|known| known.get(at)).copied();
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(asked.partition_index)
                    .with_offset(end.unwrap_or(0))
            });
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }
}

fn versions() -> ApiVersionsResponse {
    let keys = VERSIONS.iter().map(|(api, min, max)| {
        ApiVersion::default()
            .with_api_key(api.key())
            .with_min_version(*min)
            .with_max_version(*max)
    });
    ApiVersionsResponse::default().with_api_keys(keys.collect())
}

fn refusal(error: impl ToString) -> Refusal {
    Box::new(error.to_string())
}

/// What a response needs to know of its request.
#[derive(Clone, Copy)]
struct Call {
    api: ApiKey,
    version: i16,
    correlation: i32,
}

impl Call {
    fn decode<Q: Decodable>(self, mut body: Bytes) -> Result<Q, Refusal> {
        Q::decode(&mut body, self.version).map_err(|error| refusal(format!("{error:#}")))
    }

    fn encode<R: Encodable>(self, response: &R) -> Result<Bytes, Refusal> {
        let mut out = BytesMut::zeroed(4);
        header::encode_response(self.api.spec(), self.version, self.correlation, &mut out);
        let encoded = response.encode(&mut out, self.version);
        encoded.map_err(|error| refusal(format!("{error:#}")))?;
        let length = u32::try_from(out.len() - 4).map_err(refusal)?;
        out[..4].copy_from_slice(&length.to_be_bytes());
        Ok(out.freeze())
    }
}

impl Service for Sink {
    type Session = ();
    type Parked = ();

    fn connect(&self, _peer: SocketAddr, _entrance: usize) {}

    fn handle(
        &self,
        _now: Now,
        _session: &mut (),
        mut frame: BytesMut,
        _wake: &Arc<dyn Wake>,
    ) -> Outcome<()> {
        match self.answer(&mut frame) {
            Ok(Some(bytes)) => Outcome::Ready(Response::whole(bytes)),
            Ok(None) => Outcome::NoReply,
            Err(reason) => Outcome::Close(reason),
        }
    }

    fn poll(&self, _now: Now, _parked: &mut ()) -> Option<Response> {
        None
    }

    fn deadline(_parked: &()) -> Instant {
        Instant::default()
    }
}
