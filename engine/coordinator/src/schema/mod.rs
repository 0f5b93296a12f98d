//! The records of `__consumer_offsets` and `__transaction_state`, in Kafka's
//! own documented schemas, so that Kafka's tools read what this engine writes
//! and the other way round.
//!
//! A record is its key, whose leading version says which kind it is, and its
//! value, absent in a tombstone.

pub(crate) mod bytes;
mod classic;
mod consumer;
mod offset;
mod transaction;

pub use self::bytes::SchemaError;
pub use classic::{ClassicMemberValue, ClassicValue};
pub use consumer::{
    ClassicMetadata, CurrentValue, EpochValue, MemberState, MemberValue, Partitions, RegexValue,
};
pub use offset::{OffsetKey, OffsetValue};
pub use transaction::{TransactionRecord, TransactionState, TransactionValue};

use self::bytes::{Reader, Writer};
use crate::names::{GroupId, MemberId};
use ::bytes::Bytes;

/// A record of `__consumer_offsets`; `None` for a value is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRecord {
    /// A committed offset.
    Offset(OffsetKey, Option<OffsetValue>),
    /// A group of the classic protocol.
    Classic(GroupId, Option<ClassicValue>),
    /// The epoch of a group of the consumer protocol.
    Epoch(GroupId, Option<EpochValue>),
    /// Topics as an older Kafka saw them; superseded by the epoch's hash.
    Topics(GroupId),
    /// A member of such a group.
    Member(GroupId, MemberId, Option<MemberValue>),
    /// The epoch of the group's target assignment.
    TargetEpoch(GroupId, Option<i32>),
    /// What a member should own.
    Target(GroupId, MemberId, Option<Partitions>),
    /// What a member owns.
    Current(GroupId, MemberId, Option<CurrentValue>),
    /// What a regular expression matched.
    Regex(GroupId, String, Option<RegexValue>),
    /// A record of a kind this engine does not keep (share or streams groups).
    Unknown,
}

const EPOCH: i16 = 3;
const TOPICS: i16 = 4;
const MEMBER: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET: i16 = 7;
const CURRENT: i16 = 8;
const REGEX: i16 = 16;

fn pair_key(version: i16, group: &GroupId, second: &str) -> Bytes {
    let mut out = Writer::version(version, false);
    out.str(group.as_str());
    out.str(second);
    out.finish()
}

impl GroupRecord {
    /// The record's key, as bytes.
    ///
    /// # Panics
    /// On [`GroupRecord::Unknown`], which is only ever read.
    pub fn key(&self) -> Bytes {
        match self {
            Self::Offset(key, _) => key.encode(),
            Self::Classic(group, _) => classic::encode_key(classic::GROUP_KEY, group),
            Self::Epoch(group, _) => classic::encode_key(EPOCH, group),
            Self::Topics(group) => classic::encode_key(TOPICS, group),
            Self::Member(group, member, _) => pair_key(MEMBER, group, member.as_str()),
            Self::TargetEpoch(group, _) => classic::encode_key(TARGET_EPOCH, group),
            Self::Target(group, member, _) => pair_key(TARGET, group, member.as_str()),
            Self::Current(group, member, _) => pair_key(CURRENT, group, member.as_str()),
            Self::Regex(group, regex, _) => pair_key(REGEX, group, regex),
            Self::Unknown => unreachable!("a record of an unknown kind is never written"),
        }
    }

    /// The record's value, as bytes; `None` for a tombstone.
    pub fn value(&self) -> Option<Bytes> {
        match self {
            Self::Offset(_, value) => value.as_ref().map(OffsetValue::encode),
            Self::Classic(_, value) => value.as_ref().map(ClassicValue::encode),
            Self::Epoch(_, value) => value.map(EpochValue::encode),
            Self::Topics(_) | Self::Unknown => None,
            Self::Member(_, _, value) => value.as_ref().map(MemberValue::encode),
            Self::TargetEpoch(_, value) => value.map(consumer::encode_target_epoch),
            Self::Target(_, _, value) => value.as_ref().map(consumer::encode_target),
            Self::Current(_, _, value) => value.as_ref().map(CurrentValue::encode),
            Self::Regex(_, _, value) => value.as_ref().map(RegexValue::encode),
        }
    }

