//! What the seeds found, as an answer.

use super::cluster::Shape;

use super::failure::Aftermath;
use super::parts::{Phase, Run};
use super::{Failure, Input, Sends, Service, groups};
use crate::answer::Answer;
use crate::error::InputError;
use crate::exact::Exact;
use crate::parameter::Parameter;
use crate::range::Range;
use crate::unit::Unit;
use plimsoll_results::Histogram;

const RESOURCES: [&str; 4] = ["CPU", "disk", "network in", "network out"];
/// A resource that is busier than this does not keep up.
const FULL: f64 = 0.99;

pub(super) fn answer(input: &Input, shape: &Shape, runs: &[Run]) -> Result<Answer, InputError> {
    let rules = ["B1", "B2", "B4", "B5", "P6", "P8", "R1", "R3"];
    let mut answer = Answer::new("simulate", &rules);
    let steady: Vec<&Phase> = runs.iter().map(|run| &run.steady).collect();
    let line = &mut answer;
    line.line(
        "records of a batch",
        Unit::Count,
        exact(shape.records),
        match input.sends {
            Sends::Partition => {
                "1 + what one producer sends to one partition in linger.ms, until batch.size"
            }
            Sends::Leader => "records of a request ÷ its batches",
        },
    )?;
    if input.sends == Sends::Leader {
        line.line(
            "batches of a request",
            Unit::Count,
            exact(shape.parts),
            "partitions of one leader that got records in linger.ms",
        )?;
    }
    let offered = shape.batches() * shape.records;
    let carried = over(&steady, |phase| offered * phase.kept_up.min(1.0));
    line.line(
        "throughput",
        Unit::PerSecond,
        carried,
        "records acknowledged a second",
    )?;
    latencies(line, "response", &steady, |phase| &phase.response)?;
    if input.groups > 0 {
        latencies(line, "end to end", &steady, |phase| &phase.end_to_end)?;
    }
    for (at, resource) in RESOURCES.iter().enumerate() {
        let busy = over(&steady, |phase| phase.busy[at]);
        line.line(
            &format!("busiest {resource}"),
            Unit::Share,
            busy,
            "of the brokers, over the time simulated",
        )?;
    }
    bind(line, &steady);
    let simulated = over(&steady, |phase| phase.simulated as f64 / 1e9);
    line.line(
        "time simulated",
        Unit::Seconds,
        simulated,
        "as long as the budget of batches lasts",
    )?;
    let after: Vec<&Aftermath> = runs.iter().filter_map(|run| run.after.as_ref()).collect();
    if let Some(failure) = &input.failure {
        aftermath(line, input, failure, &after)?;
    }
    assume(line, input);
    notes(line, input, shape);
    Ok(answer)
}

/// p50, p99 and p99.9.
fn latencies(
    answer: &mut Answer,
    name: &str,
    phases: &[&Phase],
    of: fn(&Phase) -> &Histogram,
) -> Result<(), InputError> {
    for (label, percentile) in [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)] {
        let seconds = over(phases, |phase| of(phase).percentile_us(percentile) / 1e6);
        let because = match name {
            "response" => "from the record's time to its acknowledgement",
            _ => "from the record's time to its consumer",
        };
        answer.line(&format!("{name} {label}"), Unit::Seconds, seconds, because)?;
    }
    Ok(())
}

fn bind(answer: &mut Answer, phases: &[&Phase]) {
    let busiest = (0..RESOURCES.len()).map(|at| (at, over(phases, |phase| phase.busy[at])));
    let Some((at, busy)) = busiest.max_by_key(|(_, range)| range.mid()) else {
        return;
    };
    let Some(resource) = RESOURCES.get(at) else {
        return;
    };
    let shown = Unit::Share.show(busy.mid());
    answer.bind(resource, format!("it is the busiest, at {shown}"));
    if busy.mid().to_f64() > FULL {
        answer.note(format!("{resource} is full: the queues grow without end, and the latencies are those of the time simulated."));
    }
}

