//! A broker of a few hundred lines that does as a script says.
//!
//! It keeps record batches in memory and answers just what the native client
//! asks. A [`Script`] decides what becomes of each produce request, so a test
//! can seed a fault and know the truth beforehand.

mod script;
mod transactions;

pub use script::{Action, Script};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, ApiVersionsResponse, BrokerId, CreateTopicsRequest,
    CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, EndTxnRequest, EndTxnResponse,
    FetchRequest, FetchResponse, FindCoordinatorRequest, InitProducerIdResponse,
    ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use plimsoll_wire::batch::{BatchHeader, patch_base_offset};
use plimsoll_wire::types::Offset;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a broker does besides its script.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// What becomes of each produce request.
    pub script: Script,
    /// Aborted transactions are kept from readers of committed records.
    pub hides_aborted: bool,
    /// A transaction is still being ended when its producer begins the next one, and
    /// every other request to add partitions is refused for it.
    pub ends_slowly: bool,
    /// Records that it takes in a second, one after the other; no bound when
    /// unset.
    pub records_per_second: Option<f64>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            script: |_| Action::Append,
            hides_aborted: true,
            ends_slowly: false,
            records_per_second: None,
        }
    }
}

/// The versions it speaks, by key.
const VERSIONS: [(i16, i16, i16); 11] = [
    (0, 3, 7),
    (1, 4, 11),
    (2, 1, 6),
    (3, 4, 9),
    (10, 0, 3),
    (18, 0, 0),
    (19, 2, 7),
    (20, 1, 5),
    (22, 0, 4),
    (24, 0, 2),
    (26, 0, 2),
];

#[derive(Default)]
struct State {
    topic: String,
    partitions: Vec<Partition>,
    producers: i64,
}

#[derive(Clone, Default)]
struct Partition {
    batches: Vec<Bytes>,
    end: i64,
    held_back: Option<Bytes>,
    transactions: transactions::Transactions,
}

struct Fake {
    port: u16,
    behaviour: Behaviour,
    produced: AtomicU64,
    /// Requests to add partitions to a transaction.
    added: AtomicU64,
    state: Mutex<State>,
    /// When all that was taken so far is done.
    busy_until: Mutex<Instant>,
}

/// Starts a broker that lives as long as the process; its address.
pub fn start(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    let address = listener
        .local_addr()
        .expect("a bound listener has an address");
    let fake = Arc::new(Fake {
        port: address.port(),
        behaviour,
        produced: AtomicU64::new(0),
        added: AtomicU64::new(0),
        state: Mutex::default(),
        busy_until: Mutex::new(Instant::now()),
    });
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let fake = Arc::clone(&fake);
            thread::spawn(move || while fake.serve(&stream).is_some() {});
        }
    });
    address.to_string()
}

