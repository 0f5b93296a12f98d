//! The request: which partitions, from where, how much, and how long to wait.

use super::{FLEXIBLE, TOPIC_IDS};
use crate::api::ApiKey;
use crate::frame;
use crate::header::RequestHeader;
use crate::read::{Entries, ReadError, Reader};
use crate::topic::Topic;
use crate::types::{BrokerEpoch, LeaderEpoch, NodeId, Offset, PartitionIndex};
use crate::write::{Tags, Writer};
use bytes::{Bytes, BytesMut};
use uuid::Uuid;

/// A fetch request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest<'a> {
    /// The cluster that the sender believes to speak to; from version 12.
    pub cluster_id: Option<&'a str>,
    /// The follower that fetches, or nobody for a consumer.
    pub replica: Replica,
    /// How long to wait for `min_bytes`.
    pub max_wait_ms: i32,
    /// How many bytes are worth an answer before `max_wait_ms` is over.
    pub min_bytes: i32,
    /// How many bytes of records the answer may hold; a first batch that is
    /// larger comes all the same (KIP-74).
    pub max_bytes: i32,
    /// Which records are visible.
    pub isolation: IsolationLevel,
    /// The session that this belongs to; from version 7.
    pub session: Session,
    /// The partitions: all of them, or those that changed within a session.
    pub topics: Vec<FetchTopic<'a>>,
    /// The partitions to drop from the session; from version 7.
    pub forgotten: Vec<ForgottenTopic<'a>>,
    /// Where a consumer is, so that a near replica can serve it; from version 11.
    pub rack_id: &'a str,
}

/// The follower that fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The follower's node, −1 for a consumer.
    pub id: NodeId,
    /// Its broker epoch, −1 when unknown; from version 15.
    pub epoch: BrokerEpoch,
}

impl Replica {
    /// A consumer.
    pub const CONSUMER: Self = Self {
        id: NodeId::NONE,
        epoch: BrokerEpoch(-1),
    };
}

/// Which records a fetch sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All up to the high watermark.
    #[default]
    ReadUncommitted,
    /// Those whose transaction is decided, up to the last stable offset.
    ReadCommitted,
}

/// A fetch session (KIP-227): id and epoch are (0, −1) for none, (0, 0) to begin
/// one, and then the broker's id and 1, 2, 3 …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session, 0 when none.
    pub id: i32,
    /// The request's place in it.
    pub epoch: i32,
}

impl Session {
    /// No session.
    pub const NONE: Self = Self { id: 0, epoch: -1 };
}

/// A topic's part of a fetch request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic<'a> {
    /// Which topic; by id from version 13.
    pub topic: Topic<'a>,
    /// Its partitions.
    pub partitions: Vec<FetchPartition>,
}

/// A partition's part of a fetch request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// Which partition.
    pub index: PartitionIndex,
    /// The leader epoch that the sender knows, −1 when none; from version 9.
    pub current_leader_epoch: LeaderEpoch,
    /// Where to begin.
    pub fetch_offset: Offset,
    /// The epoch of the last record that a follower has; from version 12.
    pub last_fetched_epoch: LeaderEpoch,
    /// Where a follower's log begins, −1 from a consumer; from version 5.
    pub log_start_offset: Offset,
    /// How many bytes of this partition's records the answer may hold.
    pub max_bytes: i32,
    /// The directory of a follower's log; from version 17.
    pub directory_id: Uuid,
    /// The high watermark that a follower knows; from version 18.
    pub high_watermark: Option<Offset>,
}

impl FetchPartition {
    /// What a consumer asks: `max_bytes` from `offset` on.
    pub const fn from_offset(index: PartitionIndex, offset: Offset, max_bytes: i32) -> Self {
        Self {
            index,
            current_leader_epoch: LeaderEpoch::NONE,
            fetch_offset: offset,
            last_fetched_epoch: LeaderEpoch::NONE,
            log_start_offset: Offset(-1),
            max_bytes,
            directory_id: Uuid::nil(),
            high_watermark: None,
        }
    }
}

/// Partitions to drop from a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenTopic<'a> {
    /// Which topic; by id from version 13.
    pub topic: Topic<'a>,
    /// Its partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// The wire's word for a high watermark that is not known.
