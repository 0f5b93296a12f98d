//! A client that speaks to a server in single frames and trusts nothing.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_secs(20);
pub const PRODUCE_VERSION: i16 = 9;
pub const FETCH_VERSION: i16 = 11;
pub const METADATA_VERSION: i16 = 9;

pub struct Peer {
    pub stream: TcpStream,
    correlation: i32,
}

impl Peer {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream.set_write_timeout(Some(HANG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            correlation: 0,
        }
    }

    /// Sends a request and returns its correlation id.
    pub fn send<R: Request>(&mut self, version: i16, body: &R) -> i32 {
        self.correlation += 1;
        let frame = frame(version, self.correlation, body);
        self.stream.write_all(&frame).unwrap();
        self.correlation
    }

    /// The next response, whose correlation id must be `expected`.
    pub fn receive<R: Request>(&mut self, version: i16, expected: i32) -> R::Response {
        let mut bytes = Bytes::from(self.receive_frame());
        let head = R::Response::header_version(version);
        let header = ResponseHeader::decode(&mut bytes, head).unwrap();
        assert_eq!(header.correlation_id, expected, "responses out of order");
        let response = R::Response::decode(&mut bytes, version).unwrap();
        assert!(
            !bytes.has_remaining(),
            "{} bytes after the response",
            bytes.remaining()
        );
        response
    }

    pub fn call<R: Request>(&mut self, version: i16, body: &R) -> R::Response {
        let sent = self.send(version, body);
        self.receive::<R>(version, sent)
    }

    pub fn receive_frame(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut body = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body).unwrap();
        body
    }

    /// Creates a topic by asking for it, until its partition has a leader.
    pub fn create(&mut self, topic: &str) {
        let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![asked]))
            .with_allow_auto_topic_creation(true);
        for _ in 0..1000 {
            let answer: MetadataResponse = self.call(METADATA_VERSION, &request);
            let topic = &answer.topics[0];
            if topic.error_code == 0 && topic.partitions.iter().all(|p| p.error_code == 0) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{topic} was not created");
    }

    /// Produces a batch to partition 0; its base offset, or the error's code.
    pub fn produce(&mut self, topic: &str, batch: &[u8]) -> Result<i64, i16> {
        let response: ProduceResponse = self.call(PRODUCE_VERSION, &produce(topic, batch, 1));
        let partition = &response.responses[0].partition_responses[0];
        match partition.error_code {
            0 => Ok(partition.base_offset),
            code => Err(code),
        }
    }

    /// The record bytes of partition 0 from `offset` on, or the error's code.
    pub fn fetch(&mut self, topic: &str, offset: i64, bytes: i32) -> Result<Bytes, i16> {
        let response: FetchResponse = self.call(FETCH_VERSION, &fetch(topic, offset, bytes));
        let partition = &response.responses[0].partitions[0];
        match partition.error_code {
            0 => Ok(partition.records.clone().unwrap_or_default()),
            code => Err(code),
        }
    }

    /// Whether the server closes the connection without another byte.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

pub fn frame<R: Request>(version: i16, correlation: i32, body: &R) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_i32(0);
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str("peer")))
        .encode(&mut out, R::header_version(version))
        .unwrap();
    body.encode(&mut out, version).unwrap();
    let length = (out.len() - 4) as i32;
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}

pub fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

pub fn produce(topic: &str, batch: &[u8], acks: i16) -> ProduceRequest {
    let records = Bytes::copy_from_slice(batch);
    let data = PartitionProduceData::default().with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(name(topic))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic])
}

pub fn fetch(topic: &str, offset: i64, bytes: i32) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(bytes);
    let topic = FetchTopic::default()
        .with_topic(name(topic))
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(100)
        .with_min_bytes(0)
        .with_max_bytes(bytes)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}
