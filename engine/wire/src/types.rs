//! The numbers of Kafka's protocol, each in a type of its own.
//!
//! A raw integer from the wire becomes one of these at the codec and stays one
//! until it is encoded again, so that an offset can never be passed for an
//! epoch or a timestamp.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// The raw number, for the codec.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$inner> for $name {
            fn from(raw: $inner) -> Self {
                Self(raw)
            }
        }
    };
}

number! {
    /// The position of a record in its partition's log, counted from 0.
    Offset(i64)
}
number! {
    /// The term of a partition leader; −1 when unknown. See KIP-101.
    LeaderEpoch(i32)
}
number! {
    /// Which node of the cluster; −1 when none.
    NodeId(i32)
}
number! {
    /// The incarnation of a broker process, from its registration.
    BrokerEpoch(i64)
}
number! {
    /// A partition's number within its topic.
    PartitionIndex(i32)
}
number! {
    /// An idempotent producer's identity; −1 when the producer has none.
    ProducerId(i64)
}
number! {
    /// The incarnation of a producer id; −1 when the producer has none.
    ProducerEpoch(i16)
}
number! {
    /// An idempotent producer's record counter within one partition; −1 when
    /// it has none. It wraps from `i32::MAX` to 0.
    Sequence(i32)
}
number! {
    /// Milliseconds since the Unix epoch; −1 when a record has no timestamp.
    TimestampMs(i64)
}

impl Offset {
    /// The offset `count` records further on. Saturates: a log never gets there.
    #[must_use]
    pub const fn plus(self, count: i64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl LeaderEpoch {
    /// No epoch is known.
    pub const NONE: Self = Self(-1);
}

impl NodeId {
    /// No node.
    pub const NONE: Self = Self(-1);
}

impl ProducerId {
    /// The producer is not idempotent.
    pub const NONE: Self = Self(-1);

    /// Whether a producer id is present.
    pub const fn is_some(self) -> bool {
        self.0 >= 0
    }
}

impl ProducerEpoch {
    /// The producer is not idempotent.
    pub const NONE: Self = Self(-1);
}

impl Sequence {
    /// The record carries no sequence.
    pub const NONE: Self = Self(-1);

    /// The sequence `count` records further on, wrapping past `i32::MAX` to 0.
    #[must_use]
    pub const fn plus(self, count: i32) -> Self {
        let sum = self.0 as i64 + count as i64;
        Self((sum % (i32::MAX as i64 + 1)) as i32)
    }
}

impl TimestampMs {
    /// The record has no timestamp.
    pub const NONE: Self = Self(-1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_wraps_to_zero_after_the_largest_integer() {
        let check = |from: i32, count: i32, expected: i32| {
            assert_eq!(
                Sequence(from).plus(count),
                Sequence(expected),
                "{from} + {count}"
            );
        };
        check(0, 1, 1);
        check(i32::MAX, 1, 0);
        check(i32::MAX - 1, 3, 1);
        check(i32::MAX, i32::MAX, i32::MAX - 1);
    }

    #[test]
    fn numbers_show_their_type_when_debugged_and_only_their_value_when_displayed() {
        assert_eq!(format!("{:?} {}", Offset(7), Offset(7)), "Offset(7) 7");
    }
}