impl Fake {
    /// Answers one request; `None` when the connection is over.
    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame).ok()?;
        let mut body = Bytes::from(frame);
        let (key, version) = (body.get(..2)?.get_i16(), body.get(2..4)?.get_i16());
        let flexible = request_header_version(key, version);
        let header = RequestHeader::decode(&mut body, flexible).ok()?;
        let mut answer = BytesMut::new();
        self.answer(key, version, body, &mut answer, header.correlation_id)?;
        if !answer.is_empty() {
            let length = u32::try_from(answer.len()).ok()?;
            stream
                .write_all(&[&length.to_be_bytes()[..], &answer].concat())
                .ok()?;
        }
        Some(())
    }

    fn answer(
        &self,
        key: i16,
        version: i16,
        mut body: Bytes,
        out: &mut BytesMut,
        correlation: i32,
    ) -> Option<()> {
        let body = &mut body;
        match key {
            0 => match self.produce(&read::<ProduceRequest>(body, version)?)? {
                Some(response) => put::<ProduceRequest>(out, correlation, version, &response),
                None => Some(()),
            },
            1 => {
                let response = self.fetch(&read::<FetchRequest>(body, version)?);
                put::<FetchRequest>(out, correlation, version, &response)
            }
            2 => {
                let response = self.list_offsets(&read::<ListOffsetsRequest>(body, version)?);
                put::<ListOffsetsRequest>(out, correlation, version, &response)
            }
            3 => {
                let response = self.metadata(&read::<MetadataRequest>(body, version)?);
                put::<MetadataRequest>(out, correlation, version, &response)
            }
            18 => put::<kafka_protocol::messages::ApiVersionsRequest>(
                out,
                correlation,
                version,
                &versions(),
            ),
            19 => {
                let response = self.create(&read::<CreateTopicsRequest>(body, version)?);
                put::<CreateTopicsRequest>(out, correlation, version, &response)
            }
            20 => {
                let response = delete(&read::<DeleteTopicsRequest>(body, version)?);
                put::<DeleteTopicsRequest>(out, correlation, version, &response)
            }
            10 => {
                let response = transactions::coordinator(self.port);
                put::<FindCoordinatorRequest>(out, correlation, version, &response)
            }
            24 => {
                let request = read::<AddPartitionsToTxnRequest>(body, version)?;
                let before = self.added.fetch_add(1, Ordering::Relaxed);
                let refused = self.behaviour.ends_slowly && before.is_multiple_of(2);
                let response = transactions::add(&request, refused);
                put::<AddPartitionsToTxnRequest>(out, correlation, version, &response)
            }
            26 => {
                self.end(&read::<EndTxnRequest>(body, version)?);
                put::<EndTxnRequest>(out, correlation, version, &EndTxnResponse::default())
            }
            22 => {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.producers += 1;
                let response =
                    InitProducerIdResponse::default().with_producer_id(state.producers.into());
                put::<kafka_protocol::messages::InitProducerIdRequest>(
                    out,
                    correlation,
                    version,
                    &response,
                )
            }
            _ => None,
        }
    }

    /// Takes the time that the request's records take, after all before them.
    fn labour(&self, request: &ProduceRequest) {
        let Some(rate) = self.behaviour.records_per_second else {
            return;
        };
        let batches = request
            .topic_data
            .iter()
            .flat_map(|topic| &topic.partition_data);
        let records: i32 = batches
            .filter_map(|data| BatchHeader::parse(data.records.as_ref()?).ok())
            .map(|header| header.record_count)
            .sum();
        let takes = Duration::from_secs_f64(f64::from(records) / rate);
        let until = {
            let mut busy = self
                .busy_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *busy = (*busy).max(Instant::now()) + takes;
            *busy
        };
        thread::sleep(until.saturating_duration_since(Instant::now()));
    }

    /// `None` hangs up, `Some(None)` says nothing.
    fn produce(&self, request: &ProduceRequest) -> Option<Option<ProduceResponse>> {
        let action = (self.behaviour.script)(self.produced.fetch_add(1, Ordering::Relaxed));
        match action {
            Action::HangUp => return None,
            Action::AppendAfter(wait) => thread::sleep(wait),
            _ => {}
        }
        self.labour(request);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut responses = Vec::new();
        for topic in &request.topic_data {
            let answers = topic.partition_data.iter().map(|data| {
                let response = PartitionProduceResponse::default().with_index(data.index);
                let at = usize::try_from(data.index).unwrap_or(0);
                match (&data.records, state.partitions.get_mut(at)) {
                    (Some(_), Some(_)) if matches!(action, Action::Refuse(_)) => {
                        let Action::Refuse(code) = action else {
                            return response;
                        };
                        response.with_error_code(code)
                    }
                    (Some(records), Some(partition)) => {
                        partition.take(records, action);
                        response.with_base_offset(partition.end)
                    }
                    _ => response.with_error_code(3),
                }
            });
            let answers = answers.collect();
            let named = TopicProduceResponse::default().with_name(topic.name.clone());
            responses.push(named.with_partition_responses(answers));
        }
        if action == Action::AppendAndHangUp {
            return None;
        }
        let answered = request.acks != 0;
        Some(answered.then(|| ProduceResponse::default().with_responses(responses)))
    }

    fn fetch(&self, request: &FetchRequest) -> FetchResponse {
        let found = self.find(request);
        if found.iter().all(|(_, records)| records.is_empty()) {
            thread::sleep(Duration::from_millis(2));
        }
        let partitions = found.into_iter().map(|(index, records)| {
            let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
            let mut asked = asked.filter(|asked| asked.partition == index);
            let from = asked.next().filter(|_| request.isolation_level != 0);
            let aborted =
                from.map_or_else(Vec::new, |asked| self.aborted(index, asked.fetch_offset));
            PartitionData::default()
                .with_partition_index(index)
                .with_aborted_transactions(Some(aborted))
                .with_records(Some(records))
        });
        let name = request
            .topics
            .first()
            .map(|topic| topic.topic.clone())
            .unwrap_or_default();
        FetchResponse::default().with_responses(vec![
            FetchableTopicResponse::default()
                .with_topic(name)
                .with_partitions(partitions.collect()),
        ])
    }

    fn find(&self, request: &FetchRequest) -> Vec<(i32, Bytes)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
        let records = asked.map(|asked| {
            let mut records = BytesMut::new();
            let partition = usize::try_from(asked.partition).ok();
            let partition = partition.and_then(|at| state.partitions.get(at));
            let stable = partition.map_or(0, Partition::stable);
            for batch in partition
                .into_iter()
                .flat_map(|partition| &partition.batches)
            {
                let last = BatchHeader::parse(batch).map_or(-1, |h| h.last_offset().get());
                let seen = request.isolation_level == 0 || last < stable;
                if seen && last >= asked.fetch_offset {
                    records.put_slice(batch);
                }
            }
            (asked.partition, records.freeze())
        });
        records.collect()
    }

    fn list_offsets(&self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let at = usize::try_from(asked.partition_index).unwrap_or(0);
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(asked.partition_index)
                    .with_offset(state.partitions.get(at).map_or(-1, |partition| {
                        match request.isolation_level {
                            0 => partition.end,
                            _ => partition.stable(),
                        }
                    }))
            });
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    fn create(&self, request: &CreateTopicsRequest) -> CreateTopicsResponse {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let topics = request.topics.iter().map(|topic| {
            state.topic = topic.name.to_string();
            let count = usize::try_from(topic.num_partitions).unwrap_or(0);
            state.partitions = vec![Partition::default(); count];
            CreatableTopicResult::default().with_name(topic.name.clone())
        });
        CreateTopicsResponse::default().with_topics(topics.collect())
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(1))
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(i32::from(self.port));
        let partitions = (0i32..).zip(&state.partitions).map(|(index, _)| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(1))
        });
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(state.topic.clone()))))
            .with_partitions(partitions.collect());
        let asks = request
            .topics
            .as_ref()
            .is_some_and(|topics| !topics.is_empty());
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_controller_id(BrokerId(1))
            .with_topics(asks.then_some(topic).into_iter().collect())
    }
}

