//! The shape of the cluster: who leads, who follows, and how large batches are.

use super::calls::Curve;
use super::queue::Nanos;
use super::{Input, Sends, Service};

/// Everything that stays as it is while the model runs, in nanoseconds, bytes
/// and indices.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) brokers: u32,
    pub(super) partitions: u32,
    pub(super) replication: u32,
    pub(super) groups: u32,
    pub(super) acks_all: bool,
    pub(super) cores: u32,
    /// Brokers that share them.
    pub(super) brokers_a_machine: u32,
    pub(super) exponential: bool,
    /// Records of a batch, on average.
    pub(super) records: f64,
    /// Bytes of a batch.
    pub(super) bytes: f64,
    /// Records of a full batch, as after an outage.
    pub(super) full_records: f64,
    pub(super) producers: u32,
    /// Batches of a request, on average.
    pub(super) parts: f64,
    /// Whether they are all of one leader's partitions.
    pub(super) by_leader: bool,
    /// Requests of producers a second.
    pub(super) requests: f64,
    /// Time that a request takes to fill.
    pub(super) filling: f64,
    pub(super) half_trip: Nanos,
    pub(super) calls: Option<Curve>,
    pub(super) request: f64,
    pub(super) follow: f64,
    pub(super) cpu_per_byte: f64,
    pub(super) disk_per_byte: f64,
    pub(super) link_per_byte: f64,
    pub(super) clients: Option<Client>,
    pub(super) budget: u32,
    pub(super) failure: Option<Outage>,
}

/// CPU times of clients that share the brokers' machines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) request: f64,
    pub(super) per_byte: f64,
}

/// A failure in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub(super) detection: Nanos,
    pub(super) election: Nanos,
}

const NANOS: f64 = 1e9;
/// `max.request.size`.
const REQUEST_BYTES: f64 = 1_048_576.0;

/// A producer's request when it leaves.
struct Filled {
    records: f64,
    /// Batches, each of another partition.
    parts: f64,
    /// Seconds since its first record.
    filling: f64,
}

impl Filled {
    /// The first record starts the linger; what arrives in it joins, until full.
    fn of(input: &Input, full: f64) -> Self {
        let leaders = input.brokers.min(input.partitions);
        // Requests under way to be filled at one producer, and partitions of each.
        let (lanes, partitions) = match input.sends {
            Sends::Partition => (f64::from(input.partitions), 1.0),
            Sends::Leader => (
                f64::from(leaders),
                f64::from(input.partitions) / f64::from(leaders),
            ),
        };
        let each = input.rate.per_second() / (f64::from(input.producers) * lanes);
        let most = match input.sends {
            Sends::Partition => full,
            Sends::Leader => {
                let request = (REQUEST_BYTES / input.record.bytes() as f64).floor();
                (full * partitions).min(request).max(1.0)
            }
        };
        let linger = input.linger.secs_f64();
        let records = (1.0 + each * linger).min(most);
        let filling = ((records - 1.0) / each).min(linger);
        // Records fall on partitions at random; some get none.
        let missed = (1.0 - 1.0 / partitions).powf(records);
        Self {
            records,
            parts: (partitions * (1.0 - missed)).clamp(1.0, records),
            filling: if records < 2.0 { linger } else { filling },
        }
    }
}

impl Shape {
    /// Batches of producers a second.
    pub(super) fn batches(&self) -> f64 {
        self.requests * self.parts
    }

    pub(super) fn of(input: &Input) -> Self {
        let machine = &input.machine;
        let follow = machine.follow.as_ref().unwrap_or(&machine.request);
        let rate = input.rate.per_second();
        let record = input.record.bytes() as f64;
        let full = (input.batch.bytes() as f64 / record).floor().max(1.0);
        let request = Filled::of(input, full);
        let records = request.records / request.parts;
        let nanos = |seconds: f64| (seconds * NANOS).round() as Nanos;
        Self {
            brokers: input.brokers,
            partitions: input.partitions,
            replication: input.replication,
            groups: input.groups,
            acks_all: input.acks_all,
            cores: machine.cores.value,
            brokers_a_machine: machine.brokers,
            exponential: machine.service == Service::Exponential,
            records,
            bytes: records * record,
            full_records: full,
            producers: input.producers,
            parts: request.parts,
            by_leader: input.sends == Sends::Leader,
            requests: rate / request.records,
            filling: if full <= 1.0 {
                0.0
            } else {
                request.filling * NANOS
            },
            half_trip: nanos(input.round_trip.value.secs_f64() / 2.0),
            calls: input.calls.as_ref().map(|calls| calls.value.curve()),
            request: machine.request.value.nanos() as f64,
            follow: follow.value.nanos() as f64,
            cpu_per_byte: machine.gigabyte.value.secs_f64(),
            disk_per_byte: NANOS / machine.disk.value.bytes_per_second() as f64,
            link_per_byte: NANOS / machine.link.value.bytes_per_second() as f64,
            clients: input.clients.as_ref().map(|clients| Client {
                request: clients.request.value.nanos() as f64,
                per_byte: clients.gigabyte.value.secs_f64(),
            }),
            budget: input.budget,
            failure: input.failure.as_ref().map(|failure| Outage {
                detection: failure.detection.value.nanos(),
                election: failure.election.value.nanos(),
            }),
        }
    }

    /// The machine on which a broker runs.
    pub(super) const fn machine(&self, broker: u32) -> u32 {
        broker / self.brokers_a_machine
    }

    /// The broker that leads `partition` while all live.
    pub(super) const fn leader(&self, partition: u32) -> u32 {
        partition % self.brokers
    }

    /// The broker of a partition's copy: 0 is the leader's. Followers are
    /// shifted from round to round, as Kafka assigns them, so that every broker
    /// follows every other.
    pub(super) const fn replica(&self, partition: u32, copy: u32) -> u32 {
        let leader = self.leader(partition);
        if copy == 0 || self.brokers < 2 {
            return leader;
        }
        let round = partition / self.brokers;
        let step = (round + copy - 1) % (self.brokers - 1);
        (leader + 1 + step) % self.brokers
    }
}
