//! Readers of partitions: one that follows along, and the last readers, who
//! read everything once faults have ended.

use super::Client;
use super::batches::{FETCH, fetch, unpack};
use super::directory::topic_name;
use super::link::PATIENCE;
use crate::facts::{Fact, Partition, Reader};
use crate::world::NodeIx;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, ListOffsetsResponse};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{FetchResponse, IsolationLevel};
use std::time::Duration;

/// The timestamps that ask for the ends of a log.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// How long a poll waits for records.
const WAIT_MS: i32 = 500;

/// A reader's place in a partition.
#[derive(Debug)]
pub struct Tail {
    /// Who reads.
    pub reader: Reader,
    /// What.
    pub from: Partition,
    /// The next offset.
    pub offset: i64,
}

/// What a poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// Records, or none, and how far one can read at the moment.
    Up(i64),
    /// Nothing: try again.
    Failed,
}

impl Tail {
    /// A reader at an offset.
    pub const fn new(reader: Reader, from: Partition, offset: i64) -> Self {
        Self {
            reader,
            from,
            offset,
        }
    }

    /// Polls once and tells the checkers what came.
    pub async fn poll(&mut self, client: &mut Client, wait_ms: i32) -> Polled {
        self.poll_seen(client, wait_ms).await.0
    }

    /// Polls once. Answers with the records too.
    pub async fn poll_seen(
        &mut self,
        client: &mut Client,
        wait_ms: i32,
    ) -> (Polled, Vec<crate::facts::Seen>) {
        let nothing = (Polled::Failed, Vec::new());
        let (topic, index) = (self.from.topic, self.from.index);
        let Some(leader) = client.leader(topic, index).await else {
            return nothing;
        };
        let isolation = if self.reader.committed_only {
            IsolationLevel::ReadCommitted
        } else {
            IsolationLevel::ReadUncommitted
        };
        let question = fetch((topic, index), self.offset, isolation, wait_ms);
        let Ok(bytes) = client.ask_raw(leader, &question, PATIENCE).await else {
            client.forget_leader(topic, index);
            return nothing;
        };
        let response = match FetchResponse::decode(FETCH, &bytes) {
            Ok(response) => response,
            Err(error) => return self.complain(client, format!("fetch: {error}"), nothing),
        };
        let found = response
            .topics
            .first()
            .and_then(|topic| topic.partitions.first());
        let Some(found) = found else {
            return self.complain(client, format!("fetch: {response:?}"), nothing);
        };
        match found.error {
            ErrorCode::None => {}
            ErrorCode::OffsetOutOfRange => {
                self.reposition(client).await;
                return nothing;
            }
            error if error.is_retriable() => {
                client.forget_leader(topic, index);
                client.back_off().await;
                return nothing;
            }
            error => return self.complain(client, format!("fetch: {error:?}"), nothing),
        }
        let aborted = found.aborted_transactions.as_deref();
        let unpacked = match unpack(found.records, self.offset, aborted) {
            Ok(unpacked) => unpacked,
            Err(what) => {
                let what = format!("{:?}: {what}", self.from);
                return self.complain(client, what, nothing);
            }
        };
        let bound = if self.reader.committed_only {
            found.last_stable_offset.get()
        } else {
            found.high_watermark.get()
        };
        if unpacked.next > self.offset {
            client.door.world().borrow_mut().tally.polled += unpacked.records.len() as u64;
            client.report(&Fact::Polled {
                reader: self.reader,
                from: self.from.clone(),
                offset: self.offset,
                next: unpacked.next,
                records: unpacked.records.clone(),
                hole: unpacked.hole,
            });
            self.offset = unpacked.next;
        }
        (Polled::Up(bound), unpacked.records)
    }

    fn complain<T>(&self, client: &Client, what: String, nothing: T) -> T {
        client.report(&Fact::Nonsense { what });
        nothing
    }

    /// Begins again where the log begins or ends, whichever is nearer.
    async fn reposition(&mut self, client: &mut Client) {
        let Some(start) = end_of(client, &self.from, EARLIEST).await else {
            return;
        };
        let to = if self.offset < start {
            Some(start)
        } else {
            end_of(client, &self.from, LATEST).await
        };
        let Some(to) = to.filter(|to| *to != self.offset) else {
            return;
        };
        client.report(&Fact::Repositioned {
            reader: self.reader,
            from: self.from.clone(),
            offset: self.offset,
            to,
        });
        self.offset = to;
    }
}

/// One end of a partition's log.
async fn end_of(client: &mut Client, of: &Partition, which: i64) -> Option<i64> {
    let leader = client.leader(of.topic, of.index).await?;
    let partition = ListOffsetsPartition::default()
        .with_partition_index(of.index)
        .with_timestamp(which);
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(of.topic))
        .with_partitions(vec![partition]);
    let query = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![topic]);
    let asked = client.ask(leader, (ApiKey::ListOffsets, 6), &query).await;
    let response: ListOffsetsResponse = asked.ok()?;
    let found = response.topics.first()?.partitions.first()?;
    if ErrorCode::from_wire(found.error_code).is_error() {
        client.forget_leader(of.topic, of.index);
        client.back_off().await;
        return None;
    }
    Some(found.offset)
}

/// Follows partitions while clients are at work.
pub async fn follow(mut client: Client, partitions: Vec<Partition>, committed_only: bool) {
    let reader = Reader {
        id: client.door.id().0,
        committed_only,
    };
    let tail = |from: &Partition| Tail::new(reader, from.clone(), 0);
    let mut tails: Vec<_> = partitions.iter().map(tail).collect();
    while !client.is_over() {
        for tail in &mut tails {
            let _polled = tail.poll(&mut client, WAIT_MS).await;
            client
                .door
                .doze(Duration::ZERO, Duration::from_millis(400))
                .await;
        }
    }
}

/// Reads partitions from their beginning to their end: as leaders have them,
/// or as one node has them, where it has them.
pub async fn audit(
    mut client: Client,
    partitions: Vec<Partition>,
    reader: Reader,
    only: Option<NodeIx>,
) {
    for from in partitions {
        if let Some(node) = only {
            client.pin_leader(&from, node);
        }
        let Some(start) = start_of(&mut client, &from, only).await else {
            continue;
        };
        let mut tail = Tail::new(reader, from.clone(), start);
        loop {
            match tail.poll(&mut client, 0).await {
                Polled::Up(end) if tail.offset >= end => break,
                // Not every node has every partition.
                Polled::Failed if only.is_some() => break,
                _ => {}
            }
        }
        if only.is_none() {
            client.report(&Fact::ReadToEnd {
                from,
                end: tail.offset,
                committed_only: reader.committed_only,
            });
        }
    }
}

/// Where a partition's log begins. A node that is read alone is read from the
/// first offset: what it lacks of it, it answers with where its log begins.
async fn start_of(client: &mut Client, of: &Partition, only: Option<NodeIx>) -> Option<i64> {
    if only.is_some() {
        return Some(0);
    }
    loop {
        if let Some(start) = end_of(client, of, EARLIEST).await {
            return Some(start);
        }
    }
}