impl Partition {
    fn take(&mut self, records: &Bytes, action: Action) {
        match action {
            Action::Lose => {}
            Action::Repeat => {
                self.append(records);
                self.append(records);
            }
            Action::Damage => {
                let mut damaged = records.to_vec();
                if let Some(byte) = damaged.iter_mut().rev().nth(40) {
                    *byte ^= 1;
                }
                let crc = plimsoll_wire::batch::crc32c(&damaged[21..]);
                damaged[17..21].copy_from_slice(&crc.to_be_bytes());
                self.append(&damaged.into());
            }
            Action::HoldBack => self.held_back = Some(records.clone()),
            _ => {
                self.append(records);
                if let Some(late) = self.held_back.take() {
                    self.append(&late);
                }
            }
        }
    }

    fn append(&mut self, records: &Bytes) {
        self.transactions.note(records, self.end);
        let mut batch = records.to_vec();
        patch_base_offset(&mut batch, Offset(self.end));
        let batch = Bytes::from(batch);
        self.end = next_offset(&batch);
        self.batches.push(batch);
    }
}

fn next_offset(batch: &Bytes) -> i64 {
    BatchHeader::parse(batch)
        .expect("the client sends whole batches")
        .last_offset()
        .get()
        + 1
}

fn versions() -> ApiVersionsResponse {
    let keys = VERSIONS.iter().map(|(key, min, max)| {
        ApiVersion::default()
            .with_api_key(*key)
            .with_min_version(*min)
            .with_max_version(*max)
    });
    ApiVersionsResponse::default().with_api_keys(keys.collect())
}

fn delete(request: &DeleteTopicsRequest) -> DeleteTopicsResponse {
    let deleted = request
        .topic_names
        .iter()
        .map(|name| DeletableTopicResult::default().with_name(Some(name.clone())));
    DeleteTopicsResponse::default().with_responses(deleted.collect())
}

fn request_header_version(key: i16, version: i16) -> i16 {
    let key = kafka_protocol::messages::ApiKey::try_from(key);
    key.map_or(1, |key| key.request_header_version(version))
}

fn read<R: Request>(body: &mut Bytes, version: i16) -> Option<R> {
    R::decode(body, version).ok()
}

fn put<R: Request>(
    out: &mut BytesMut,
    correlation: i32,
    version: i16,
    response: &R::Response,
) -> Option<()> {
    let header = ResponseHeader::default().with_correlation_id(correlation);
    header
        .encode(out, R::Response::header_version(version))
        .ok()?;
    response.encode(out, version).ok()
}
