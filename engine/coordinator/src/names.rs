//! The texts by which groups, members and topics are known, each in a type of
//! its own, cheap to clone.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether the text is empty.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::from("")
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// The name of a consumer group.
    GroupId
}
text! {
    /// The identity of one member of a group; empty when it has none yet.
    MemberId
}
text! {
    /// The identity that a static member keeps over restarts. See KIP-345.
    InstanceId
}
text! {
    /// The name of a topic.
    TopicName
}
text! {
    /// The identity that a transactional producer keeps over restarts.
    TransactionalId
}

/// Kafka's key for topics that outlives renames; nil when unknown.
pub type TopicId = Uuid;

/// Draws identities from a seeded sequence (SplitMix64), so that a replay of
/// the same commands draws the same ones.
#[derive(Clone, Debug)]
pub struct IdSource(u64);

impl IdSource {
    /// A sequence of its own for each seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Sixty-four bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A random (version 4) UUID.
    pub(crate) const fn uuid(&mut self) -> Uuid {
        let (high, low) = (self.bits(), self.bits());
        let both = ((high as u128) << 64) | low as u128;
        uuid::Builder::from_random_bytes(both.to_be_bytes()).into_uuid()
    }

    /// A member id as Kafka makes it: the instance or client id, then a UUID.
    pub(crate) fn member_id(&mut self, prefix: &str) -> MemberId {
        MemberId::from(format!("{prefix}-{}", self.uuid()))
    }
}

/// Which of `partitions` partitions of an internal topic holds `key`: Java's
/// `String.hashCode`, made positive, modulo the count.
pub fn partition_for(key: &str, partitions: i32) -> i32 {
    let hash = key.encode_utf16().fold(0i32, |h, unit| {
        h.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    (hash & i32::MAX) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_hashes_to_the_partition_java_gives_it() {
        let check =
            |key: &str, expected: i32| assert_eq!(partition_for(key, 50), expected, "{key}");
        check("", 0);
        check("a", 47);
        check("console-consumer-1", 24);
        check("ünïcode-😀", 30);
    }

    #[test]
    fn equal_seeds_draw_equal_ids_and_no_id_twice() {
        let (mut a, mut b) = (IdSource::new(7), IdSource::new(7));
        let first = a.member_id("c");
        assert_eq!(first, b.member_id("c"));
        assert_ne!(first, a.member_id("c"));
        assert_eq!(first.as_str().len(), "c-".len() + 36);
    }
}