const NO_HIGH_WATERMARK: i64 = i64::MAX;
/// Bytes of the shortest topic and partition on the wire.
const TOPIC_LEN_MIN: usize = 3;
const PARTITION_LEN_MIN: usize = 16;

impl<'a> FetchRequest<'a> {
    /// Reads `body`, a request's bytes after its header. The guard need not have
    /// walked it.
    ///
    /// # Errors
    /// When the body is malformed, or names more topics and partitions than
    /// [`Entries::MAX`].
    pub fn decode(version: i16, body: &'a [u8]) -> Result<Self, ReadError> {
        let flexible = version >= FLEXIBLE;
        let reader = &mut Reader::new(body);
        let entries = &mut Entries::default();
        let mut replica = Replica::CONSUMER;
        if version < 15 {
            replica.id = NodeId(reader.i32()?);
        }
        let mut request = Self {
            cluster_id: None,
            replica,
            max_wait_ms: reader.i32()?,
            min_bytes: reader.i32()?,
            max_bytes: reader.i32()?,
            isolation: IsolationLevel::read(reader)?,
            session: match version >= 7 {
                true => Session {
                    id: reader.i32()?,
                    epoch: reader.i32()?,
                },
                false => Session::NONE,
            },
            topics: read_topics(reader, version, entries)?,
            forgotten: match version >= 7 {
                true => read_forgotten(reader, version, entries)?,
                false => Vec::new(),
            },
            rack_id: match version >= 11 {
                true => reader.str(flexible)?,
                false => "",
            },
        };
        if flexible {
            reader.tagged_fields(|tag, value| request.read_tagged(version, tag, value))?;
        }
        reader.finish()?;
        Ok(request)
    }

    fn read_tagged(
        &mut self,
        version: i16,
        tag: u32,
        mut value: Reader<'a>,
    ) -> Result<(), ReadError> {
        match tag {
            0 => self.cluster_id = value.nullable_str(true)?,
            1 if version >= 15 => {
                self.replica = Replica {
                    id: NodeId(value.i32()?),
                    epoch: BrokerEpoch(value.i64()?),
                };
            }
            _ => {}
        }
        Ok(())
    }

    /// The whole request as a frame. Fields that `version` lacks are left out.
    ///
    /// # Panics
    /// When a topic is not in the form of the version.
    pub fn encode_frame(
        &self,
        version: i16,
        correlation_id: i32,
        client_id: Option<&str>,
    ) -> Bytes {
        let mut out = BytesMut::with_capacity(256);
        let start = frame::begin(&mut out);
        let header = RequestHeader {
            spec: ApiKey::Fetch.spec(),
            version,
            correlation_id,
            client_id,
        };
        header.encode(&mut out);
        let mut writer = Writer::new(&mut out, version >= FLEXIBLE);
        if version < 15 {
            writer.i32(self.replica.id.get());
        }
        writer.i32(self.max_wait_ms);
        writer.i32(self.min_bytes);
        writer.i32(self.max_bytes);
        writer.i8(self.isolation as i8);
        if version >= 7 {
            writer.i32(self.session.id);
            writer.i32(self.session.epoch);
        }
        write_topics(&self.topics, &mut writer, version);
        if version >= 7 {
            write_forgotten(&self.forgotten, &mut writer, version);
        }
        if version >= 11 {
            writer.str(self.rack_id);
        }
        if version >= FLEXIBLE {
            writer.tags(&self.tags(version));
        }
        frame::finish(&mut out, start, 0);
        out.freeze()
    }

    fn tags(&self, version: i16) -> Tags {
        let mut tags = Tags::default();
        if self.cluster_id.is_some() {
            tags.add(0, |writer| writer.nullable_str(self.cluster_id));
        }
        if version >= 15 && self.replica != Replica::CONSUMER {
            tags.add(1, |writer| {
                writer.i32(self.replica.id.get());
                writer.i64(self.replica.epoch.get());
                writer.no_tags();
            });
        }
        tags
    }
}

impl IsolationLevel {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let at = reader.position();
        match reader.i8()? {
            0 => Ok(Self::ReadUncommitted),
            1 => Ok(Self::ReadCommitted),
            other => Err(ReadError::Value {
                at,
                field: "isolation level",
                value: i64::from(other),
            }),
        }
    }
}

