//! Key versions 0 and 1, value versions 0 to 4: an offset that a group
//! committed for one partition.
//!
//! Version 3 is written, as Kafka 4 does; version 1 only when the client gave
//! a retention of its own (OffsetCommit v2 to v4).

use super::bytes::{Reader, SchemaError, Writer};
use crate::names::{GroupId, TopicId, TopicName};
use bytes::Bytes;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex, TimestampMs};
use std::sync::Arc;

/// What an offset is committed for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetKey {
    /// The group that commits.
    pub group: GroupId,
    /// The topic.
    pub topic: TopicName,
    /// The partition within the topic.
    pub partition: PartitionIndex,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetValue {
    /// The next offset the group will read.
    pub offset: Offset,
    /// The leader epoch of the last record read; `NONE` when unknown.
    pub leader_epoch: LeaderEpoch,
    /// The client's own note.
    pub metadata: Arc<str>,
    /// When it was committed.
    pub committed_at: TimestampMs,
    /// When it expires, if the client asked for a time of its own.
    pub expires_at: Option<TimestampMs>,
    /// The topic's id, nil when unknown.
    pub topic_id: TopicId,
}

impl OffsetKey {
    pub(crate) const VERSION: i16 = 1;

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Writer::version(Self::VERSION, false);
        out.str(self.group.as_str());
        out.str(self.topic.as_str());
        out.i32(self.partition.get());
        out.finish()
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, SchemaError> {
        Ok(Self {
            group: input.str("group")?.into(),
            topic: input.str("topic")?.into(),
            partition: PartitionIndex(input.i32("partition")?),
        })
    }
}

impl OffsetValue {
    const NEWEST: i16 = 4;
    const TOPIC_ID_TAG: u32 = 0;

    pub(crate) fn encode(&self) -> Bytes {
        let version = if self.expires_at.is_some() { 1 } else { 3 };
        self.encode_as(version)
    }

    pub(crate) fn encode_as(&self, version: i16) -> Bytes {
        let mut out = Writer::version(version, version >= 4);
        out.i64(self.offset.get());
        if version >= 3 {
            out.i32(self.leader_epoch.get());
        }
        out.str(&self.metadata);
        out.i64(self.committed_at.get());
        if version == 1 {
            out.i64(self.expires_at.unwrap_or(TimestampMs::NONE).get());
        }
        let mut tagged = Vec::new();
        if !self.topic_id.is_nil() {
            tagged.push((Self::TOPIC_ID_TAG, Writer::body(|w| w.uuid(self.topic_id))));
        }
        out.tagged(tagged);
        out.finish()
    }

    pub(crate) fn decode(raw: &[u8]) -> Result<Self, SchemaError> {
        let mut input = Reader::new(raw);
        let version = input.version("offset commit value", Self::NEWEST)?;
        input.flexible_from(version, 4);
        let offset = Offset(input.i64("offset")?);
        let leader_epoch = match version {
            3.. => LeaderEpoch(input.i32("leader epoch")?),
            _ => LeaderEpoch::NONE,
        };
        let metadata = input.str("metadata")?.into();
        let committed_at = TimestampMs(input.i64("commit timestamp")?);
        let expires_at = match version {
            1 => Some(TimestampMs(input.i64("expire timestamp")?)).filter(|t| t.get() >= 0),
            _ => None,
        };
        let mut topic_id = TopicId::nil();
        input.tagged(|tag, field| {
            if tag == Self::TOPIC_ID_TAG {
                topic_id = field.uuid("topic id")?;
            }
            Ok(())
        })?;
        Ok(Self {
            offset,
            leader_epoch,
            metadata,
            committed_at,
            expires_at,
            topic_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> OffsetValue {
        OffsetValue {
            offset: Offset(42),
            leader_epoch: LeaderEpoch(3),
            metadata: "note".into(),
            committed_at: TimestampMs(1_700_000_000_000),
            expires_at: None,
            topic_id: TopicId::nil(),
        }
    }

    #[test]
    fn every_version_keeps_what_it_has_room_for() {
        let check = |version: i16, expected: OffsetValue| {
            let full = OffsetValue {
                expires_at: Some(TimestampMs(9)),
                topic_id: TopicId::from_u128(5),
                ..sample()
            };
            assert_eq!(
                OffsetValue::decode(&full.encode_as(version)),
                Ok(expected),
                "version {version}"
            );
        };
        let old = OffsetValue {
            leader_epoch: LeaderEpoch::NONE,
            ..sample()
        };
        check(0, old.clone());
        check(
            1,
            OffsetValue {
                expires_at: Some(TimestampMs(9)),
                ..old.clone()
            },
        );
        check(2, old);
        check(3, sample());
        check(
            4,
            OffsetValue {
                topic_id: TopicId::from_u128(5),
                ..sample()
            },
        );
    }

    #[test]
    fn a_newer_version_is_refused() {
        let error = OffsetValue::decode(&[0, 5]).unwrap_err().to_string();
        assert_eq!(
            error,
            "version 5 of offset commit value is unknown, 0 to 4 are accepted"
        );
    }
}