    /// The group of a record of the consumer protocol, and whether the record
    /// is a tombstone.
    pub(crate) fn consumer_group(&self) -> Option<(GroupId, bool)> {
        let (group, is_tombstone) = match self {
            Self::Epoch(group, value) => (group, value.is_none()),
            Self::Member(group, _, value) => (group, value.is_none()),
            Self::TargetEpoch(group, value) => (group, value.is_none()),
            Self::Target(group, _, value) => (group, value.is_none()),
            Self::Current(group, _, value) => (group, value.is_none()),
            Self::Regex(group, _, value) => (group, value.is_none()),
            Self::Offset(..) | Self::Classic(..) | Self::Topics(_) | Self::Unknown => return None,
        };
        Some((group.clone(), is_tombstone))
    }

    /// Reads a record back.
    ///
    /// # Errors
    /// When the bytes are not what the key's version promises.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self, SchemaError> {
        let mut input = Reader::new(key);
        let version = input.i16("key version")?;
        Ok(match version {
            0 | OffsetKey::VERSION => Self::Offset(
                OffsetKey::decode(&mut input)?,
                value.map(OffsetValue::decode).transpose()?,
            ),
            classic::GROUP_KEY => Self::Classic(
                input.str("group")?.into(),
                value.map(ClassicValue::decode).transpose()?,
            ),
            EPOCH => Self::Epoch(
                input.str("group")?.into(),
                value.map(EpochValue::decode).transpose()?,
            ),
            TOPICS => Self::Topics(input.str("group")?.into()),
            MEMBER => Self::Member(
                input.str("group")?.into(),
                input.str("member")?.into(),
                value.map(MemberValue::decode).transpose()?,
            ),
            TARGET_EPOCH => Self::TargetEpoch(
                input.str("group")?.into(),
                value.map(consumer::decode_target_epoch).transpose()?,
            ),
            TARGET => Self::Target(
                input.str("group")?.into(),
                input.str("member")?.into(),
                value.map(consumer::decode_target).transpose()?,
            ),
            CURRENT => Self::Current(
                input.str("group")?.into(),
                input.str("member")?.into(),
                value.map(CurrentValue::decode).transpose()?,
            ),
            REGEX => Self::Regex(
                input.str("group")?.into(),
                input.str("regex")?.to_owned(),
                value.map(RegexValue::decode).transpose()?,
            ),
            _ => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex, TimestampMs};
    use proptest::prelude::*;

    fn samples() -> Vec<GroupRecord> {
        let group = || GroupId::from("g");
        let key = OffsetKey {
            group: group(),
            topic: "t".into(),
            partition: PartitionIndex(3),
        };
        let offset = OffsetValue {
            offset: Offset(5),
            leader_epoch: LeaderEpoch(1),
            metadata: "m".into(),
            committed_at: TimestampMs(7),
            expires_at: None,
            topic_id: crate::names::TopicId::nil(),
        };
        let epoch = EpochValue {
            epoch: 2,
            metadata_hash: 99,
        };
        vec![
            GroupRecord::Offset(key.clone(), Some(offset)),
            GroupRecord::Offset(key, None),
            GroupRecord::Classic(group(), None),
            GroupRecord::Epoch(group(), Some(epoch)),
            GroupRecord::Topics(group()),
            GroupRecord::Member(group(), "m".into(), None),
            GroupRecord::TargetEpoch(group(), Some(4)),
            GroupRecord::Target(group(), "m".into(), Some(Partitions::new())),
            GroupRecord::Current(group(), "m".into(), Some(CurrentValue::default())),
            GroupRecord::Regex(group(), "a.*".into(), None),
        ]
    }

    #[test]
    fn every_kind_of_record_comes_back_as_it_went() {
        for record in samples() {
            let value = record.value();
            let read = GroupRecord::decode(&record.key(), value.as_deref());
            assert_eq!(read, Ok(record));
        }
    }

    #[test]
    fn keys_of_share_and_streams_groups_are_passed_over() {
        for version in [9i16, 15, 17, 22, 100] {
            let read = GroupRecord::decode(&version.to_be_bytes(), Some(b"anything"));
            assert_eq!(read, Ok(GroupRecord::Unknown), "key version {version}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn damaged_bytes_never_panic(
            which in 0usize..10,
            at in 0usize..64,
            flip in 1u8..,
            cut in 0usize..64,
        ) {
            let record = samples().swap_remove(which);
            let damage = |raw: Bytes| {
                let mut raw = raw.to_vec();
                if let Some(byte) = raw.get_mut(at) {
                    *byte ^= flip;
                }
                raw.truncate(raw.len().saturating_sub(cut % 8));
                raw
            };
            let (key, value) = (record.key(), record.value());
            let _ = GroupRecord::decode(&damage(key.clone()), value.as_deref());
            let _ = GroupRecord::decode(&key, value.map(damage).as_deref());
        }
    }
}