fn aftermath(
    answer: &mut Answer,
    input: &Input,
    failure: &Failure,
    after: &[&Aftermath],
) -> Result<(), InputError> {
    let Some(first) = after.first() else {
        return Ok(());
    };
    let line = answer;
    line.line(
        "partitions without a leader",
        Unit::Count,
        Exact::from(first.leaderless),
        "P8: those that the lost broker led",
    )?;
    let elected = exact(first.elected as f64 / 1e9);
    let detected = Exact::from(failure.detection.value);
    line.line(
        "they stop for",
        Unit::Seconds,
        Range::between(detected + failure.election.exact(), elected),
        "detection, then one election after the other",
    )?;
    if input.acks_all && input.replication > 1 {
        line.line(
            "partitions without acknowledgements",
            Unit::Count,
            Exact::from(first.unfollowed),
            "those that it followed: acks=all waits until it is out of the in-sync replicas",
        )?;
        line.line("they wait for", Unit::Seconds, detected, "detection")?;
    }
    recovery(line, input, after, first)?;
    restoring(line, input, failure, after)?;
    if let Some(stop) = groups::crash(input, failure) {
        let name = "a lost consumer's partitions stop for";
        line.line(
            name,
            Unit::Seconds,
            stop.lost,
            "R3: session timeout, then the group's rebalance",
        )?;
        line.line(
            "the group's others stop for",
            Unit::Seconds,
            stop.others,
            "R1: by its protocol",
        )?;
    }
    Ok(())
}

fn recovery(
    line: &mut Answer,
    input: &Input,
    after: &[&Aftermath],
    first: &Aftermath,
) -> Result<(), InputError> {
    if input.replication < 2 {
        line.text(
            "backlog drained after",
            "never",
            "no other broker has a copy of these partitions",
        );
    } else {
        let backlog = exact(first.backlog);
        line.line(
            "backlog",
            Unit::Count,
            backlog,
            "records that waited for a leader",
        )?;
        let drained: Vec<f64> = after
            .iter()
            .filter_map(|a| Some(a.drained? as f64 / 1e9))
            .collect();
        let because = match after.iter().any(|a| a.extended) {
            true => "from the failure until all are acknowledged, as fast as those simulated",
            false => "from the failure until the last of them was acknowledged",
        };
        match drained.len() == after.len() {
            true => line.line(
                "backlog drained after",
                Unit::Seconds,
                spread(drained),
                because,
            )?,
            false => line.text(
                "backlog drained after",
                "never",
                "what arrives keeps the brokers too busy",
            ),
        }
        let draining: Vec<&Phase> = after.iter().map(|a| &a.draining).collect();
        let worst = over(&draining, |phase| phase.response.percentile_us(99.0) / 1e6);
        line.line(
            "response p99 of the failure",
            Unit::Seconds,
            worst,
            "of what waited and what met it",
        )?;
    }
    let degraded: Vec<&Phase> = after.iter().map(|a| &a.degraded).collect();
    let p99 = over(&degraded, |phase| phase.response.percentile_us(99.0) / 1e6);
    line.line(
        "response p99, one lost",
        Unit::Seconds,
        p99,
        "afterwards, on one broker less",
    )?;
    let busy = over(&degraded, |phase| {
        phase.busy.iter().copied().fold(0.0, f64::max)
    });
    line.line(
        "busiest resource, one lost",
        Unit::Share,
        busy,
        "afterwards, on one broker less",
    )
}

