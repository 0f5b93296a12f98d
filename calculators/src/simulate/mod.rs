//! A cluster bigger than this machine: a discrete-event model of brokers,
//! leaders, followers, producers and consumers.
//!
//! A request carries one batch, or those of all of a leader's partitions
//! ([`Sends`]). It goes producer → leader (network in, CPU, disk); each batch then to
//! each follower's fetch (leader's CPU and network out, follower's network in, CPU and disk) →
//! the follower's next fetch, which tells the leader → acknowledgement; then to
//! each group. Every resource is a first-in-first-out queue: so many servers,
//! each busy for a service time ([`queue`]). Followers and consumers have one
//! fetch out at a time and take all that waits, so their cost falls as load
//! rises, as Kafka's does.
//!
//! Only as much time is simulated as a budget of batches allows, for several
//! seeds; low and high are the seeds' extremes. A failure is not simulated
//! through its detection, during which nothing changes: the clock jumps to the
//! election, with all that has piled up by then. What takes hours, restoring
//! replicas, is computed as a flow. Same input, same answer.
//!
//! Between a call and the run of the thread that is called lies time of its own
//! ([`Calls`]), and brokers on one machine share its cores, with their clients if
//! these are there too: so the model can be held against a cluster on a laptop.
//!
//! What it assumes is in every answer's notes. It knows no garbage collection,
//! no page-cache misses and no packet loss.

mod calls;
mod cluster;
mod engine;
mod failure;
mod groups;
mod parts;
mod queue;
mod report;
mod slots;

use crate::answer::Answer;
use crate::error::{InputError, above_zero, within};
use crate::parameter::Parameter;
use crate::rebalance::Protocol;
use plimsoll_units::{ByteRate, Rate, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use calls::Calls;

/// Batches that one seed simulates.
pub const BUDGET: u32 = 200_000;
/// Seeds, so that the answer has a low, a middle and a high.
const SEEDS: u64 = 3;
/// Most brokers and partitions of a model.
const BROKERS_MAX: u32 = 1000;
const PARTITIONS_MAX: u32 = 10_000_000;

/// How long a request keeps a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// As long as its bytes say.
    Fixed,
    /// Exponentially distributed around that: garbage collection, locks, the
    /// kernel.
    Exponential,
}

/// What a producer's request takes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sends {
    /// One partition's batch, once it is ripe: librdkafka, and this project's own
    /// client.
    #[default]
    Partition,
    /// The batches of all partitions of a leader, once one of them is ripe: the
    /// Java client.
    Leader,
}

/// What a broker is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Its cores.
    pub cores: Parameter<u32>,
    /// Brokers that share them.
    #[serde(default = "one")]
    pub brokers: u32,
    /// CPU time of a request, whatever its size.
    pub request: Parameter<Span>,
    /// CPU time that a follower takes for a fetch's answer, to append it and to
    /// ask again; as much as a request unless given.
    #[serde(default)]
    pub follow: Option<Parameter<Span>>,
    /// CPU time of 10^9 bytes.
    pub gigabyte: Parameter<Span>,
    /// Bytes a second that its disk takes.
    pub disk: Parameter<ByteRate>,
    /// Bytes a second of its network in one direction.
    pub link: Parameter<ByteRate>,
    /// How CPU times are distributed.
    pub service: Service,
}

/// Producers and consumers on the brokers' machines, whose cores they share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clients {
    /// CPU time that a producer or a consumer takes for a request.
    pub request: Parameter<Span>,
    /// CPU time of 10^9 bytes in either.
    pub gigabyte: Parameter<Span>,
}

/// What fails, and how soon it is noticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Time until the controller takes a silent broker for lost.
    pub detection: Parameter<Span>,
    /// Time that the controller takes to elect one partition's leader.
    pub election: Parameter<Span>,
    /// Bytes that the lost broker held, to be copied again.
    pub held: Option<Size>,
    /// Members of each group, of which one is lost.
    pub members: u32,
    /// How the groups move partitions.
    pub protocol: Protocol,
    /// `session.timeout.ms`.
    pub session: Parameter<Span>,
    /// `heartbeat.interval.ms`.
    pub heartbeat: Parameter<Span>,
}

