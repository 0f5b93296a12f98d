//! The response: records of each partition, and where its log stands.

use super::{FLEXIBLE, TOPIC_IDS};
use crate::api::ApiKey;
use crate::error_code::ErrorCode;
use crate::frame::{Piece, PieceWriter};
use crate::header;
use crate::leader::{CurrentLeader, NodeEndpoint};
use crate::read::{Entries, ReadError, Reader};
use crate::topic::Topic;
use crate::types::{LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerId};
use crate::write::{Tags, Writer};

/// A fetch response. `R` is each partition's records: a [`RecordsLen`] where
/// they are still in a file, or `&[u8]` in the frame that they arrived in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse<'a, R> {
    /// How long the client is muted for passing a quota.
    pub throttle_time_ms: i32,
    /// What is wrong with the whole request; from version 7.
    pub error: ErrorCode,
    /// The session, 0 when none; from version 7.
    pub session_id: i32,
    /// The partitions: all, or those that changed within a session.
    pub topics: Vec<FetchedTopic<'a, R>>,
    /// Where the leaders are that partitions name; from version 16.
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
}

/// A topic's part of a fetch response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedTopic<'a, R> {
    /// Which topic; by id from version 13.
    pub topic: Topic<'a>,
    /// Its partitions.
    pub partitions: Vec<FetchedPartition<R>>,
}

/// A partition's part of a fetch response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedPartition<R> {
    /// Which partition.
    pub index: PartitionIndex,
    /// What went wrong. A number that this crate does not know reads as
    /// [`ErrorCode::UnknownServerError`].
    pub error: ErrorCode,
    /// What consumers may read up to.
    pub high_watermark: Offset,
    /// What read-committed consumers may read up to, −1 when unknown.
    pub last_stable_offset: Offset,
    /// Where the log begins, −1 when unknown; from version 5.
    pub log_start_offset: Offset,
    /// The aborted transactions among the records; null unless the request
    /// reads committed records.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// A replica nearer to the consumer, −1 when none; from version 11.
    pub preferred_read_replica: NodeId,
    /// Where a follower's log leaves the leader's; from version 12.
    pub diverging_epoch: Option<EpochEndOffset>,
    /// Who leads the partition now, when not this broker; from version 12.
    pub current_leader: Option<CurrentLeader>,
    /// The snapshot to fetch first, when the log begins after the offset asked
    /// for; from version 12.
    pub snapshot_id: Option<EpochEndOffset>,
    /// The records: whole batches, and at the end perhaps part of one.
    pub records: R,
}

/// Bytes of records that stand where the codec leaves a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordsLen(pub usize);

/// A transaction whose records the consumer must skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Who aborted.
    pub producer_id: ProducerId,
    /// The first offset of its records.
    pub first_offset: Offset,
}

/// The end of a leader epoch, or a snapshot, which is named by the same two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The offset after its last record.
    pub end_offset: Offset,
}

impl<R: Default> FetchedPartition<R> {
    /// A partition without records that failed with `error`, with nothing more
    /// to say.
    pub fn failed(index: PartitionIndex, error: ErrorCode) -> Self {
        Self {
            index,
            error,
            high_watermark: Offset(-1),
            last_stable_offset: Offset(-1),
            log_start_offset: Offset(-1),
            aborted_transactions: None,
            preferred_read_replica: NodeId::NONE,
            diverging_epoch: None,
            current_leader: None,
            snapshot_id: None,
            records: R::default(),
        }
    }
}

impl FetchResponse<'_, RecordsLen> {
    /// The whole response as a frame, in pieces to write one after another.
    ///
    /// [`Piece::Records`] numbers the partitions from 0 in the order of the
    /// response and stands for as many bytes as that partition's [`RecordsLen`]
    /// says; a partition without records has no such piece. Fields that
    /// `version` lacks are left out.
    ///
    /// # Panics
    /// When a topic is not in the form of the version, or the response does not
    /// fit a frame.
    pub fn encode_frame(&self, version: i16, correlation_id: i32) -> Vec<Piece> {
        let mut pieces = PieceWriter::with_capacity(self.estimate());
        let buffer = pieces.buffer();
        header::encode_response(ApiKey::Fetch.spec(), version, correlation_id, buffer);
        let flexible = version >= FLEXIBLE;
        let mut writer = pieces.writer(flexible);
        writer.i32(self.throttle_time_ms);
        if version >= 7 {
            writer.i16(self.error.code());
            writer.i32(self.session_id);
        }
        writer.length(self.topics.len());
        let mut number = 0;
        for topic in &self.topics {
            let mut writer = pieces.writer(flexible);
            topic.topic.write(&mut writer, version >= TOPIC_IDS);
            writer.length(topic.partitions.len());
            for partition in &topic.partitions {
                partition.write_before_records(&mut pieces.writer(flexible), version);
                pieces.records(number, partition.records.0);
                partition.write_after_records(&mut pieces.writer(flexible), version);
                number += 1;
            }
            pieces.writer(flexible).no_tags();
        }
        if version >= 16 {
            let mut tags = Tags::default();
            NodeEndpoint::add_all_to(&self.node_endpoints, &mut tags, 0);
            pieces.writer(flexible).tags(&tags);
        } else {
            pieces.writer(flexible).no_tags();
        }
        pieces.finish()
    }

    /// Bytes that the codec will write, roughly.
    fn estimate(&self) -> usize {
        let partitions: usize = self.topics.iter().map(|topic| topic.partitions.len()).sum();
        64 * (1 + self.topics.len() + partitions)
    }
}

