//! Keys 3 to 8 and 16: a group of the consumer protocol (KIP-848), one record
//! for each part of it so that a heartbeat rewrites only what it changes.

use super::bytes::{Reader, SchemaError, Writer};
use super::classic::{millis, wait};
use crate::names::{InstanceId, TopicId};
use bytes::Bytes;
use plimsoll_wire::types::{PartitionIndex, TimestampMs};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Partitions by topic: a target or current assignment.
pub type Partitions = BTreeMap<TopicId, BTreeSet<PartitionIndex>>;

/// Key 3: the group's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochValue {
    /// Raised whenever membership, a subscription or the topics change.
    pub epoch: i32,
    /// A hash of the subscribed topics as they were at that epoch.
    pub metadata_hash: i64,
}

/// Key 5: what a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberValue {
    /// Its identity over restarts, when it is static.
    pub instance: Option<InstanceId>,
    /// Where it runs.
    pub rack: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// The topics it names.
    pub topics: BTreeSet<String>,
    /// The expression that chooses further topics.
    pub regex: Option<String>,
    /// How long it may take to give partitions up.
    pub rebalance_timeout: Duration,
    /// The assignor it prefers.
    pub assignor: Option<String>,
    /// Present when it still speaks the classic protocol.
    pub classic: Option<ClassicMetadata>,
}

/// The classic side of a member that takes part through JoinGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMetadata {
    /// How long it may be silent.
    pub session_timeout: Duration,
    /// The protocols it offers, best first, with their metadata.
    pub protocols: Vec<(String, Bytes)>,
}

/// How far a member has come towards its target. See KIP-848.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberState {
    /// It owns what it should at its epoch.
    #[default]
    Stable,
    /// It must give partitions up before it may go on.
    UnrevokedPartitions,
    /// It waits for partitions that others still hold.
    UnreleasedPartitions,
}

/// Key 8: what a member owns now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentValue {
    /// The epoch the member has reached.
    pub epoch: i32,
    /// The epoch before, accepted once more in case the answer was lost.
    pub previous_epoch: i32,
    /// How far it has come.
    pub state: MemberState,
    /// What it owns.
    pub assigned: Partitions,
    /// What it owns but must give up.
    pub revoking: Partitions,
}

/// Key 16: what a regular expression matched, when it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegexValue {
    /// The topics matched.
    pub topics: BTreeSet<String>,
    /// The metadata version it was resolved against.
    pub version: i64,
    /// When it was resolved.
    pub resolved_at: TimestampMs,
}

const NEWEST: i16 = 0;

fn open<'a>(raw: &'a [u8], record: &'static str) -> Result<Reader<'a>, SchemaError> {
    let mut input = Reader::new(raw);
    input.version(record, NEWEST)?;
    input.flexible_from(0, 0);
    Ok(input)
}

fn write_partitions(out: &mut Writer, partitions: &Partitions) {
    out.array(partitions.iter(), |out, (topic, indexes)| {
        out.uuid(*topic);
        out.array(indexes.iter(), |out, index| out.i32(index.get()));
        out.no_tagged();
    });
}

fn read_partitions(input: &mut Reader<'_>) -> Result<Partitions, SchemaError> {
    let topics = input.array("topic partitions", |r| {
        let topic = r.uuid("topic id")?;
        let indexes = r.array("partitions", |r| r.i32("partition").map(PartitionIndex))?;
        r.no_tagged()?;
        Ok((topic, indexes.into_iter().collect()))
    })?;
    Ok(topics.into_iter().collect())
}

impl EpochValue {
    const HASH_TAG: u32 = 0;

    pub(crate) fn encode(self) -> Bytes {
        let mut out = Writer::version(NEWEST, true);
        out.i32(self.epoch);
        let mut tagged = Vec::new();
        if self.metadata_hash != 0 {
            tagged.push((Self::HASH_TAG, Writer::body(|w| w.i64(self.metadata_hash))));
        }
        out.tagged(tagged);
        out.finish()
    }