fn read_topics<'a>(
    reader: &mut Reader<'a>,
    version: i16,
    entries: &mut Entries,
) -> Result<Vec<FetchTopic<'a>>, ReadError> {
    let flexible = version >= FLEXIBLE;
    let count = reader.count(flexible, TOPIC_LEN_MIN)?;
    let mut topics = Vec::with_capacity(entries.take(count)?);
    for _ in 0..count {
        let topic = Topic::read(reader, version >= TOPIC_IDS, flexible)?;
        let count = reader.count(flexible, PARTITION_LEN_MIN)?;
        let mut partitions = Vec::with_capacity(entries.take(count)?);
        for _ in 0..count {
            partitions.push(FetchPartition::read(reader, version)?);
        }
        reader.end(flexible)?;
        topics.push(FetchTopic { topic, partitions });
    }
    Ok(topics)
}

fn write_topics(topics: &[FetchTopic<'_>], writer: &mut Writer<'_>, version: i16) {
    writer.length(topics.len());
    for topic in topics {
        topic.topic.write(writer, version >= TOPIC_IDS);
        writer.length(topic.partitions.len());
        for partition in &topic.partitions {
            partition.write(writer, version);
        }
        writer.no_tags();
    }
}

fn read_forgotten<'a>(
    reader: &mut Reader<'a>,
    version: i16,
    entries: &mut Entries,
) -> Result<Vec<ForgottenTopic<'a>>, ReadError> {
    let flexible = version >= FLEXIBLE;
    let count = reader.count(flexible, TOPIC_LEN_MIN)?;
    let mut topics = Vec::with_capacity(entries.take(count)?);
    for _ in 0..count {
        let topic = Topic::read(reader, version >= TOPIC_IDS, flexible)?;
        let count = reader.count(flexible, 4)?;
        let mut partitions = Vec::with_capacity(entries.take(count)?);
        for _ in 0..count {
            partitions.push(PartitionIndex(reader.i32()?));
        }
        reader.end(flexible)?;
        topics.push(ForgottenTopic { topic, partitions });
    }
    Ok(topics)
}

fn write_forgotten(topics: &[ForgottenTopic<'_>], writer: &mut Writer<'_>, version: i16) {
    writer.length(topics.len());
    for topic in topics {
        topic.topic.write(writer, version >= TOPIC_IDS);
        writer.length(topic.partitions.len());
        for partition in &topic.partitions {
            writer.i32(partition.get());
        }
        writer.no_tags();
    }
}

impl FetchPartition {
    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, ReadError> {
        let mut partition = Self::from_offset(PartitionIndex(reader.i32()?), Offset(0), 0);
        if version >= 9 {
            partition.current_leader_epoch = LeaderEpoch(reader.i32()?);
        }
        partition.fetch_offset = Offset(reader.i64()?);
        if version >= 12 {
            partition.last_fetched_epoch = LeaderEpoch(reader.i32()?);
        }
        if version >= 5 {
            partition.log_start_offset = Offset(reader.i64()?);
        }
        partition.max_bytes = reader.i32()?;
        if version >= FLEXIBLE {
            reader.tagged_fields(|tag, mut value| {
                match tag {
                    0 if version >= 17 => partition.directory_id = value.uuid()?,
                    1 if version >= 18 => {
                        let known = Some(value.i64()?).filter(|&raw| raw != NO_HIGH_WATERMARK);
                        partition.high_watermark = known.map(Offset);
                    }
                    _ => {}
                }
                Ok(())
            })?;
        }
        Ok(partition)
    }

    fn write(&self, writer: &mut Writer<'_>, version: i16) {
        writer.i32(self.index.get());
        if version >= 9 {
            writer.i32(self.current_leader_epoch.get());
        }
        writer.i64(self.fetch_offset.get());
        if version >= 12 {
            writer.i32(self.last_fetched_epoch.get());
        }
        if version >= 5 {
            writer.i64(self.log_start_offset.get());
        }
        writer.i32(self.max_bytes);
        if version < FLEXIBLE {
            return;
        }
        let mut tags = Tags::default();
        if version >= 17 && !self.directory_id.is_nil() {
            tags.add(0, |writer| writer.uuid(self.directory_id));
        }
        if let Some(high_watermark) = self.high_watermark.filter(|_| version >= 18) {
            tags.add(1, |writer| writer.i64(high_watermark.get()));
        }
        writer.tags(&tags);
    }
}
