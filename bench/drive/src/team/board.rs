//! A control topic as a board: everybody reads what anybody posts, in one order.
//!
//! A message longer than a record may be is posted in pieces. What was posted
//! before a board was opened is not read.

use crate::access::Bootstrap;
use crate::clock::{Mono, wall_ms};
use crate::error::DriveError;
use crate::native::conn::Conn;
use crate::native::control::{Control, NewTopic};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{FetchRequest, ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, Inflater};
use plimsoll_wire::types::TimestampMs;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest piece of a message.
const PIECE_BYTES: usize = 512 * 1024;
/// The longest message.
const MESSAGE_BYTES_MAX: usize = 256 << 20;
/// Most bytes of one look.
const LOOK_BYTES: i32 = 8 << 20;
/// How long a post or a look may take beyond what it waits for.
const ANSWER: Duration = Duration::from_secs(20);
/// How long what was posted is kept.
const RETENTION_MS: &str = "3600000";

/// A board that is open.
#[derive(Debug)]
pub struct Board {
    bootstrap: Bootstrap,
    topic: String,
    conn: Conn,
    position: i64,
    /// Who posts, and how many messages it has posted.
    name: String,
    posted: u64,
    /// Messages of which pieces are missing, by who posted them and which.
    open: BTreeMap<(String, u64), Vec<u8>>,
}

impl Board {
    /// Opens the board, and makes it when there is none. `name` tells this
    /// process from others.
    ///
    /// # Errors
    /// When the cluster cannot be reached or refuses the topic.
    pub fn open(bootstrap: &Bootstrap, topic: &str, name: &str) -> Result<Self, DriveError> {
        let mut control = Control::reach(bootstrap)?;
        let made = control.create_topic(&NewTopic {
            name: topic.to_owned(),
            partitions: 1,
            replication_factor: -1,
            configs: [("retention.ms".to_owned(), RETENTION_MS.to_owned())].into(),
        });
        match made {
            Err(DriveError::Refused { code, .. })
                if code == ResponseError::TopicAlreadyExists.code() => {}
            other => drop(other?),
        }
        let mut board = Self {
            conn: leader(bootstrap, topic)?,
            bootstrap: bootstrap.clone(),
            topic: topic.to_owned(),
            position: 0,
            name: name.to_owned(),
            posted: 0,
            open: BTreeMap::new(),
        };
        let ends = control.end_offsets(topic, 1)?;
        board.position = ends.first().map_or(0, |end| end.get());
        Ok(board)
    }

