//! Where records go that nobody can process: `TOPIC-dlq`, as they are, with
//! headers that say where they came from.
//!
//! One record a request, each waited for: dead letters are rare, and one that
//! was counted must be there.

use crate::access::Bootstrap;
use crate::clock::{Mono, sleep_until, wall_ms};
use crate::driver::Incoming;
use crate::error::{DriveError, is_retriable};
use crate::native::control::{Control, NewTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::batch::{BatchBuilder, BatchSettings, Header, Headers, Record};
use plimsoll_wire::types::{Offset, TimestampMs};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is added to a topic's name.
pub const SUFFIX: &str = "-dlq";
/// How long sending one may take, retries included.
const SEND: Duration = Duration::from_secs(20);
const RETRY_GAP_NANOS: u64 = 50_000_000;
/// How long the broker may wait for replicas.
const REPLICAS_MS: i32 = 10_000;
/// Waits for all in-sync replicas.
const ACKS_ALL: i16 = -1;

/// A record that was given up.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The record.
    pub record: &'a Incoming<'a>,
    /// How often it was tried.
    pub tries: u32,
}

/// Sends dead letters of one topic.
#[derive(Debug)]
pub struct DeadLetters {
    bootstrap: Bootstrap,
    topic: String,
    leader: Option<Control>,
}

impl DeadLetters {
    /// The dead letters of `topic`.
    pub fn of(topic: &str, bootstrap: &Bootstrap) -> Self {
        Self {
            bootstrap: bootstrap.clone(),
            topic: topic.to_owned(),
            leader: None,
        }
    }

    /// Makes the topic of the dead letters of `topic`, with one partition and
    /// as many copies.
    pub fn create(control: &mut Control, topic: &NewTopic) -> Result<(), DriveError> {
        let letters = NewTopic {
            name: format!("{}{SUFFIX}", topic.name),
            partitions: 1,
            replication_factor: topic.replication_factor,
            configs: BTreeMap::new(),
        };
        control.create_topic(&letters).map(drop)
    }

    /// How many dead letters of `topic` there are.
    pub fn count(control: &mut Control, topic: &str) -> Result<u64, DriveError> {
        let ends = control.end_offsets(&format!("{topic}{SUFFIX}"), 1)?;
        Ok(ends.iter().map(|end| end.get().unsigned_abs()).sum())
    }

    /// Sends one, and waits until it is acknowledged.
    pub fn send(&mut self, letter: &DeadLetter<'_>) -> Result<(), DriveError> {
        let deadline = Mono::now().after(SEND);
        let request = self.request(letter)?;
        loop {
            let outcome = self.attempt(&request, deadline);
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) if Mono::now() >= deadline || !may_pass(&error) => return Err(error),
                Err(_) => {
                    self.leader = None;
                    sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
                }
            }
        }
    }

    fn attempt(&mut self, request: &ProduceRequest, deadline: Mono) -> Result<(), DriveError> {
        let name = format!("{}{SUFFIX}", self.topic);
        let leader = match &mut self.leader {
            Some(leader) => leader,
            None => {
                let mut control = Control::reach_by(&self.bootstrap, deadline)?;
                self.leader.insert(control.leader(&name, deadline)?)
            }
        };
        leader.produce(request, deadline)
    }

    fn request(&self, letter: &DeadLetter<'_>) -> Result<ProduceRequest, DriveError> {
        let record = letter.record;
        let (partition, offset) = (record.partition.to_string(), record.offset.to_string());
        let tries = letter.tries.to_string();
        let headers = [
            ("dlq.topic", self.topic.as_bytes()),
            ("dlq.partition", partition.as_bytes()),
            ("dlq.offset", offset.as_bytes()),
            ("dlq.tries", tries.as_bytes()),
        ];
        let headers = headers.map(|(key, value)| Header {
            key: key.as_bytes(),
            value: Some(value),
        });
        let mut builder = BatchBuilder::new(BatchSettings::default());
        builder.append(&Record {
            offset: Offset(0),
            timestamp: TimestampMs(wall_ms()),
            key: record.key,
            value: Some(record.value),
            headers: Headers::listed(&headers),
        });
        let batch = builder.build();
        let batch = batch.map_err(|error| DriveError::Input(error.to_string()))?;
        let data = PartitionProduceData::default()
            .with_index(0)
            .with_records(Some(batch.into()));
        let name = TopicName(StrBytes::from_string(format!("{}{SUFFIX}", self.topic)));
        let topic = TopicProduceData::default()
            .with_name(name)
            .with_partition_data(vec![data]);
        Ok(ProduceRequest::default()
            .with_acks(ACKS_ALL)
            .with_timeout_ms(REPLICAS_MS)
            .with_topic_data(vec![topic]))
    }
}

fn may_pass(error: &DriveError) -> bool {
    match error {
        DriveError::Refused { code, .. } => is_retriable(*code),
        DriveError::Io { .. } | DriveError::Timeout { .. } => true,
        _ => false,
    }
}
