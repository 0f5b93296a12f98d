//! Holding back replicas that catch up (KIP-73), so that a reassignment leaves
//! room for those who produce and consume.
//!
//! Topics list the replicas that are held back, for the leader's side and for
//! the follower's; brokers say to how many bytes a second, all of them together.
//! A replica in sync is never held back: it would fall out of sync. Bytes are
//! counted as they are sent or taken, and paid off at the given rate; who owes
//! more than a second's worth waits. So the rate holds on average, however long
//! it takes until the next fetch.

use crate::broker::Broker;
use crate::config::elements;
use crate::partition::Partition;
use parking_lot::Mutex;
use plimsoll_cluster::Image;
use plimsoll_wire::time::Instant;
use plimsoll_wire::types::{NodeId, PartitionIndex};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// For how long at the given rate may be owed.
const CREDIT: Duration = Duration::from_secs(1);

/// One side's bytes.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// When all that was counted will have been paid off.
    paid_at: Mutex<Instant>,
}

impl Throttle {
    /// Whether more has to wait.
    pub(crate) fn is_exceeded(&self, now: Instant) -> bool {
        self.paid_at.lock().since(now) > CREDIT
    }

    /// Counts bytes, to be paid off at `rate` bytes a second.
    pub(crate) fn count(&self, bytes: u64, rate: u64, now: Instant) {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
        let due = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut paid_at = self.paid_at.lock();
        *paid_at = (*paid_at).max(now).after(due);
    }
}

/// What holds this node's followers back.
pub(super) struct Brake<'a> {
    broker: &'a Broker,
    image: Arc<Image>,
    rate: u64,
    /// Whether more has to wait.
    exceeded: bool,
}

impl Broker {
    /// What holds this node's followers back, when there is a limit.
    pub(super) fn brake(&self, now: Instant) -> Option<Brake<'_>> {
        let rate = self.limits().cluster.follower_throttle?;
        Some(Brake {
            broker: self,
            image: self.image(),
            rate,
            exceeded: self.taken_throttle.is_exceeded(now),
        })
    }
}

impl Brake<'_> {
    /// Whether a partition must not be fetched now.
    pub(super) fn holds(&self, partition: &Partition) -> bool {
        self.exceeded && self.concerns(partition)
    }

    /// Counts what was taken of a partition.
    pub(super) fn count(&self, partition: &Partition, bytes: usize, now: Instant) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if bytes > 0 && self.concerns(partition) {
            self.broker.taken_throttle.count(bytes, self.rate, now);
        }
    }

    /// Whether a topic lists this node's replica, and that catches up.
    fn concerns(&self, partition: &Partition) -> bool {
        let (me, catalog) = (self.broker.node(), self.broker.catalog());
        let is_listed = catalog.topic(&partition.topic).is_some_and(|topic| {
            let settings = topic.settings.load();
            settings.follower_throttled.has(partition.index, me)
        });
        let known = self.image.topic_by_id(partition.topic_id);
        let known = known.and_then(|topic| topic.partitions.get(&partition.index));
        is_listed && known.is_none_or(|state| !state.isr.contains(&me))
    }
}

/// The replicas of a topic that are held back, by
/// `leader.replication.throttled.replicas` or the follower's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Throttled {
    /// None.
    #[default]
    Nobody,
    /// All, written `*`.
    All,
    /// These, written `PARTITION:BROKER,…`.
    Listed(BTreeSet<(PartitionIndex, NodeId)>),
}

impl Throttled {
    /// Reads a value that [`Throttled::accepts`]; what is none is left out.
    pub(crate) fn read(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::All;
        }
        let listed: BTreeSet<_> = elements(text).filter_map(entry).collect();
        match listed.is_empty() {
            true => Self::Nobody,
            false => Self::Listed(listed),
        }
    }

    /// Whether a replica is held back.
    pub(crate) fn has(&self, partition: PartitionIndex, node: NodeId) -> bool {
        match self {
            Self::Nobody => false,
            Self::All => true,
            Self::Listed(listed) => listed.contains(&(partition, node)),
        }
    }
}

/// Whether a topic may list its throttled replicas so.
pub(crate) fn accepts(text: &str) -> bool {
    text.trim() == "*" || elements(text).all(|element| entry(element).is_some())
}

fn entry(element: &str) -> Option<(PartitionIndex, NodeId)> {
    let (partition, node) = element.split_once(':')?;
    let number = |text: &str| text.trim().parse::<i32>().ok().filter(|n| *n >= 0);
    Some((PartitionIndex(number(partition)?), NodeId(number(node)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_on_average_however_far_fetches_are_apart() {
        let check = |rate: u64, chunk: u64, gap_ms: u64| {
            let throttle = Throttle::default();
            let (mut now, mut sent) = (Instant(Duration::ZERO), 0);
            let end = Duration::from_secs(100);
            while now.0 < end {
                if throttle.is_exceeded(now) {
                    now = now.after(Duration::from_millis(gap_ms));
                    continue;
                }
                throttle.count(chunk, rate, now);
                sent += chunk;
            }
            let expected = 100.0 * rate as f64;
            let off = (sent as f64 - expected) / expected;
            assert!(off.abs() < 0.05, "{rate} {chunk} {gap_ms}: off by {off}");
        };
        check(10_000_000, 1 << 20, 500);
        check(10_000_000, 1 << 20, 1);
        check(2_000_000, 64 << 10, 100);
        check(1 << 20, 1 << 20, 500);
    }

    #[test]
    fn replicas_are_listed_by_partition_and_broker() {
        let check = |text: &str, held: &[(i32, i32)], free: &[(i32, i32)]| {
            assert!(accepts(text), "{text}");
            let throttled = Throttled::read(text);
            let has = |(p, n): &(i32, i32)| throttled.has(PartitionIndex(*p), NodeId(*n));
            assert!(held.iter().all(has), "{text}");
            assert!(!free.iter().any(has), "{text}");
        };
        check("", &[], &[(0, 1)]);
        check("*", &[(0, 1), (9, 9)], &[]);
        check("0:1, 3:2", &[(0, 1), (3, 2)], &[(0, 2), (1, 0)]);
        for wrong in ["0", "0:x", "a:1", "-1:2", "0:1,*"] {
            assert!(!accepts(wrong), "{wrong}");
        }
    }
}
