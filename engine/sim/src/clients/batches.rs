//! Batches to send, and records out of batches that were fetched.

use super::link::Question;
use crate::facts::{RecordId, Seen};
use bytes::Bytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{self, BatchBuilder, BatchHeader, BatchSettings, records};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchTopic, IsolationLevel, Replica, Session,
};
use plimsoll_wire::header::RequestHeader;
use plimsoll_wire::produce::{PartitionData, ProduceRequest, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{Offset, PartitionIndex, ProducerId, TimestampMs};
use std::collections::BTreeSet;

/// The most bytes that the records of one batch of this world inflate to.
const INFLATED_BYTES_MAX: usize = 1 << 20;
/// The most bytes of one poll.
const POLL_BYTES_MAX: i32 = 16 << 10;
/// The version that clients fetch in: topics by name, leader epochs.
pub const FETCH: i16 = 12;

/// A record to send.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Which it will be; none for a tombstone.
    pub id: Option<RecordId>,
    /// Its key.
    pub key: Option<u32>,
    /// Bytes after the id.
    pub padding: usize,
}

/// How a batch is made.
#[derive(Clone, Copy, Debug)]
pub struct Make {
    /// The idempotent producer, or [`batch::Producer::NONE`].
    pub producer: batch::Producer,
    /// Part of a transaction.
    pub transactional: bool,
    /// The codec.
    pub compression: Compression,
    /// The time that records carry.
    pub timestamp: TimestampMs,
}

/// Builds a batch.
///
/// # Panics
/// When the codec fails, which it does not for so few bytes.
pub fn make(drafts: &[Draft], how: Make) -> Bytes {
    let mut builder = BatchBuilder::new(BatchSettings {
        producer: how.producer,
        transactional: how.transactional,
        compression: how.compression,
        ..BatchSettings::default()
    });
    for draft in drafts {
        let key = draft.key.map(u32::to_be_bytes);
        let value = draft.id.map(|id| {
            let mut value = id.bytes().to_vec();
            value.resize(RecordId::BYTES + draft.padding, b'.');
            value
        });
        builder.push(
            how.timestamp,
            key.as_ref().map(|key| &key[..]),
            value.as_deref(),
        );
    }
    Bytes::from(builder.build().expect("a small batch can be built"))
}

/// How records are to be produced.
#[derive(Clone, Copy, Debug)]
pub struct Produce<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// Who must have them.
    pub acks: i16,
    /// How long the broker waits for them.
    pub timeout_ms: i32,
    /// In whose transaction.
    pub transactional_id: Option<&'a str>,
    /// The request's version.
    pub version: i16,
}

impl Produce<'_> {
    /// The question.
    pub fn question(&self, batch: &Bytes) -> Question {
        let partition = PartitionData {
            index: PartitionIndex(self.partition),
            records: batch.clone(),
        };
        let query = ProduceRequest {
            transactional_id: self.transactional_id,
            acks: self.acks,
            timeout_ms: self.timeout_ms,
            topics: vec![TopicData {
                topic: Topic::Name(self.topic),
                partitions: vec![partition],
            }],
        };
        let frame = query.encode_frame(self.version, 0, None).concat();
        Question {
            api: ApiKey::Produce,
            version: self.version,
            body: body_of(Bytes::from(frame)),
        }
    }
}

/// A fetch of one partition.
pub fn fetch(
    (topic, partition): (&str, i32),
    offset: i64,
    isolation: IsolationLevel,
    max_wait_ms: i32,
) -> Question {
    let from =
        FetchPartition::from_offset(PartitionIndex(partition), Offset(offset), POLL_BYTES_MAX);
    let query = FetchRequest {
        cluster_id: None,
        replica: Replica::CONSUMER,
        max_wait_ms,
        min_bytes: 1,
        max_bytes: POLL_BYTES_MAX,
        isolation,
        session: Session::NONE,
        topics: vec![FetchTopic {
            topic: Topic::Name(topic),
            partitions: vec![from],
        }],
        forgotten: Vec::new(),
        rack_id: "",
    };
    Question {
        api: ApiKey::Fetch,
        version: FETCH,
        body: body_of(query.encode_frame(FETCH, 0, None)),
    }
}

/// What follows the length and the header of a frame.
fn body_of(frame: Bytes) -> Bytes {
    let frame = frame.slice(4..);
    let (_, at) = RequestHeader::decode(&frame).expect("the wire crate writes a header");
    frame.slice(at..)
}

/// What a fetch brought, as an application sees it.
#[derive(Debug, Default)]
pub struct Unpacked {
    /// The records that the application is given.
    pub records: Vec<Seen>,
    /// Where the next fetch begins.
    pub next: i64,
    /// The first hole between two batches.
    pub hole: Option<(i64, i64)>,
}

/// Takes the records of a fetch from `offset` on apart, leaving out what was
/// aborted. Answers with what is wrong when a batch is.
pub fn unpack(
    mut bytes: &[u8],
    offset: i64,
    aborted: Option<&[AbortedTransaction]>,
) -> Result<Unpacked, String> {
    let mut unpacked = Unpacked {
        next: offset,
        ..Unpacked::default()
    };
    let mut aborted: Vec<_> = aborted.unwrap_or_default().to_vec();
    aborted.sort_by_key(|txn| txn.first_offset);
    let mut aborted = aborted.into_iter().peekable();
    let mut skipped: BTreeSet<ProducerId> = BTreeSet::new();
    let mut end_of_last = None;
    while !bytes.is_empty() {
        let Ok(header) = BatchHeader::parse(bytes) else {
            // The end of a fetch may be part of a batch.
            break;
        };
        let Some((batch, rest)) = bytes.split_at_checked(header.total_len()) else {
            break;
        };
        bytes = rest;
        batch::verify_crc(batch)
            .map_err(|error| format!("batch at {}: {error}", header.base_offset))?;
        if let Some(end) = end_of_last
            && end != header.base_offset.get()
        {
            unpacked.hole.get_or_insert((end, header.base_offset.get()));
        } else if end_of_last.is_none() && header.base_offset.get() > offset {
            unpacked
                .hole
                .get_or_insert((offset, header.base_offset.get()));
        }
        end_of_last = Some(header.next_offset().get());
        unpacked.next = header.next_offset().get().max(unpacked.next);
        while let Some(txn) = aborted.next_if(|txn| txn.first_offset <= header.last_offset()) {
            skipped.insert(txn.producer_id);
        }
        if header.is_control() {
            skipped.remove(&header.producer_id);
            continue;
        }
        if header.is_transactional() && skipped.contains(&header.producer_id) {
            continue;
        }
        let mut scratch = Vec::new();
        let broken = |error: batch::BatchError| format!("batch at {}: {error}", header.base_offset);
        for record in records(batch, &mut scratch, INFLATED_BYTES_MAX).map_err(broken)? {
            let record = record.map_err(broken)?;
            if record.offset.get() < offset {
                continue;
            }
            let key = record.key.and_then(|key| key.first_chunk().copied());
            unpacked.records.push(Seen {
                offset: record.offset.get(),
                key: key.map(u32::from_be_bytes),
                id: record.value.and_then(RecordId::of),
                epoch: header.partition_leader_epoch.get(),
            });
        }
    }
    Ok(unpacked)
}
