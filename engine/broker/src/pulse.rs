//! The cluster's regular work: the quorum's time, membership, and what the
//! active controller does in time. It is short and never waits for a partition's
//! disk, so that a node is not taken for dead while its disk is slow.

use crate::broker::Broker;
use crate::startup::QUORUM_TICK;
use plimsoll_wire::time::{Instant, Now};
use std::time::Duration;

/// The most ticks that are made up for after a pause: a node that was stopped
/// for long must hear of the others before it thinks that they are gone.
const TICKS_AT_ONCE: u32 = 2;

impl Broker {
    /// Does the cluster's work that is due. Answers when something is due next.
    /// It is separate from [`Broker::tick`], which may wait for the disk.
    pub fn pulse(&self, now: Now) -> Instant {
        if self.is_alone() {
            return Instant(Duration::MAX);
        }
        let next_tick = match self.observes() {
            true => self.keep_observing(now),
            false => self.tick_quorum(now),
        };
        let cluster = self.keep_cluster(now);
        let membership = self.keep_membership(now);
        let replicas = self.keep_replicas(now);
        next_tick.min(cluster).min(membership).min(replicas)
    }

    fn tick_quorum(&self, now: Now) -> Instant {
        let ticks = {
            let mut last = self.ticked.lock();
            let passed = now.mono.since(*last);
            let ticks = passed.as_millis() / QUORUM_TICK.as_millis();
            let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
            if ticks > TICKS_AT_ONCE {
                *last = now.mono;
            } else {
                *last = last.after(QUORUM_TICK * ticks);
            }
            ticks.min(TICKS_AT_ONCE)
        };
        for _ in 0..ticks {
            self.drive_quorum(now, |quorum| quorum.tick(now));
        }
        self.ticked.lock().after(QUORUM_TICK)
    }
}