    /// Posts a message.
    ///
    /// # Errors
    /// When it is too long, or the cluster does not take it.
    pub fn post(&mut self, message: &[u8]) -> Result<(), DriveError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(DriveError::Input(format!(
                "a report of {} bytes is too long for the control topic; measure for a shorter \
                 time",
                message.len()
            )));
        }
        self.posted += 1;
        let pieces = message.chunks(PIECE_BYTES).count().max(1);
        for at in 0..pieces {
            let from = at * PIECE_BYTES;
            let piece = &message[from..message.len().min(from + PIECE_BYTES)];
            let key = format!("{} {} {at} {pieces}", self.name, self.posted);
            self.post_piece(key.as_bytes(), piece)?;
        }
        Ok(())
    }

    fn post_piece(&mut self, key: &[u8], piece: &[u8]) -> Result<(), DriveError> {
        let mut batch = BatchBuilder::new(BatchSettings::default());
        batch.push(TimestampMs(wall_ms()), Some(key), Some(piece));
        let records = batch
            .build()
            .map_err(|error| DriveError::Input(error.to_string()))?;
        let partition = PartitionProduceData::default()
            .with_index(0)
            .with_records(Some(records.into()));
        let topic = TopicProduceData::default()
            .with_name(name_of(&self.topic))
            .with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(i32::try_from(ANSWER.as_millis()).unwrap_or(i32::MAX))
            .with_topic_data(vec![topic]);
        let response = self
            .conn
            .call(&request, (3, 7), Mono::now().after(ANSWER))
            .or_else(|_| {
                self.conn = leader(&self.bootstrap, &self.topic)?;
                self.conn.call(&request, (3, 7), Mono::now().after(ANSWER))
            })?;
        let answers = response.responses.iter();
        for answer in answers.flat_map(|topic| &topic.partition_responses) {
            DriveError::check(answer.error_code, "posting to the control topic", None)?;
        }
        Ok(())
    }

    /// What was posted since the last look, waiting at most `wait` for it.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn read(&mut self, wait: Duration) -> Result<Vec<Vec<u8>>, DriveError> {
        let partition = FetchPartition::default()
            .with_partition(0)
            .with_current_leader_epoch(-1)
            .with_fetch_offset(self.position)
            .with_partition_max_bytes(LOOK_BYTES);
        let topic = FetchTopic::default()
            .with_topic(name_of(&self.topic))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id((-1).into())
            .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
            .with_min_bytes(1)
            .with_max_bytes(LOOK_BYTES)
            .with_topics(vec![topic]);
        let answered = self
            .conn
            .call(&request, (4, 11), Mono::now().after(ANSWER + wait));
        let Ok(response) = answered else {
            self.conn = leader(&self.bootstrap, &self.topic)?;
            return Ok(Vec::new());
        };
        let mut messages = Vec::new();
        for part in response
            .responses
            .iter()
            .flat_map(|topic| &topic.partitions)
        {
            DriveError::check(part.error_code, "reading the control topic", None)?;
            let records = part.records.as_deref().unwrap_or_default();
            self.take(records, &mut messages)?;
        }
        Ok(messages)
    }

    /// Takes whole batches, and from them whole messages.
    fn take(&mut self, mut records: &[u8], out: &mut Vec<Vec<u8>>) -> Result<(), DriveError> {
        let mut inflater = Inflater::default();
        while let Ok(header) = BatchHeader::parse(records) {
            let Some((batch, rest)) = records.split_at_checked(header.total_len()) else {
                break;
            };
            records = rest;
            let past = header.last_offset().plus(1).get();
            if past <= self.position {
                continue;
            }
            self.position = past;
            let malformed = |error: plimsoll_wire::batch::BatchError| DriveError::Malformed {
                broker: self.bootstrap.to_string(),
                detail: format!("on the control topic: {error}"),
            };
            let mut pieces = Vec::new();
            for record in inflater
                .records(batch, LOOK_BYTES as usize * 2)
                .map_err(malformed)?
            {
                let record = record.map_err(malformed)?;
                let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
                let piece = record.value.unwrap_or_default().to_vec();
                pieces.extend(key.map(|key| (key.to_owned(), piece)));
            }
            for (key, piece) in pieces {
                self.join(&key, piece, out);
            }
        }
        Ok(())
    }

    /// Puts a piece to those before it. What is not ours is passed over.
    fn join(&mut self, key: &str, piece: Vec<u8>, out: &mut Vec<Vec<u8>>) {
        let mut words = key.split(' ');
        let from = words.next().unwrap_or_default().to_owned();
        let mut number = || words.next()?.parse::<u64>().ok();
        let (Some(message), Some(at), Some(of)) = (number(), number(), number()) else {
            return;
        };
        if of == 1 {
            return out.push(piece);
        }
        if at == 0 {
            self.open.insert((from, message), piece);
            return;
        }
        // A message whose beginning was before our time is nothing to us.
        let Some(whole) = self.open.get_mut(&(from.clone(), message)) else {
            return;
        };
        whole.extend(piece);
        if at + 1 == of {
            out.extend(self.open.remove(&(from, message)));
        }
    }
}

fn leader(bootstrap: &Bootstrap, topic: &str) -> Result<Conn, DriveError> {
    let deadline = Mono::now().after(ANSWER);
    let leaders = Control::reach(bootstrap)?.leaders(topic, 1, deadline)?;
    let node = leaders.by_partition.first();
    let at = node.and_then(|node| leaders.brokers.get(node));
    let at = at.ok_or_else(|| DriveError::Unreachable {
        target: bootstrap.to_string(),
        cause: format!("the topic {topic} has no leader"),
    })?;
    bootstrap.connect(at, deadline)
}

fn name_of(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}