impl<'a> FetchResponse<'a, &'a [u8]> {
    /// Reads `body`, a response's bytes after its header.
    pub fn decode(version: i16, body: &'a [u8]) -> Result<Self, ReadError> {
        let flexible = version >= FLEXIBLE;
        let reader = &mut Reader::new(body);
        let entries = &mut Entries::default();
        let throttle_time_ms = reader.i32()?;
        let (error, session_id) = match version >= 7 {
            true => (ErrorCode::from_wire(reader.i16()?), reader.i32()?),
            false => (ErrorCode::None, 0),
        };
        let count = reader.count(flexible, 3)?;
        let mut topics = Vec::with_capacity(entries.take(count)?);
        for _ in 0..count {
            let topic = Topic::read(reader, version >= TOPIC_IDS, flexible)?;
            let count = reader.count(flexible, PARTITION_LEN_MIN)?;
            let mut partitions = Vec::with_capacity(entries.take(count)?);
            for _ in 0..count {
                partitions.push(FetchedPartition::read(reader, version, entries)?);
            }
            reader.end(flexible)?;
            topics.push(FetchedTopic { topic, partitions });
        }
        let mut node_endpoints = Vec::new();
        if flexible {
            reader.tagged_fields(|tag, mut value| {
                if tag == 0 {
                    node_endpoints = NodeEndpoint::read_all(&mut value)?;
                }
                Ok(())
            })?;
        }
        reader.finish()?;
        Ok(Self {
            throttle_time_ms,
            error,
            session_id,
            topics,
            node_endpoints,
        })
    }
}

/// Bytes of the shortest partition on the wire.
const PARTITION_LEN_MIN: usize = 24;

impl<R> FetchedPartition<R> {
    fn write_after_records(&self, writer: &mut Writer<'_>, version: i16) {
        if version < FLEXIBLE {
            return;
        }
        let mut tags = Tags::default();
        if let Some(diverging) = self.diverging_epoch {
            tags.add(0, |writer| {
                writer.i32(diverging.epoch.get());
                writer.i64(diverging.end_offset.get());
                writer.no_tags();
            });
        }
        if let Some(leader) = self.current_leader {
            leader.add_to(&mut tags, 1);
        }
        if let Some(snapshot) = self.snapshot_id {
            tags.add(2, |writer| {
                writer.i64(snapshot.end_offset.get());
                writer.i32(snapshot.epoch.get());
                writer.no_tags();
            });
        }
        writer.tags(&tags);
    }
}

impl FetchedPartition<RecordsLen> {
    fn write_before_records(&self, writer: &mut Writer<'_>, version: i16) {
        writer.i32(self.index.get());
        writer.i16(self.error.code());
        writer.i64(self.high_watermark.get());
        writer.i64(self.last_stable_offset.get());
        if version >= 5 {
            writer.i64(self.log_start_offset.get());
        }
        match &self.aborted_transactions {
            Some(aborted) => {
                writer.length(aborted.len());
                for transaction in aborted {
                    writer.i64(transaction.producer_id.get());
                    writer.i64(transaction.first_offset.get());
                    writer.no_tags();
                }
            }
            None => writer.null_length(),
        }
        if version >= 11 {
            writer.i32(self.preferred_read_replica.get());
        }
        writer.length(self.records.0);
    }
}

impl<'a> FetchedPartition<&'a [u8]> {
    fn read(
        reader: &mut Reader<'a>,
        version: i16,
        entries: &mut Entries,
    ) -> Result<Self, ReadError> {
        let flexible = version >= FLEXIBLE;
        let index = PartitionIndex(reader.i32()?);
        let error = ErrorCode::from_wire(reader.i16()?);
        let mut partition = Self::failed(index, error);
        partition.high_watermark = Offset(reader.i64()?);
        partition.last_stable_offset = Offset(reader.i64()?);
        if version >= 5 {
            partition.log_start_offset = Offset(reader.i64()?);
        }
        if let Some(count) = reader.nullable_count(flexible, 16)? {
            let mut aborted = Vec::with_capacity(entries.take(count)?);
            for _ in 0..count {
                aborted.push(AbortedTransaction {
                    producer_id: ProducerId(reader.i64()?),
                    first_offset: Offset(reader.i64()?),
                });
                reader.end(flexible)?;
            }
            partition.aborted_transactions = Some(aborted);
        }
        if version >= 11 {
            partition.preferred_read_replica = NodeId(reader.i32()?);
        }
        partition.records = reader.nullable_bytes(flexible)?.unwrap_or_default();
        if flexible {
            reader.tagged_fields(|tag, value| partition.read_tagged(tag, value))?;
        }
        Ok(partition)
    }

    fn read_tagged(&mut self, tag: u32, mut value: Reader<'a>) -> Result<(), ReadError> {
        match tag {
            0 => {
                self.diverging_epoch = Some(EpochEndOffset {
                    epoch: LeaderEpoch(value.i32()?),
                    end_offset: Offset(value.i64()?),
                });
            }
            1 => self.current_leader = Some(CurrentLeader::read(&mut value)?),
            2 => {
                let end_offset = Offset(value.i64()?);
                let epoch = LeaderEpoch(value.i32()?);
                self.snapshot_id = Some(EpochEndOffset { epoch, end_offset });
            }
            _ => {}
        }
        Ok(())
    }
}
