//! The event loop, and the resources that a step waits for.

mod path;

use super::cluster::Shape;
use super::failure;
use super::parts::{Batch, Broker, Phase, Puller, Request, Run, Step, Waited};
use super::queue::{Nanos, Queue};
use super::slots::Slots;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The part of a run that is left out at its start.
const WARMUP_PART: u32 = 10;
/// It lasts at least so long, where the budget allows, so that what is measured
/// met the queues that those before it left.
const WARMUP_SECONDS: f64 = 0.03;

/// The model at one moment.
pub(super) struct World<'s> {
    pub(super) shape: &'s Shape,
    now: Nanos,
    sequence: u64,
    events: BinaryHeap<Reverse<(Nanos, u64, Step)>>,
    rng: ChaCha8Rng,
    brokers: Vec<Broker>,
    /// The cores of each machine.
    machines: Vec<Queue>,
    /// Followers by leader × broker, then groups by leader × group.
    pullers: Vec<Puller>,
    requests: Slots<Request>,
    batches: Slots<Batch>,
    /// The broker that is gone.
    pub(super) lost: Option<u32>,
    to_send: u32,
    /// The part of a nanosecond that the last gap left over.
    rest: f64,
    measuring: bool,
    phase: Phase,
    acknowledged: u64,
    offered: u64,
    backlog_left: u64,
}

/// Runs the model with one seed.
pub(super) fn run(shape: &Shape, seed: u64) -> Run {
    let mut world = World::new(shape, seed);
    let settled = shape.batches() * WARMUP_SECONDS;
    let settled = (settled as u32).clamp(shape.budget / WARMUP_PART, shape.budget);
    world.drive(settled, false);
    let steady = world.drive(shape.budget, true);
    let after = shape.failure.map(|outage| failure::run(&mut world, outage));
    Run { steady, after }
}

impl<'s> World<'s> {
    fn new(shape: &'s Shape, seed: u64) -> Self {
        let count = shape.brokers as usize;
        let mut pullers = Vec::with_capacity(count * (count + shape.groups as usize));
        for leader in 0..shape.brokers {
            pullers.extend((0..shape.brokers).map(|follower| Puller::new(leader, Some(follower))));
        }
        for leader in 0..shape.brokers {
            pullers.extend((0..shape.groups).map(|_| Puller::new(leader, None)));
        }
        Self {
            shape,
            now: 0,
            sequence: 0,
            events: BinaryHeap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            brokers: (0..count).map(|_| Broker::new()).collect(),
            machines: (0..shape.brokers.div_ceil(shape.brokers_a_machine))
                .map(|_| Queue::new(shape.cores))
                .collect(),
            pullers,
            requests: Slots::default(),
            batches: Slots::default(),
            lost: None,
            to_send: 0,
            rest: 0.0,
            measuring: false,
            phase: Phase::default(),
            acknowledged: 0,
            offered: 0,
            backlog_left: 0,
        }
    }

    /// Sends `batches` more and returns what they met. What is on its way at the
    /// end stays so, as in a cluster that goes on.
    pub(super) fn drive(&mut self, batches: u32, measure: bool) -> Phase {
        (self.to_send, self.measuring) = (batches, measure);
        (self.phase, self.acknowledged, self.offered) = (Phase::default(), 0, 0);
        self.machines.iter_mut().for_each(Queue::forget);
        for broker in &mut self.brokers {
            for queue in [&mut broker.disk, &mut broker.link_in, &mut broker.link_out] {
                queue.forget();
            }
        }
        let began = self.now;
        self.send_next();
        while self.to_send > 0 {
            let Some(Reverse((at, _, step))) = self.events.pop() else {
                break;
            };
            self.now = at;
            self.step(step);
        }
        let time = self.now - began;
        let mut phase = std::mem::take(&mut self.phase);
        phase.simulated = time;
        phase.kept_up = self.acknowledged as f64 / self.offered.max(1) as f64;
        phase.busy = self.busiest(time);
        phase
    }

    /// Goes on without sending until all of a backlog is acknowledged.
    pub(super) fn drain_backlog(&mut self, most_batches: u32) -> Phase {
        (self.to_send, self.measuring) = (most_batches, true);
        self.phase = Phase::default();
        self.send_next();
        while self.backlog_left > 0 && self.to_send > 0 {
            let Some(Reverse((at, _, step))) = self.events.pop() else {
                break;
            };
            self.now = at;
            self.step(step);
        }
        self.events
            .retain(|Reverse((_, _, step))| *step != Step::Send);
        std::mem::take(&mut self.phase)
    }

    /// Batches of a backlog that are still on their way.
    pub(super) const fn backlog(&self) -> u64 {
        self.backlog_left
    }

    pub(super) const fn now(&self) -> Nanos {
        self.now
    }

    /// Lets everything that is on its way arrive.
    pub(super) fn settle(&mut self) {
        (self.to_send, self.measuring) = (0, false);
        while let Some(Reverse((at, _, step))) = self.events.pop() {
            self.now = at;
            if step != Step::Send {
                self.step(step);
            }
        }
    }