    pub(crate) fn decode(raw: &[u8]) -> Result<Self, SchemaError> {
        let mut input = open(raw, "consumer group metadata value")?;
        let epoch = input.i32("epoch")?;
        let mut metadata_hash = 0;
        input.tagged(|tag, field| {
            if tag == Self::HASH_TAG {
                metadata_hash = field.i64("metadata hash")?;
            }
            Ok(())
        })?;
        Ok(Self {
            epoch,
            metadata_hash,
        })
    }
}

/// Key 6: the epoch of the target assignment.
pub(crate) fn encode_target_epoch(epoch: i32) -> Bytes {
    let mut out = Writer::version(NEWEST, true);
    out.i32(epoch);
    out.no_tagged();
    out.finish()
}

pub(crate) fn decode_target_epoch(raw: &[u8]) -> Result<i32, SchemaError> {
    let mut input = open(raw, "target assignment metadata value")?;
    let epoch = input.i32("assignment epoch")?;
    input.no_tagged()?;
    Ok(epoch)
}

/// Key 7: a member's target assignment.
pub(crate) fn encode_target(partitions: &Partitions) -> Bytes {
    let mut out = Writer::version(NEWEST, true);
    write_partitions(&mut out, partitions);
    out.no_tagged();
    out.finish()
}

pub(crate) fn decode_target(raw: &[u8]) -> Result<Partitions, SchemaError> {
    let mut input = open(raw, "target assignment member value")?;
    let partitions = read_partitions(&mut input)?;
    input.no_tagged()?;
    Ok(partitions)
}

impl MemberValue {
    const CLASSIC_TAG: u32 = 0;

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Writer::version(NEWEST, true);
        out.opt_str(self.instance.as_ref().map(InstanceId::as_str));
        out.opt_str(self.rack.as_deref());
        out.str(&self.client_id);
        out.str(&self.client_host);
        out.array(self.topics.iter(), |out, topic| out.str(topic));
        out.opt_str(self.regex.as_deref());
        out.i32(millis(self.rebalance_timeout));
        out.opt_str(self.assignor.as_deref());
        let tagged = self.classic.iter().map(|c| (Self::CLASSIC_TAG, c.encode()));
        out.tagged(tagged.collect());
        out.finish()
    }

    pub(crate) fn decode(raw: &[u8]) -> Result<Self, SchemaError> {
        let mut input = open(raw, "consumer group member value")?;
        let mut value = Self {
            instance: input.opt_str("instance id")?.map(InstanceId::from),
            rack: input.opt_str("rack id")?.map(str::to_owned),
            client_id: input.str("client id")?.to_owned(),
            client_host: input.str("client host")?.to_owned(),
            topics: input
                .array("topic names", |r| r.str("topic name").map(str::to_owned))?
                .into_iter()
                .collect(),
            regex: input.opt_str("topic regex")?.map(str::to_owned),
            rebalance_timeout: wait(input.i32("rebalance timeout")?),
            assignor: input.opt_str("assignor")?.map(str::to_owned),
            classic: None,
        };
        input.tagged(|tag, field| {
            if tag == Self::CLASSIC_TAG {
                value.classic = ClassicMetadata::decode(field)?;
            }
            Ok(())
        })?;
        Ok(value)
    }
}

impl ClassicMetadata {
    /// A nullable structure: one byte says whether it is there.
    fn encode(&self) -> Vec<u8> {
        Writer::body(|out| {
            out.i8(1);
            out.i32(millis(self.session_timeout));
            out.array(self.protocols.iter(), |out, (name, metadata)| {
                out.str(name);
                out.bytes(metadata);
                out.no_tagged();
            });
            out.no_tagged();
        })
    }

    fn decode(input: &mut Reader<'_>) -> Result<Option<Self>, SchemaError> {
        if input.i8("classic metadata")? < 0 {
            return Ok(None);
        }
        let session_timeout = wait(input.i32("session timeout")?);
        let protocols = input.array("supported protocols", |r| {
            let name = r.str("protocol name")?.to_owned();
            let metadata = r.bytes("protocol metadata")?;
            r.no_tagged()?;
            Ok((name, metadata))
        })?;
        input.no_tagged()?;
        Ok(Some(Self {
            session_timeout,
            protocols,
        }))
    }
}

