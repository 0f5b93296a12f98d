//! The plan's cluster as a model that can be simulated.

use super::{Input, Plan, latency};
use crate::calibration::Calibration;
use crate::parameter::{Parameter, Provenance};
use crate::simulate::{self, Failure};
use plimsoll_units::{ByteRate, Size, Span};

/// What only the model asks.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// Producers, each of which writes to every topic.
    pub producers: u32,
    /// Cores of one broker.
    pub cores: Option<u32>,
    /// Time there and back between two machines.
    pub round_trip: Option<Span>,
    /// Time until a lost broker is noticed.
    pub detection: Option<Span>,
    /// Batches that one seed simulates.
    pub budget: u32,
}

/// The model of `plan`, with one broker that fails.
pub fn model(
    input: &Input,
    plan: &Plan,
    asked: &Simulated,
    calibration: Option<&Calibration>,
) -> simulate::Input {
    let load = &plan.load;
    let mut model = simulate::Input::new(load.rate, load.size);
    model.brokers = load.brokers;
    model.partitions = load.partitions;
    model.replication = input.replication;
    model.groups = load.groups;
    model.producers = asked.producers;
    model.linger = latency::linger(input);
    model.sends = simulate::Sends::Leader;
    model.batch = input.storage.batch.value;
    model.round_trip = model.round_trip.or_user(asked.round_trip);
    model.budget = asked.budget;
    let machine = &mut model.machine;
    machine.cores = machine.cores.clone().or_user(asked.cores);
    machine.disk = middle(&input.writes);
    machine.link = machine.link.clone().or_user(input.link);
    if let Some(cpu) = calibration.and_then(|found| found.broker_cpu.as_ref()) {
        machine.request = cpu.per_request();
        machine.gigabyte = Parameter {
            value: Span::from_nanos((cpu.seconds_per_byte * 1e18).round() as u64),
            ..cpu.per_gb(1)
        };
    }
    let failure = Failure::default();
    let members = plan.topics.iter().filter_map(|topic| topic.consumers).max();
    model.failure = (load.brokers > 1).then(|| Failure {
        detection: failure.detection.clone().or_user(asked.detection),
        held: Some(Size::from_bytes(
            load.disk.bytes() / u64::from(load.brokers),
        )),
        members: members.unwrap_or(0),
        ..failure
    });
    model
}

/// Half way from the least to the most of what a broker writes.
fn middle(writes: &Parameter<crate::Between<ByteRate>>) -> Parameter<ByteRate> {
    let (low, high) = (
        writes.value.low.bytes_per_second(),
        writes.value.high.bytes_per_second(),
    );
    let middle = ByteRate::from_bytes_per_second(low.midpoint(high));
    Parameter {
        value: middle.unwrap_or(writes.value.low),
        provenance: match &writes.provenance {
            Provenance::Document(rule) => Provenance::Document(format!("{rule}, the middle")),
            other => other.clone(),
        },
    }
}
