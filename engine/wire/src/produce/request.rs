//! The request: records for any number of partitions.

use super::{FLEXIBLE, TOPIC_IDS};
use crate::api::ApiKey;
use crate::frame::{Piece, PieceWriter};
use crate::header::RequestHeader;
use crate::read::{Entries, ReadError, Reader};
use crate::topic::Topic;
use crate::types::PartitionIndex;
use bytes::Bytes;

/// A produce request. `R` is each partition's records: `&mut [u8]` in the frame
/// that they arrived in, or the [`Bytes`] of a batch to send.
#[derive(Debug, PartialEq, Eq)]
pub struct ProduceRequest<'a, R> {
    /// The producer's transactional id, if it has one.
    pub transactional_id: Option<&'a str>,
    /// Who must have the records before the answer: 0 nobody and no answer, 1
    /// the leader, −1 the in-sync replicas.
    pub acks: i16,
    /// How long to wait for them.
    pub timeout_ms: i32,
    /// What to append.
    pub topics: Vec<TopicData<'a, R>>,
}

/// A topic's part of a produce request.
#[derive(Debug, PartialEq, Eq)]
pub struct TopicData<'a, R> {
    /// Which topic; by id from version 13.
    pub topic: Topic<'a>,
    /// Its partitions.
    pub partitions: Vec<PartitionData<R>>,
}

/// A partition's part of a produce request.
#[derive(Debug, PartialEq, Eq)]
pub struct PartitionData<R> {
    /// Which partition.
    pub index: PartitionIndex,
    /// Its records, one batch if the client is right. Null is read as empty.
    pub records: R,
}

/// Bytes of the shortest topic and partition on the wire.
const TOPIC_LEN_MIN: usize = 3;
const PARTITION_LEN_MIN: usize = 6;

impl<'a> ProduceRequest<'a, &'a mut [u8]> {
    /// Reads `body`, a request's bytes after its header. The guard need not have
    /// walked it.
    ///
    /// # Errors
    /// When the body is malformed, or names more topics and partitions than
    /// [`Entries::MAX`].
    pub fn decode(version: i16, body: &'a mut [u8]) -> Result<Self, ReadError> {
        let flexible = version >= FLEXIBLE;
        let mut carver = Carver {
            rest: body,
            position: 0,
        };
        let mut entries = Entries::default();
        let transactional_id = carver.nullable_str(flexible)?;
        let (acks, timeout_ms) = carver.read(|reader| Ok((reader.i16()?, reader.i32()?)))?;
        let count = carver.read(|reader| reader.count(flexible, TOPIC_LEN_MIN))?;
        let mut topics = Vec::with_capacity(entries.take(count)?);
        for _ in 0..count {
            topics.push(carver.topic(version, &mut entries)?);
        }
        carver.end(flexible)?;
        match carver.rest.len() {
            0 => Ok(Self {
                transactional_id,
                acks,
                timeout_ms,
                topics,
            }),
            left => Err(ReadError::Trailing { left }),
        }
    }
}

/// Takes a body apart from the front, handing out its records mutably.
struct Carver<'a> {
    rest: &'a mut [u8],
    /// How many bytes of the body have been taken.
    position: usize,
}

impl<'a> Carver<'a> {
    /// Reads values that do not borrow from the body.
    fn read<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let mut reader = Reader::new(self.rest);
        let value = read(&mut reader).map_err(|error| error.shifted(self.position))?;
        let len = reader.position();
        self.take(len)?;
        Ok(value)
    }

    fn take(&mut self, len: usize) -> Result<&'a mut [u8], ReadError> {
        let have = self.rest.len();
        match std::mem::take(&mut self.rest).split_at_mut_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                self.position += len;
                Ok(taken)
            }
            None => Err(ReadError::Truncated {
                at: self.position,
                need: len,
                have,
            }),
        }
    }

    /// A string: its length is read first, then it is taken and checked.
    fn nullable_str(&mut self, flexible: bool) -> Result<Option<&'a str>, ReadError> {
        let mut reader = Reader::new(self.rest);
        let string = reader.nullable_str(flexible);
        let len = string.map_err(|error| error.shifted(self.position))?;
        let Some(len) = len.map(str::len) else {
            self.take(reader.position())?;
            return Ok(None);
        };
        self.take(reader.position() - len)?;
        let bytes: &'a [u8] = self.take(len)?;
        Ok(std::str::from_utf8(bytes).ok())
    }

    fn topic(
        &mut self,
        version: i16,
        entries: &mut Entries,
    ) -> Result<TopicData<'a, &'a mut [u8]>, ReadError> {
        let flexible = version >= FLEXIBLE;
        let topic = if version >= TOPIC_IDS {
            Topic::Id(self.read(|reader| reader.uuid())?)
        } else {
            let at = self.position;
            let name = self.nullable_str(flexible)?;
            Topic::Name(name.ok_or(ReadError::NegativeLength { at, length: -1 })?)
        };
        let count = self.read(|reader| reader.count(flexible, PARTITION_LEN_MIN))?;
        let mut partitions = Vec::with_capacity(entries.take(count)?);
        for _ in 0..count {
            let read_index = |reader: &mut Reader<'_>| {
                Ok((reader.i32()?, reader.length(flexible, false)?.unwrap_or(0)))
            };
            let (index, len) = self.read(read_index)?;
            partitions.push(PartitionData {
                index: PartitionIndex(index),
                records: self.take(len)?,
            });
            self.end(flexible)?;
        }
        self.end(flexible)?;
        Ok(TopicData { topic, partitions })
    }

    /// Reads past the tagged fields that end a structure.
    fn end(&mut self, flexible: bool) -> Result<(), ReadError> {
        self.read(|reader| reader.end(flexible))
    }
}

impl ProduceRequest<'_, Bytes> {
    /// The whole request as a frame, in pieces to write one after another; the
    /// records among them are shared, not copied.
    ///
    /// # Panics
    /// When a topic is not in the form of the version, or the request does not
    /// fit a frame.
    pub fn encode_frame(
        &self,
        version: i16,
        correlation_id: i32,
        client_id: Option<&str>,
    ) -> Vec<Bytes> {
        let flexible = version >= FLEXIBLE;
        let mut pieces = PieceWriter::with_capacity(256);
        let header = RequestHeader {
            spec: ApiKey::Produce.spec(),
            version,
            correlation_id,
            client_id,
        };
        header.encode(pieces.buffer());
        let mut writer = pieces.writer(flexible);
        writer.nullable_str(self.transactional_id);
        writer.i16(self.acks);
        writer.i32(self.timeout_ms);
        writer.length(self.topics.len());
        let mut records = Vec::new();
        for topic in &self.topics {
            let mut writer = pieces.writer(flexible);
            topic.topic.write(&mut writer, version >= TOPIC_IDS);
            writer.length(topic.partitions.len());
            for partition in &topic.partitions {
                let mut writer = pieces.writer(flexible);
                writer.i32(partition.index.get());
                writer.length(partition.records.len());
                pieces.records(records.len(), partition.records.len());
                records.push(&partition.records);
                pieces.writer(flexible).no_tags();
            }
            pieces.writer(flexible).no_tags();
        }
        pieces.writer(flexible).no_tags();
        let resolve = |piece| match piece {
            Piece::Bytes(bytes) => Some(bytes),
            Piece::Records(index) => records.get(index).map(|&bytes| bytes.clone()),
        };
        pieces.finish().into_iter().filter_map(resolve).collect()
    }
}