impl MemberState {
    const fn code(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
        }
    }

    fn from_code(code: i8) -> Result<Self, SchemaError> {
        match code {
            0 => Ok(Self::Stable),
            1 => Ok(Self::UnrevokedPartitions),
            2 => Ok(Self::UnreleasedPartitions),
            _ => Err(SchemaError::Undefined {
                field: "member state",
                value: i64::from(code),
            }),
        }
    }
}

impl CurrentValue {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Writer::version(NEWEST, true);
        out.i32(self.epoch);
        out.i32(self.previous_epoch);
        out.i8(self.state.code());
        write_partitions(&mut out, &self.assigned);
        write_partitions(&mut out, &self.revoking);
        out.no_tagged();
        out.finish()
    }

    pub(crate) fn decode(raw: &[u8]) -> Result<Self, SchemaError> {
        let mut input = open(raw, "current member assignment value")?;
        let value = Self {
            epoch: input.i32("member epoch")?,
            previous_epoch: input.i32("previous member epoch")?,
            state: MemberState::from_code(input.i8("member state")?)?,
            assigned: read_partitions(&mut input)?,
            revoking: read_partitions(&mut input)?,
        };
        input.no_tagged()?;
        Ok(value)
    }
}

impl RegexValue {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Writer::version(NEWEST, true);
        out.array(self.topics.iter(), |out, topic| out.str(topic));
        out.i64(self.version);
        out.i64(self.resolved_at.get());
        out.no_tagged();
        out.finish()
    }

    pub(crate) fn decode(raw: &[u8]) -> Result<Self, SchemaError> {
        let mut input = open(raw, "regular expression value")?;
        let value = Self {
            topics: input
                .array("topics", |r| r.str("topic").map(str::to_owned))?
                .into_iter()
                .collect(),
            version: input.i64("version")?,
            resolved_at: TimestampMs(input.i64("timestamp")?),
        };
        input.no_tagged()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions() -> Partitions {
        let indexes = BTreeSet::from([PartitionIndex(0), PartitionIndex(4)]);
        Partitions::from([(TopicId::from_u128(9), indexes)])
    }

    #[test]
    fn a_member_comes_back_with_and_without_its_classic_side() {
        for classic in [
            None,
            Some(ClassicMetadata {
                session_timeout: Duration::from_secs(45),
                protocols: vec![("range".into(), Bytes::from_static(b"\0\x01"))],
            }),
        ] {
            let value = MemberValue {
                instance: Some("i".into()),
                rack: None,
                client_id: "c".into(),
                client_host: "/h".into(),
                topics: BTreeSet::from(["a".to_owned(), "b".to_owned()]),
                regex: Some("x.*".into()),
                rebalance_timeout: Duration::from_secs(300),
                assignor: Some("uniform".into()),
                classic,
            };
            assert_eq!(MemberValue::decode(&value.encode()), Ok(value));
        }
    }

    #[test]
    fn assignments_and_epochs_come_back() {
        assert_eq!(
            decode_target(&encode_target(&partitions())),
            Ok(partitions())
        );
        assert_eq!(decode_target_epoch(&encode_target_epoch(8)), Ok(8));
        let epoch = EpochValue {
            epoch: 3,
            metadata_hash: -77,
        };
        assert_eq!(EpochValue::decode(&epoch.encode()), Ok(epoch));
        let regex = RegexValue {
            topics: BTreeSet::from(["a".to_owned()]),
            version: 4,
            resolved_at: TimestampMs(5),
        };
        assert_eq!(RegexValue::decode(&regex.encode()), Ok(regex));
        for state in [
            MemberState::Stable,
            MemberState::UnrevokedPartitions,
            MemberState::UnreleasedPartitions,
        ] {
            let current = CurrentValue {
                epoch: 5,
                previous_epoch: 4,
                state,
                assigned: partitions(),
                revoking: Partitions::new(),
            };
            assert_eq!(CurrentValue::decode(&current.encode()), Ok(current));
        }
    }

    #[test]
    fn an_undefined_state_is_refused() {
        let mut raw = CurrentValue::default().encode().to_vec();
        raw[10] = 9;
        let error = CurrentValue::decode(&raw).unwrap_err().to_string();
        assert_eq!(error, "member state is 9, which the schema does not define");
    }
}
