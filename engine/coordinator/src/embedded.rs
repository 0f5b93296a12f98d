//! Consumers' metadata inside the classic protocol: subscriptions and
//! assignments that a coordinator mostly passes through, and reads when a
//! group changes its protocol or its offsets expire.
//!
//! Source: ConsumerProtocolSubscription (versions 0 to 3) and
//! ConsumerProtocolAssignment. Newer versions only add fields at the end.

use crate::schema::bytes::{Reader, SchemaError, Writer};
use bytes::Bytes;
use plimsoll_wire::types::PartitionIndex;
use std::collections::{BTreeMap, BTreeSet};

/// Partitions by topic name.
pub(crate) type NamedPartitions = BTreeMap<String, BTreeSet<PartitionIndex>>;

/// What a consumer says when it joins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) version: i16,
    pub(crate) topics: BTreeSet<String>,
    /// What it still owns; nothing for eager consumers.
    pub(crate) owned: NamedPartitions,
    pub(crate) rack: Option<String>,
}

fn partitions(input: &mut Reader<'_>) -> Result<NamedPartitions, SchemaError> {
    let topics = input.array("topics", |r| {
        let topic = r.str("topic")?.to_owned();
        let indexes = r.array("partitions", |r| r.i32("partition").map(PartitionIndex))?;
        Ok((topic, indexes.into_iter().collect()))
    })?;
    Ok(topics.into_iter().collect())
}

impl Subscription {
    pub(crate) fn decode(metadata: &[u8]) -> Result<Self, SchemaError> {
        let mut input = Reader::new(metadata);
        let version = input.version("consumer subscription", i16::MAX)?;
        let topics = input.array("topics", |r| r.str("topic").map(str::to_owned))?;
        let mut subscription = Self {
            version,
            topics: topics.into_iter().collect(),
            ..Self::default()
        };
        input.opt_bytes("user data")?;
        if version >= 1 {
            subscription.owned = partitions(&mut input)?;
        }
        if version >= 2 {
            input.i32("generation")?;
        }
        if version >= 3 {
            subscription.rack = input.opt_str("rack")?.map(str::to_owned);
        }
        Ok(subscription)
    }
}

/// The topics of a subscription, or `None` when it cannot be read.
pub(crate) fn subscribed_topics(metadata: &[u8]) -> Option<BTreeSet<String>> {
    Subscription::decode(metadata).ok().map(|s| s.topics)
}

/// What an assignment assigns; nothing when there is none.
pub(crate) fn decode_assignment(raw: &[u8]) -> Result<NamedPartitions, SchemaError> {
    if raw.is_empty() {
        return Ok(NamedPartitions::new());
    }
    let mut input = Reader::new(raw);
    input.version("consumer assignment", i16::MAX)?;
    partitions(&mut input)
}

/// An assignment for a consumer that speaks `version`.
pub(crate) fn encode_assignment(version: i16, assignment: &NamedPartitions) -> Bytes {
    let mut out = Writer::version(version, false);
    out.array(assignment.iter(), |out, (topic, indexes)| {
        out.str(topic);
        out.array(indexes.iter(), |out, index| out.i32(index.get()));
    });
    out.null_array();
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_damage_is_not() {
        let check = |raw: &[u8], expected: Option<&[&str]>| {
            let topics = subscribed_topics(raw);
            let topics = topics
                .as_ref()
                .map(|t| t.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(topics.as_deref(), expected, "{raw:?}");
        };
        check(
            b"\0\0\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff",
            Some(&["a", "bc"]),
        );
        check(b"\0\x01\0\0\0\0\xff\xff\xff\xff\0\0\0\0", Some(&[]));
        check(b"\0\0\0\0\0\x01\0\x05ab", None);
        check(b"\xff\xff", None);
        check(b"", None);
    }

    #[test]
    fn owned_partitions_and_rack_are_read() {
        let raw = b"\0\x03\0\0\0\x01\0\x01a\0\0\0\x01x\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x07\0\0\0\x05\0\x02r1";
        let subscription = Subscription::decode(raw).unwrap();
        let owned = BTreeMap::from([("a".to_owned(), BTreeSet::from([PartitionIndex(7)]))]);
        assert_eq!(subscription.owned, owned);
        assert_eq!(subscription.rack.as_deref(), Some("r1"));
    }

    #[test]
    fn an_assignment_comes_back_as_it_went() {
        let assignment = NamedPartitions::from([("t".into(), BTreeSet::from([PartitionIndex(3)]))]);
        let raw = encode_assignment(1, &assignment);
        assert_eq!(decode_assignment(&raw), Ok(assignment));
        assert_eq!(decode_assignment(b""), Ok(NamedPartitions::new()));
    }
}