/// The model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Brokers.
    pub brokers: u32,
    /// Partitions of all topics.
    pub partitions: u32,
    /// Copies of every partition.
    pub replication: u32,
    /// Groups that read everything.
    pub groups: u32,
    /// Records a second.
    pub rate: Rate,
    /// Bytes of a record in the log.
    pub record: Size,
    /// Producers, each of which writes to every partition.
    pub producers: u32,
    /// `linger.ms`.
    pub linger: Span,
    /// `batch.size`.
    pub batch: Size,
    /// What a request takes along.
    #[serde(default)]
    pub sends: Sends,
    /// Whether producers wait for all replicas in sync.
    pub acks_all: bool,
    /// Time there and back between any two machines.
    pub round_trip: Parameter<Span>,
    /// Time from a thread's call until it runs; none unless given.
    #[serde(default)]
    pub calls: Option<Parameter<Calls>>,
    /// The brokers.
    pub machine: Machine,
    /// The clients, when they share the brokers' machines.
    #[serde(default)]
    pub clients: Option<Clients>,
    /// What fails.
    pub failure: Option<Failure>,
    /// Batches that one seed simulates.
    pub budget: u32,
}

const fn one() -> u32 {
    1
}

impl Default for Machine {
    fn default() -> Self {
        let disk = ByteRate::from_bytes_per_second(150_000_000);
        let link = ByteRate::from_bytes_per_second(1_250_000_000);
        let (Some(disk), Some(link)) = (disk, link) else {
            unreachable!("both are above zero")
        };
        Self {
            cores: Parameter::default_of("a broker of medium size", 8),
            brokers: 1,
            request: Parameter::default_of(
                "a JVM broker, to be measured",
                Span::from_nanos(150_000),
            ),
            follow: None,
            gigabyte: Parameter::default_of("a JVM broker, to be measured", Span::from_secs(2)),
            disk: Parameter::document("B1, the middle", disk),
            link: Parameter::default_of("10 Gbit/s", link),
            service: Service::Exponential,
        }
    }
}

impl Default for Failure {
    fn default() -> Self {
        Self {
            detection: Parameter::default_of("broker.session.timeout.ms", Span::from_secs(9)),
            election: Parameter::default_of(
                "a record of the metadata log",
                Span::from_nanos(20_000),
            ),
            held: None,
            members: 0,
            protocol: Protocol::Cooperative,
            session: Parameter::default_of("session.timeout.ms", Span::from_secs(45)),
            heartbeat: Parameter::default_of("heartbeat.interval.ms", Span::from_secs(3)),
        }
    }
}

impl Input {
    /// `rate` records of `record` bytes on three brokers, read once.
    pub fn new(rate: Rate, record: Size) -> Self {
        Self {
            brokers: 3,
            partitions: 12,
            replication: 3,
            groups: 1,
            rate,
            record,
            producers: 10,
            linger: Span::from_millis(5),
            batch: Size::from_bytes(crate::batch::DEFAULT_BATCH_BYTES),
            sends: Sends::Partition,
            acks_all: true,
            round_trip: Parameter::default_of("one data centre", Span::from_nanos(500_000)),
            calls: None,
            machine: Machine::default(),
            clients: None,
            failure: None,
            budget: BUDGET,
        }
    }

    fn check(&self) -> Result<(), InputError> {
        within("brokers", self.brokers, 1, BROKERS_MAX)?;
        within("partitions", self.partitions, 1, PARTITIONS_MAX)?;
        within("replication", self.replication, 1, 100)?;
        within("groups", self.groups, 0, 1000)?;
        within("producers", self.producers, 1, 1_000_000)?;
        within("budget", self.budget, 1000, 100_000_000)?;
        within("cores", self.machine.cores.value, 1, 4096)?;
        within("machine.brokers", self.machine.brokers, 1, BROKERS_MAX)?;
        if let Some(calls) = &self.calls {
            calls.value.check()?;
        }
        above_zero("record", self.record)?;
        above_zero("batch", self.batch)?;
        if self.replication > self.brokers {
            let accepted = format!("at most the brokers, {}", self.brokers);
            return Err(InputError::refused(
                "replication",
                self.replication,
                accepted,
            ));
        }
        if self.failure.is_some() && self.brokers < 2 {
            return Err(InputError::refused(
                "brokers",
                1,
                "2 and more, when one is to fail",
            ));
        }
        Ok(())
    }
}

/// Runs the model.
pub fn simulate(input: &Input) -> Result<Answer, InputError> {
    input.check()?;
    let shape = cluster::Shape::of(input);
    let runs: Vec<parts::Run> = (0..SEEDS).map(|seed| engine::run(&shape, seed)).collect();
    report::answer(input, &shape, &runs)
}

#[cfg(test)]
mod tests;
