//! The way of a batch and of a fetch, step by step.

use super::World;
use crate::simulate::parts::{Batch, Step};
use crate::simulate::queue::Nanos;
use rand::Rng as _;

/// Threads of a follower that hand its next fetch on.
const HAND_OVERS: u32 = 2;
/// The part of a fetch's CPU time that is spent when it comes; the rest, when it
/// is answered.
const ARRIVAL: f64 = 0.5;

impl World<'_> {
    /// What has come about at this moment, and what follows.
    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Send => self.send(),
            Step::Ripe(id) => {
                let (leader, bytes) = (self.leader_of(id), self.batch(id).bytes);
                let done = self.client(leader, bytes);
                let way = self.shape.half_trip + self.call();
                self.schedule(done + way, Step::Arrived(id));
            }
            Step::Arrived(id) => {
                let (leader, bytes) = (self.leader_of(id), self.batch(id).bytes);
                let done = self.link(leader, bytes, true);
                self.schedule(done, Step::Received(id));
            }
            Step::Received(id) => {
                let (leader, bytes) = (self.leader_of(id), self.batch(id).bytes);
                let done = self.cpu(leader, self.shape.request + bytes * self.shape.cpu_per_byte);
                self.schedule(done, Step::Checked(id));
            }
            Step::Checked(id) => {
                let (leader, bytes) = (self.leader_of(id), self.batch(id).bytes);
                let done = self.disk(leader, bytes);
                self.schedule(done, Step::Appended(id));
            }
            Step::Appended(id) => self.appended(id),
            Step::Called(at) => self.fetch(at),
            Step::Read(at) => {
                let (leader, bytes) = (self.puller(at).leader, self.flying_bytes(at));
                let done = self.link(leader, bytes, false);
                self.schedule(done, Step::Sent(at));
            }
            Step::Sent(at) => {
                let way = self.shape.half_trip + self.call();
                self.after(way, Step::Landed(at));
            }
            Step::Landed(at) => self.landed(at),
            Step::Got(at) => {
                let work = self.shape.follow + self.flying_bytes(at) * self.shape.cpu_per_byte;
                let follower = self.puller(at).follower;
                let done = follower.map(|broker| self.cpu(broker, work));
                self.schedule(done.unwrap_or(self.now), Step::Taken(at));
            }
            Step::Taken(at) => {
                let bytes = self.flying_bytes(at);
                let done = self
                    .puller(at)
                    .follower
                    .map(|broker| self.disk(broker, bytes));
                self.schedule(done.unwrap_or(self.now), Step::Stored(at));
            }
            Step::Stored(at) => {
                // A follower hands its next fetch over, to be sent and to be written.
                let hands = if self.puller(at).follower.is_some() {
                    HAND_OVERS
                } else {
                    0
                };
                let handed: Nanos = (0..=hands).map(|_| self.call()).sum();
                self.after(self.shape.half_trip + handed, Step::Back(at));
            }
            Step::Back(at) => {
                let done = self.cpu(self.puller(at).leader, self.shape.request * ARRIVAL);
                self.schedule(done, Step::Heard(at));
            }
            Step::Heard(at) => self.back(at),
            Step::Consumed(at) => {
                let flown = std::mem::take(&mut self.puller_mut(at).flying);
                for id in flown {
                    self.consumed(id);
                }
                let way = self.shape.half_trip + self.call();
                self.after(way, Step::Back(at));
            }
        }
    }

    /// A new batch for a partition at random; the next follows after a random
    /// gap, so that arrivals are Poisson.
    fn send(&mut self) {
        self.to_send -= 1;
        self.offered += 1;
        let partition = self.rng.random_range(0..self.shape.partitions);
        // One of the batch's records, by chance. The first waits for all the rest,
        // the others came at any time in between.
        let is_first = self.rng.random::<f64>() * self.shape.records < 1.0;
        let waited = match is_first {
            true => self.shape.filling,
            false => self.shape.filling * self.rng.random::<f64>(),
        };
        let batch = Batch {
            partition,
            created: self.now.saturating_sub(waited as Nanos),
            bytes: self.shape.bytes,
            records: self.shape.records,
            waits: 0,
            measured: self.measuring,
            backlog: false,
        };
        let id = self.store(batch);
        let timer = self.call();
        self.after(timer, Step::Ripe(id));
        if self.to_send > 0 {
            self.send_next();
        }
    }

    /// In the leader's log: followers may have it, and with acks=1 the producer
    /// and consumers too.
    fn appended(&mut self, id: u32) {
        let partition = self.batch(id).partition;
        let leader = self.leader_of(id);
        let followers: Vec<u32> = (0..self.shape.replication)
            .map(|copy| self.shape.replica(partition, copy))
            .filter(|broker| *broker != leader && Some(*broker) != self.lost)
            .collect();
        self.batch_mut(id).waits = followers.len() as u16;
        if !self.shape.acks_all {
            self.acknowledge(id);
        }
        if followers.is_empty() {
            self.committed(id);
        }
        for follower in followers {
            let at = leader * self.shape.brokers + follower;
            self.offer(at, id);
        }
    }

    /// On every replica in sync: below the high watermark.
    fn committed(&mut self, id: u32) {
        if self.shape.acks_all {
            self.acknowledge(id);
        }
        let leader = self.leader_of(id);
        self.batch_mut(id).waits = self.shape.groups as u16;
        if self.shape.groups == 0 {
            self.free.push(id);
        }
        for group in 0..self.shape.groups {
            let groups_from = self.shape.brokers * self.shape.brokers;
            self.offer(groups_from + leader * self.shape.groups + group, id);
        }
    }

    fn acknowledge(&mut self, id: u32) {
        let batch = *self.batch(id);
        // The request that waits is called, then the producer.
        let woken = match self.shape.acks_all {
            true => self.call() + self.call(),
            false => self.call(),
        };
        let latency = self.now + self.shape.half_trip + woken - batch.created;
        self.acknowledged += 1;
        if batch.backlog {
            self.backlog_left -= 1;
        }
        if batch.measured && self.measuring {
            let records = batch.records.round().max(1.0) as u64;
            self.phase.response.record_ns_times(latency as i64, records);
        }
    }

    /// A puller may have this batch: a fetch that is parked at the leader takes
    /// it at once, one that is on its way the next time.
    fn offer(&mut self, at: u32, id: u32) {
        let puller = self.puller_mut(at);
        puller.waiting.push(id);
        if !puller.busy {
            puller.busy = true;
            let called = self.call();
            self.after(called, Step::Called(at));
        }
    }

    fn fetch(&mut self, at: u32) {
        let puller = self.puller_mut(at);
        puller.flying = std::mem::take(&mut puller.waiting);
        let leader = puller.leader;
        let done = self.cpu(leader, self.shape.request * (1.0 - ARRIVAL));
        self.schedule(done, Step::Read(at));
    }

    /// At the receiver: a follower appends it, a group has it.
    fn landed(&mut self, at: u32) {
        let bytes = self.flying_bytes(at);
        match self.puller(at).follower {
            Some(broker) => {
                let received = self.link(broker, bytes, true);
                self.schedule(received, Step::Got(at));
            }
            None => {
                let done = self.client(self.puller(at).leader, bytes);
                self.schedule(done, Step::Consumed(at));
            }
        }
    }

    fn consumed(&mut self, id: u32) {
        let batch = self.batch(id);
        if batch.measured && self.measuring {
            let records = batch.records.round().max(1.0) as u64;
            let latency = self.now - batch.created;
            self.phase
                .end_to_end
                .record_ns_times(latency as i64, records);
        }
        self.taken(id);
    }

    /// The next fetch is at the leader and says what the last one brought.
    fn back(&mut self, at: u32) {
        let flown = std::mem::take(&mut self.puller_mut(at).flying);
        let follows = self.puller(at).follower.is_some();
        for id in flown.into_iter().filter(|_| follows) {
            let batch = self.batch_mut(id);
            batch.waits -= 1;
            if batch.waits == 0 {
                self.committed(id);
            }
        }
        match self.puller(at).waiting.is_empty() {
            true => self.puller_mut(at).busy = false,
            false => self.fetch(at),
        }
    }

    fn taken(&mut self, id: u32) {
        let batch = self.batch_mut(id);
        batch.waits -= 1;
        if batch.waits == 0 {
            self.free.push(id);
        }
    }
}
