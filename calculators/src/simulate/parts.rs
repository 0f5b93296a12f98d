//! What the model is made of: batches, those who fetch them, and brokers.

use super::failure::Aftermath;
use super::queue::{Nanos, Queue};
use plimsoll_results::Histogram;
use std::collections::VecDeque;

/// What one seed found.
pub(super) struct Run {
    pub(super) steady: Phase,
    pub(super) after: Option<Aftermath>,
}

/// What a stretch of time looked like.
#[derive(Default)]
pub(super) struct Phase {
    pub(super) response: Histogram,
    pub(super) end_to_end: Histogram,
    /// Acknowledged batches a second, over those offered.
    pub(super) kept_up: f64,
    /// The busiest broker's use of its CPU, disk, network in and out.
    pub(super) busy: [f64; 4],
    pub(super) simulated: Nanos,
}

/// Where a batch or a fetch stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A producer sends the next batch.
    Send,
    /// A request is ripe and its producer runs.
    Ripe(u32),
    /// A request has reached its leader, its CPU, its disk; is in the log.
    Arrived(u32),
    Received(u32),
    Checked(u32),
    Appended(u32),
    /// A puller's parked fetch has been called; has passed the leader's CPU and
    /// network, the receiver's network, CPU and disk; its next fetch is back at
    /// the leader, and has been looked at.
    Called(u32),
    Read(u32),
    Sent(u32),
    Landed(u32),
    Got(u32),
    Taken(u32),
    Stored(u32),
    Back(u32),
    Heard(u32),
    /// A group's consumer is done with a batch.
    Consumed(u32),
}

/// A producer's request on its way.
pub(super) struct Request {
    /// One of its partitions, all of which have the same leader.
    pub(super) partition: u32,
    pub(super) bytes: f64,
    /// Its batches, until they are in the log.
    pub(super) batches: Vec<u32>,
    /// When a record of each was created, and how many it has: a batch may be gone
    /// before the last of its request is committed.
    pub(super) marks: Vec<(Nanos, f64)>,
    /// Batches that are not committed yet.
    pub(super) left: u32,
    pub(super) measured: bool,
    pub(super) backlog: bool,
}

/// One batch on its way.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    pub(super) partition: u32,
    pub(super) created: Nanos,
    pub(super) bytes: f64,
    pub(super) records: f64,
    /// Followers and groups that have not taken it yet.
    pub(super) waits: u16,
    pub(super) measured: bool,
    /// The request that brought it.
    pub(super) request: u32,
}

/// A batch that has waited for its leader.
pub(super) struct Waited {
    pub(super) partition: u32,
    pub(super) created: Nanos,
    pub(super) records: f64,
}

/// Who fetches from a leader: a follower, or a group.
pub(super) struct Puller {
    pub(super) leader: u32,
    /// The follower's broker; none for a group.
    pub(super) follower: Option<u32>,
    pub(super) waiting: VecDeque<u32>,
    pub(super) flying: Vec<u32>,
    pub(super) busy: bool,
}

pub(super) struct Broker {
    pub(super) disk: Queue,
    pub(super) link_in: Queue,
    pub(super) link_out: Queue,
}

impl Broker {
    pub(super) fn new() -> Self {
        Self {
            disk: Queue::new(1),
            link_in: Queue::new(1),
            link_out: Queue::new(1),
        }
    }
}

impl Puller {
    pub(super) const fn new(leader: u32, follower: Option<u32>) -> Self {
        Self {
            leader,
            follower,
            waiting: VecDeque::new(),
            flying: Vec::new(),
            busy: false,
        }
    }
}