/// What the survivors' disks and networks have to spare copies the lost bytes.
fn restoring(
    line: &mut Answer,
    input: &Input,
    failure: &Failure,
    after: &[&Aftermath],
) -> Result<(), InputError> {
    let Some(held) = failure.held else {
        return Ok(());
    };
    let degraded: Vec<&Phase> = after.iter().map(|a| &a.degraded).collect();
    let disk = input.machine.disk.value.bytes_per_second() as f64;
    let link = input.machine.link.value.bytes_per_second() as f64;
    let spare = |phase: &Phase| {
        let left = |at: usize, capacity: f64| capacity * (1.0 - phase.busy[at]).max(0.0);
        left(1, disk).min(left(2, link)).min(left(3, link))
    };
    let (receivers, because) = match input.brokers > input.replication {
        true => (
            f64::from(input.brokers - 1),
            "bytes it held ÷ what all others have to spare",
        ),
        false => (
            1.0,
            "bytes it held ÷ what it can take once it is back: no other broker may hold them",
        ),
    };
    let seconds = |phase: &Phase| held.bytes() as f64 / (spare(phase) * receivers);
    let times: Vec<f64> = degraded.iter().map(|phase| seconds(phase)).collect();
    match times.iter().all(|time| time.is_finite()) {
        true => line.line(
            "replicas restored after",
            Unit::Seconds,
            spread(times),
            because,
        ),
        false => {
            line.text(
                "replicas restored after",
                "never",
                "the survivors have nothing to spare",
            );
            Ok(())
        }
    }
}

fn assume(answer: &mut Answer, input: &Input) {
    let machine = &input.machine;
    answer.assume("cores", &machine.cores);
    if machine.brokers > 1 {
        let shared = Parameter::user(machine.brokers);
        answer.assume("brokers on a machine", &shared);
    }
    answer.assume("CPU of a request", &machine.request);
    if let Some(follow) = &machine.follow {
        answer.assume("CPU of a follower", follow);
    }
    answer.assume("CPU of 10^9 bytes", &machine.gigabyte);
    answer.assume("disk", &machine.disk);
    answer.assume("link", &machine.link);
    answer.assume("round trip", &input.round_trip);
    if let Some(calls) = &input.calls {
        answer.assume("a thread's call", calls);
    }
    if let Some(clients) = &input.clients {
        answer.assume("CPU of a client's request", &clients.request);
        answer.assume("CPU of a client's 10^9 bytes", &clients.gigabyte);
    }
    if let Some(failure) = &input.failure {
        answer.assume("detection", &failure.detection);
        answer.assume("election of one", &failure.election);
        answer.assume("session", &failure.session);
        answer.assume("heartbeat", &failure.heartbeat);
    }
}

fn notes(answer: &mut Answer, input: &Input, shape: &Shape) {
    answer.note("assumed: batches arrive at random (Poisson) and go to partitions at random; every broker is alike; leaders and followers are spread as Kafka spreads them.");
    let takes = match input.sends {
        Sends::Partition => "one batch a request",
        Sends::Leader => "and a request takes the batches of all partitions of its leader",
    };
    answer.note(format!(
        "assumed: {} producers write to every partition, {takes}; followers and groups have one fetch out to each leader.",
        input.producers
    ));
    answer.note(match input.machine.service {
        Service::Exponential => "assumed: CPU times are exponential; disk and network take what their bytes say; reads come from the page cache.",
        Service::Fixed => "assumed: CPU, disk and network take what their bytes say; reads come from the page cache.",
    });
    if input.failure.is_some() {
        answer.note("assumed: what was on its way when the broker failed arrived; producers send what waited at once; a request without the lost broker's partitions does not wait for one with them.");
    }
    if shape.records * shape.parts < 2.0 {
        answer.note("requests hold few records: partitions × producers are many for this rate, so requests cost more than bytes. A longer linger, fewer producers or fewer partitions help.");
    }
}

/// A number of the phases, from the least over the middle to the most.
fn over(phases: &[&Phase], of: impl Fn(&Phase) -> f64) -> Range {
    spread(phases.iter().map(|phase| of(phase)).collect())
}

fn spread(mut values: Vec<f64>) -> Range {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| exact(values.get(index).copied().unwrap_or(0.0));
    Range::new(at(0), at(values.len() / 2), at(values.len().max(1) - 1))
}

/// To nine digits after the point, which is as fine as the model's clock.
fn exact(value: f64) -> Exact {
    Exact::from_f64((value * 1e9).round() / 1e9)
}
