//! The way of a batch and of a fetch, step by step.

use super::World;
use crate::simulate::parts::{Batch, Step};
use crate::simulate::queue::Nanos;
use rand::Rng as _;
use rand::seq::index;

/// Threads of a follower that hand its next fetch on.
const HAND_OVERS: u32 = 2;
/// Threads that are called on the way of a write that is replicated before it is
/// answered: the producer's timer, the leader, the parked fetch, the follower and
/// its two, the leader, the request that waits, the producer.
const CALLS_REPLICATED: u32 = 9;
/// Without replicas: the timer, the leader, the producer.
const CALLS_ALONE: u32 = 3;
/// Most bytes of a fetch's answer: `replica.fetch.response.max.bytes`.
const FETCH_BYTES: f64 = 10_485_760.0;
/// The part of a fetch's CPU time that is spent when it comes; the rest, when it
/// is answered.
const ARRIVAL: f64 = 0.5;

impl World<'_> {
    /// What has come about at this moment, and what follows.
    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Send => self.send(),
            Step::Ripe(id) => {
                let (leader, bytes) = self.requested(id);
                let done = self.client(leader, bytes);
                let way = self.shape.half_trip + self.call();
                self.schedule(done + way, Step::Arrived(id));
            }
            Step::Arrived(id) => {
                let (leader, bytes) = self.requested(id);
                let done = self.link(leader, bytes, true);
                self.schedule(done, Step::Received(id));
            }
            Step::Received(id) => {
                let (leader, bytes) = self.requested(id);
                let done = self.cpu(leader, self.shape.request + bytes * self.shape.cpu_per_byte);
                self.schedule(done, Step::Checked(id));
            }
            Step::Checked(id) => {
                let (leader, bytes) = self.requested(id);
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

    /// The leader and the bytes of a request.
    fn requested(&self, id: u32) -> (u32, f64) {
        let request = self.requests.of(id);
        (self.leader_of(request.partition), request.bytes)
    }

    /// A new request; the next follows after a random gap, so that arrivals are
    /// Poisson.
    fn send(&mut self) {
        let partitions = self.partitions();
        let count = partitions.len() as u32;
        self.to_send = self.to_send.saturating_sub(count);
        self.offered += u64::from(count);
        let batches: Vec<Batch> = partitions
            .into_iter()
            .map(|partition| Batch {
                partition,
                created: self.now.saturating_sub(self.waited()),
                bytes: self.shape.bytes,
                records: self.shape.records,
                waits: 0,
                measured: self.measuring,
                request: 0,
            })
            .collect();
        let id = self.request(&batches, false);
        let timer = self.call();
        self.after(timer, Step::Ripe(id));
        if self.to_send > 0 {
            self.send_next();
        }
    }

    /// How long one of a batch's records has waited, by chance. The request's
    /// first waited for all the rest, the others came at any time in between.
    fn waited(&mut self) -> Nanos {
        let records = self.shape.records * self.shape.parts;
        let is_first = self.rng.random::<f64>() * records < 1.0;
        let waited = match is_first {
            true => self.shape.filling,
            false => self.shape.filling * self.rng.random::<f64>(),
        };
        waited as Nanos
    }

    /// The partitions of a request: any one, or some of a leader's.
    fn partitions(&mut self) -> Vec<u32> {
        let shape = self.shape;
        let one = self.rng.random_range(0..shape.partitions);
        if !shape.by_leader {
            return vec![one];
        }
        let leader = shape.leader(one);
        let led = (shape.partitions - leader).div_ceil(shape.brokers);
        // A part of a batch is one by chance, so that the sum is right.
        let more = u32::from(self.rng.random::<f64>() < shape.parts.fract());
        let count = (shape.parts as u32 + more).clamp(1, led);
        let chosen = index::sample(&mut self.rng, led as usize, count as usize);
        let chosen = chosen.into_iter();
        chosen
            .map(|at| leader + at as u32 * shape.brokers)
            .collect()
    }

    /// In the leader's log: followers may have it, and with acks=1 the producer
    /// and consumers too.
    fn appended(&mut self, id: u32) {
        let batches = std::mem::take(&mut self.requests.of_mut(id).batches);
        if !self.shape.acks_all {
            self.acknowledge(id);
        }
        for batch in batches {
            self.replicate(batch);
        }
    }

    fn replicate(&mut self, id: u32) {
        let partition = self.batches.of(id).partition;
        let leader = self.leader_of(partition);
        let followers: Vec<u32> = (0..self.shape.replication)
            .map(|copy| self.shape.replica(partition, copy))
            .filter(|broker| *broker != leader && Some(*broker) != self.lost)
            .collect();
        self.batches.of_mut(id).waits = followers.len() as u16;
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
        let batch = *self.batches.of(id);
        let leader = self.leader_of(batch.partition);
        self.batches.of_mut(id).waits = self.shape.groups as u16;
        for group in 0..self.shape.groups {
            let groups_from = self.shape.brokers * self.shape.brokers;
            self.offer(groups_from + leader * self.shape.groups + group, id);
        }
        if self.shape.acks_all {
            let request = self.requests.of_mut(batch.request);
            request.left -= 1;
            if request.left == 0 {
                self.acknowledge(batch.request);
            }
        }
        if self.shape.groups == 0 {
            self.batches.free(id);
        }
    }
    fn acknowledge(&mut self, id: u32) {
        let (waits, way) = match self.shape.acks_all && self.shape.replication > 1 {
            // The request that waits is called, then the producer.
            true => (self.call(), CALLS_REPLICATED),
            false => (0, CALLS_ALONE),
        };
        let woken = waits + self.call() + self.pause(way);
        let answered = self.now + self.shape.half_trip + woken;
        let request = self.requests.of(id);
        self.acknowledged += request.marks.len() as u64;
        self.backlog_left -= u64::from(request.backlog);
        if request.measured && self.measuring {
            for (created, records) in &request.marks {
                let records = records.round().max(1.0) as u64;
                let latency = answered - created;
                self.phase.response.record_ns_times(latency as i64, records);
            }
        }
        self.requests.free(id);
    }

    /// A puller may have this batch: a fetch that is parked at the leader takes
    /// it at once, one that is on its way the next time.
    fn offer(&mut self, at: u32, id: u32) {
        let puller = self.puller_mut(at);
        puller.waiting.push_back(id);
        if !puller.busy {
            puller.busy = true;
            let called = self.call();
            self.after(called, Step::Called(at));
        }
    }

    fn fetch(&mut self, at: u32) {
        let (batches, mut bytes) = (&self.batches, 0.0);
        let puller = &mut self.pullers[at as usize];
        while let Some(id) = puller.waiting.front() {
            bytes += batches.of(*id).bytes;
            if bytes > FETCH_BYTES && !puller.flying.is_empty() {
                break;
            }
            puller.flying.extend(puller.waiting.pop_front());
        }
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
        // The consumer and its parked fetch, in the place of the producer and its
        // request that waits.
        let pause = match self.shape.replication > 1 {
            true => self.pause(CALLS_REPLICATED),
            false => self.pause(CALLS_ALONE + 1),
        };
        let batch = self.batches.of(id);
        if batch.measured && self.measuring {
            let records = batch.records.round().max(1.0) as u64;
            let latency = self.now + pause - batch.created;
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
            let batch = self.batches.of_mut(id);
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
        let batch = self.batches.of_mut(id);
        batch.waits -= 1;
        if batch.waits == 0 {
            self.batches.free(id);
        }
    }
}