    /// Lets time pass in which nothing happens; nothing may be on its way.
    pub(super) fn jump(&mut self, time: Nanos) {
        assert!(self.events.is_empty(), "nothing is on its way");
        self.now += time;
    }

    /// Puts a batch of a backlog before its leader at `at`.
    pub(super) fn push_backlog(&mut self, waited: &Waited, at: Nanos) {
        let batch = Batch {
            partition: waited.partition,
            created: waited.created,
            bytes: waited.records * self.shape.bytes / self.shape.records,
            records: waited.records,
            waits: 0,
            measured: true,
            request: 0,
        };
        let id = self.request(&[batch], true);
        self.backlog_left += 1;
        self.schedule(at.max(self.now), Step::Arrived(id));
    }

    /// A request of these batches, all of one leader's partitions.
    fn request(&mut self, batches: &[Batch], backlog: bool) -> u32 {
        let Some(first) = batches.first() else {
            unreachable!("a request has a batch")
        };
        let id = self.requests.store(Request {
            partition: first.partition,
            bytes: batches.iter().map(|batch| batch.bytes).sum(),
            batches: Vec::with_capacity(batches.len()),
            marks: batches.iter().map(|b| (b.created, b.records)).collect(),
            left: batches.len() as u32,
            measured: first.measured,
            backlog,
        });
        for batch in batches {
            let at = self.batches.store(Batch {
                request: id,
                ..*batch
            });
            self.requests.of_mut(id).batches.push(at);
        }
        id
    }

    /// A number from 0 to 1.
    pub(super) fn chance(&mut self) -> f64 {
        self.rng.random()
    }

    fn busiest(&self, time: Nanos) -> [f64; 4] {
        let living = self
            .brokers
            .iter()
            .enumerate()
            .filter(|(at, _)| self.lost != Some(*at as u32));
        living.fold([0.0; 4], |most, (at, broker)| {
            let cpu = &self.machines[self.shape.machine(at as u32) as usize];
            let queues = [cpu, &broker.disk, &broker.link_in, &broker.link_out];
            let used = queues.map(|queue| queue.utilisation(time));
            [0, 1, 2, 3].map(|i: usize| f64::max(most[i], used[i]))
        })
    }

    fn leader_of(&self, partition: u32) -> u32 {
        let mut copies =
            (0..self.shape.replication).map(|copy| self.shape.replica(partition, copy));
        let living = copies.find(|broker| Some(*broker) != self.lost);
        living.unwrap_or_else(|| self.shape.leader(partition))
    }

    fn flying_bytes(&self, at: u32) -> f64 {
        self.puller(at)
            .flying
            .iter()
            .map(|id| self.batches.of(*id).bytes)
            .sum()
    }

    fn link(&mut self, broker: u32, bytes: f64, inward: bool) -> Nanos {
        let time = (bytes * self.shape.link_per_byte).round() as Nanos;
        let broker = &mut self.brokers[broker as usize];
        let queue = if inward {
            &mut broker.link_in
        } else {
            &mut broker.link_out
        };
        queue.serve(self.now, time)
    }

    fn disk(&mut self, broker: u32, bytes: f64) -> Nanos {
        let time = (bytes * self.shape.disk_per_byte).round() as Nanos;
        self.brokers[broker as usize].disk.serve(self.now, time)
    }

    fn cpu(&mut self, broker: u32, mean: f64) -> Nanos {
        let time = self.service(mean);
        self.machines[self.shape.machine(broker) as usize].serve(self.now, time)
    }

    /// When a client on the machine of `broker` is done with a request; at once
    /// where clients have machines of their own.
    fn client(&mut self, broker: u32, bytes: f64) -> Nanos {
        match self.shape.clients {
            Some(client) => self.cpu(broker, client.request + bytes * client.per_byte),
            None => self.now,
        }
    }

    /// What a core's pause adds to a way on which so many threads are called.
    fn pause(&mut self, calls: u32) -> Nanos {
        match &self.shape.calls {
            Some(curve) => curve.pause(&mut self.rng, calls) as Nanos,
            None => 0,
        }
    }

    /// Time until a called thread runs.
    fn call(&mut self) -> Nanos {
        match &self.shape.calls {
            Some(curve) => curve.draw(&mut self.rng) as Nanos,
            None => 0,
        }
    }

    fn service(&mut self, mean: f64) -> Nanos {
        let time = match self.shape.exponential {
            true => -mean * (1.0 - self.rng.random::<f64>()).ln(),
            false => mean,
        };
        time.round() as Nanos
    }

    fn gap(&mut self) -> Nanos {
        let gap = -(1.0 - self.rng.random::<f64>()).ln() / self.shape.requests * 1e9 + self.rest;
        self.rest = gap.fract();
        gap as Nanos
    }

    fn send_next(&mut self) {
        let gap = self.gap();
        self.after(gap, Step::Send);
    }

    fn after(&mut self, time: Nanos, step: Step) {
        self.schedule(self.now + time, step);
    }

    fn schedule(&mut self, at: Nanos, step: Step) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, step)));
    }

    fn puller(&self, at: u32) -> &Puller {
        &self.pullers[at as usize]
    }

    fn puller_mut(&mut self, at: u32) -> &mut Puller {
        &mut self.pullers[at as usize]
    }
}
