//! The response: where each partition's records went, or why not.

use super::{FLEXIBLE, TOPIC_IDS};
use crate::api::ApiKey;
use crate::error_code::ErrorCode;
use crate::frame;
use crate::header;
use crate::leader::{CurrentLeader, NodeEndpoint};
use crate::read::{Entries, ReadError, Reader};
use crate::topic::Topic;
use crate::types::{Offset, PartitionIndex, TimestampMs};
use crate::write::{Tags, Writer};
use bytes::{Bytes, BytesMut};

/// A produce response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProduceResponse<'a> {
    /// An answer for every topic of the request, in its order.
    pub topics: Vec<TopicResponse<'a>>,
    /// How long the client is muted for passing a quota.
    pub throttle_time_ms: i32,
    /// Where the leaders are that partitions name; from version 10.
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
}

/// A topic's part of a produce response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicResponse<'a> {
    /// Which topic; by id from version 13.
    pub topic: Topic<'a>,
    /// Its partitions.
    pub partitions: Vec<PartitionResponse<'a>>,
}

/// A partition's part of a produce response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionResponse<'a> {
    /// Which partition.
    pub index: PartitionIndex,
    /// What went wrong. A number that this crate does not know reads as
    /// [`ErrorCode::UnknownServerError`].
    pub error: ErrorCode,
    /// The offset of the batch's first record, −1 on an error.
    pub base_offset: Offset,
    /// When the broker appended it, −1 unless the topic has LogAppendTime.
    pub log_append_time: TimestampMs,
    /// Where the log begins, −1 when unknown; from version 5.
    pub log_start_offset: Offset,
    /// Which records are to blame; from version 8.
    pub record_errors: Vec<RecordError<'a>>,
    /// What went wrong, in words; from version 8.
    pub error_message: Option<&'a str>,
    /// Who leads the partition now, when not this broker; from version 10.
    pub current_leader: Option<CurrentLeader>,
}

/// One record's part of the blame (KIP-467).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError<'a> {
    /// The record's place in its batch, from 0.
    pub batch_index: i32,
    /// What is wrong with it.
    pub message: Option<&'a str>,
}

impl PartitionResponse<'_> {
    /// A partition that failed with `error`, with nothing more to say.
    pub const fn failed(index: PartitionIndex, error: ErrorCode) -> Self {
        Self {
            index,
            error,
            base_offset: Offset(-1),
            log_append_time: TimestampMs::NONE,
            log_start_offset: Offset(-1),
            record_errors: Vec::new(),
            error_message: None,
            current_leader: None,
        }
    }
}

impl<'a> ProduceResponse<'a> {
    /// The whole response as a frame. Fields that `version` lacks are left out.
    ///
    /// # Panics
    /// When a topic is not in the form of the version.
    pub fn encode_frame(&self, version: i16, correlation_id: i32) -> Bytes {
        let partitions: usize = self.topics.iter().map(|topic| topic.partitions.len()).sum();
        let mut out = BytesMut::with_capacity(32 + 64 * (self.topics.len() + partitions));
        let start = frame::begin(&mut out);
        header::encode_response(ApiKey::Produce.spec(), version, correlation_id, &mut out);
        let mut writer = Writer::new(&mut out, version >= FLEXIBLE);
        writer.length(self.topics.len());
        for topic in &self.topics {
            topic.topic.write(&mut writer, version >= TOPIC_IDS);
            writer.length(topic.partitions.len());
            for partition in &topic.partitions {
                partition.write(&mut writer, version);
            }
            writer.no_tags();
        }
        writer.i32(self.throttle_time_ms);
        if version >= 10 {
            let mut tags = Tags::default();
            NodeEndpoint::add_all_to(&self.node_endpoints, &mut tags, 0);
            writer.tags(&tags);
        } else {
            writer.no_tags();
        }
        frame::finish(&mut out, start, 0);
        out.freeze()
    }

    /// Reads `body`, a response's bytes after its header.
    pub fn decode(version: i16, body: &'a [u8]) -> Result<Self, ReadError> {
        let flexible = version >= FLEXIBLE;
        let mut reader = Reader::new(body);
        let mut entries = Entries::default();
        let count = reader.count(flexible, 3)?;
        let mut topics = Vec::with_capacity(entries.take(count)?);
        for _ in 0..count {
            let topic = Topic::read(&mut reader, version >= TOPIC_IDS, flexible)?;
            let count = reader.count(flexible, PartitionResponse::LEN_MIN)?;
            let mut partitions = Vec::with_capacity(entries.take(count)?);
            for _ in 0..count {
                let partition = PartitionResponse::read(&mut reader, version, &mut entries)?;
                partitions.push(partition);
            }
            reader.end(flexible)?;
            topics.push(TopicResponse { topic, partitions });
        }
        let throttle_time_ms = reader.i32()?;
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
            topics,
            throttle_time_ms,
            node_endpoints,
        })
    }
}

impl<'a> PartitionResponse<'a> {
    /// Bytes of the shortest on the wire: version 3.
    const LEN_MIN: usize = 22;

    fn write(&self, writer: &mut Writer<'_>, version: i16) {
        writer.i32(self.index.get());
        writer.i16(self.error.code());
        writer.i64(self.base_offset.get());
        writer.i64(self.log_append_time.get());
        if version >= 5 {
            writer.i64(self.log_start_offset.get());
        }
        if version >= 8 {
            writer.length(self.record_errors.len());
            for error in &self.record_errors {
                writer.i32(error.batch_index);
                writer.nullable_str(error.message);
                writer.no_tags();
            }
            writer.nullable_str(self.error_message);
        }
        match self.current_leader.filter(|_| version >= 10) {
            Some(leader) => {
                let mut tags = Tags::default();
                leader.add_to(&mut tags, 0);
                writer.tags(&tags);
            }
            None => writer.no_tags(),
        }
    }

    fn read(
        reader: &mut Reader<'a>,
        version: i16,
        entries: &mut Entries,
    ) -> Result<Self, ReadError> {
        let flexible = version >= FLEXIBLE;
        let mut partition = Self {
            index: PartitionIndex(reader.i32()?),
            error: ErrorCode::from_wire(reader.i16()?),
            base_offset: Offset(reader.i64()?),
            log_append_time: TimestampMs(reader.i64()?),
            ..Self::failed(PartitionIndex(0), ErrorCode::None)
        };
        if version >= 5 {
            partition.log_start_offset = Offset(reader.i64()?);
        }
        if version >= 8 {
            let count = reader.count(flexible, 5)?;
            partition.record_errors.reserve_exact(entries.take(count)?);
            for _ in 0..count {
                partition.record_errors.push(RecordError {
                    batch_index: reader.i32()?,
                    message: reader.nullable_str(flexible)?,
                });
                reader.end(flexible)?;
            }
            partition.error_message = reader.nullable_str(flexible)?;
        }
        if flexible {
            reader.tagged_fields(|tag, mut value| {
                if tag == 0 {
                    partition.current_leader = Some(CurrentLeader::read(&mut value)?);
                }
                Ok(())
            })?;
        }
        Ok(partition)
    }
}
