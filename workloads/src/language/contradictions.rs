//! Settings that are each fine and cannot go together.
//!
//! What is refused here would otherwise fail in the middle of a run, or run
//! and measure something else than was asked for.

use super::{
    arrivals::ArrivalSpec,
    cell::{CellSpec, ConsumerSpec, IDEMPOTENT_IN_FLIGHT_MAX, PoisonSpec, SearchSpec},
    choices::{Acks, Assignor, GroupProtocol, TransactionMode},
    faults,
    keys::KeySpec,
    rates::RateSpec,
    several::WORKLOAD,
};
use crate::units::{Share, Size, Span};

/// Kafka's default for `max.message.bytes`.
const MESSAGE_BYTES_MAX: u64 = 1_048_588;

/// Bytes that a record and its batch add to the value at most, headers apart.
const OVERHEAD_BYTES_MAX: u64 = 256;

/// A setting that contradicts another, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contradiction {
    pub(crate) path: String,
    pub(crate) message: String,
}

/// Everything in `cell` that contradicts itself, or in any of its workloads.
pub(crate) fn contradictions(cell: &CellSpec) -> Vec<Contradiction> {
    let mut faults = faults::contradictions(cell);
    if cell.workloads.is_empty() {
        faults.splice(0..0, of_one(cell));
        return faults;
    }
    let within = cell.workloads.iter().flat_map(|workload| {
        let name = &workload.name;
        let found = searched(&workload.cell)
            .into_iter()
            .chain(of_one(&workload.cell));
        found.map(move |found| Contradiction {
            path: match workload.follows(&found.path) {
                true => found.path,
                false => format!("{WORKLOAD}.{name}.{}", found.path),
            },
            message: format!("workload {name}: {}", found.message),
        })
    });
    within.chain(faults).collect()
}

/// A search is for one workload's maximum.
fn searched(cell: &CellSpec) -> Option<Contradiction> {
    let found = when(cell.load.rate == RateSpec::Search, "load.rate", || {
        "a search is for a single workload; give each of several its rate, or max".to_owned()
    });
    found.map(|(path, message)| Contradiction {
        path: path.to_owned(),
        message,
    })
}

fn of_one(cell: &CellSpec) -> Vec<Contradiction> {
    let found = producer(cell)
        .into_iter()
        .chain(consumer(cell))
        .chain(group(cell))
        .chain(records(cell))
        .chain(load(cell));
    found
        .flatten()
        .map(|(path, message)| Contradiction {
            path: path.to_owned(),
            message,
        })
        .collect()
}

type Found = Option<(&'static str, String)>;

fn when(wrong: bool, path: &'static str, message: impl FnOnce() -> String) -> Found {
    wrong.then(|| (path, message()))
}

fn producer(cell: &CellSpec) -> [Found; 9] {
    let producer = &cell.producer;
    let acks = producer.acks;
    let asked = producer.idempotence;
    let transactional = cell.transactions.records.is_some();
    let rewrites = transactional && cell.transactions.mode == TransactionMode::ReadProcessWrite;
    let min_insync = cell.topic.configs.get("min.insync.replicas");
    let min_insync = min_insync.and_then(|count| count.parse::<u32>().ok());
    let copies = cell.topic.replication_factor;
    [
        when(
            asked == Some(true) && acks != Acks::All,
            "producer.idempotence",
            || format!("an idempotent producer needs producer.acks = \"all\", not {acks}"),
        ),
        when(
            asked == Some(true) && producer.in_flight > IDEMPOTENT_IN_FLIGHT_MAX,
            "producer.in_flight",
            || {
                let given = producer.in_flight;
                format!("an idempotent producer has at most 5 requests in flight, not {given}")
            },
        ),
        when(
            transactional && !producer.is_idempotent(),
            "transactions.records",
            || {
                format!(
                    "transactions need producer.acks = \"all\", producer.in_flight up to 5 and \
                 idempotence, not acks = {acks}, in_flight = {}{}",
                    producer.in_flight,
                    if asked == Some(false) {
                        ", idempotence = false"
                    } else {
                        ""
                    },
                )
            },
        ),
        when(
            cell.transactions.records == Some(0),
            "transactions.records",
            || "a transaction has at least 1 record; leave it out for none".to_owned(),
        ),
        when(
            !transactional && cell.transactions.abort_rate != Share::default(),
            "transactions.abort_rate",
            || "there are no transactions to abort: set transactions.records".to_owned(),
        ),
        when(
            rewrites && cell.records.headers > 0,
            "records.headers",
            || "a read-process-write copies key and value: leave headers out".to_owned(),
        ),
        when(
            rewrites && cell.transactions.abort_rate.get() >= 1.0,
            "transactions.abort_rate",
            || "what is always aborted is copied again for ever: set less than 1".to_owned(),
        ),
        when(
            !transactional && cell.transactions.mode != TransactionMode::Produce,
            "transactions.mode",
            || {
                let mode = cell.transactions.mode;
                format!("{mode} is done in transactions: set transactions.records")
            },
        ),
        when(
            acks == Acks::All && min_insync.is_some_and(|min| min > copies),
            "topic.configs.min.insync.replicas",
            || {
                let min = min_insync.unwrap_or_default();
                format!(
                    "no write can succeed: {min} in-sync replicas are asked for and \
                     topic.replication_factor = {copies}"
                )
            },
        ),
    ]
}

fn consumer(cell: &CellSpec) -> [Found; 6] {
    let (consumer, producer, load) = (&cell.consumer, &cell.producer, &cell.load);
    let nobody = consumer.count == 0;
    let prefilled = load.prefill.get() > 0;
    let late = consumer.late_groups.unwrap_or(0);
    [
        when(producer.count == 0 && !prefilled, "producer.count", || {
            "without producers there is nothing to read: set load.prefill".to_owned()
        }),
        when(producer.count == 0 && nobody, "consumer.count", || {
            "with neither producers nor consumers nothing happens".to_owned()
        }),
        when(
            producer.count == 0 && load.rate != RateSpec::Max,
            "load.rate",
            || format!("without producers nothing is sent: leave {} out", load.rate),
        ),
        when(late > consumer.groups, "consumer.late_groups", || {
            let groups = consumer.groups;
            format!("of {groups} groups at most {groups} can begin late, not {late}")
        }),
        when(
            nobody && consumer.processing != Span::ZERO,
            "consumer.processing",
            || "there are no consumers to process anything: set consumer.count".to_owned(),
        ),
        when(
            cell.poison != PoisonSpec::default()
                && (nobody || cell.poison.rate == Share::default()),
            "poison.rate",
            || "[poison] needs a rate above 0, and consumers to meet it".to_owned(),
        ),
    ]
}

/// The settings of groups that are shared out.
fn group(cell: &CellSpec) -> [Found; 6] {
    let consumer = &cell.consumer;
    let usual = ConsumerSpec::default();
    let set = [
        ("consumer.protocol", consumer.protocol != usual.protocol),
        ("consumer.assignor", consumer.assignor.is_some()),
        (
            "consumer.commit_interval",
            consumer.commit_interval != usual.commit_interval,
        ),
        (
            "consumer.session_timeout",
            consumer.session_timeout != usual.session_timeout,
        ),
        ("consumer.heartbeat", consumer.heartbeat != usual.heartbeat),
        ("consumer.restart_every", consumer.restart_every.is_some()),
    ];
    let idle = set.into_iter().find(|(_, set)| !consumer.group && *set);
    let (path, _) = idle.unwrap_or_default();
    let (protocol, assignor) = (consumer.protocol, consumer.assignor);
    let knows = assignor.is_none_or(|assignor| match protocol {
        GroupProtocol::Classic => assignor != Assignor::Uniform,
        GroupProtocol::Consumer => matches!(assignor, Assignor::Uniform | Assignor::Range),
    });
    let (heartbeat, timeout) = (consumer.heartbeat, consumer.session_timeout);
    let paced = heartbeat != usual.heartbeat || timeout != usual.session_timeout;
    [
        when(idle.is_some(), path, || {
            "this is of groups whose partitions are shared out: set consumer.group = true"
                .to_owned()
        }),
        when(
            consumer.group && consumer.count == 0,
            "consumer.group",
            || "there are no consumers to share partitions: set consumer.count".to_owned(),
        ),
        when(consumer.group && !knows, "consumer.assignor", || {
            let accepted = match protocol {
                GroupProtocol::Classic => "range, roundrobin and cooperative-sticky",
                GroupProtocol::Consumer => "uniform and range",
            };
            let given = assignor.map_or_else(String::new, |assignor| assignor.to_string());
            format!("the {protocol} protocol has {accepted}, not {given}")
        }),
        when(
            consumer.group && heartbeat >= timeout,
            "consumer.heartbeat",
            || format!("a consumer that is heard every {heartbeat} is gone after {timeout}"),
        ),
        when(
            protocol == GroupProtocol::Consumer && paced,
            "consumer.protocol",
            || {
                "the consumer protocol leaves consumer.session_timeout and consumer.heartbeat to \
                 the cluster: leave them out"
                    .to_owned()
            },
        ),
        when(
            consumer.restart_every == Some(Span::ZERO),
            "consumer.restart_every",
            || "give a time, such as 2s, or leave it out".to_owned(),
        ),
    ]
}

fn records(cell: &CellSpec) -> [Found; 5] {
    let records = &cell.records;
    let own = records.sample.is_some();
    let largest = records.size.as_ref().map_or(0, |size| size.max().bytes());
    let headers = u64::from(records.headers) * (records.header_bytes.bytes() + 8);
    let needed = largest + headers + OVERHEAD_BYTES_MAX;
    let limit = cell.topic.configs.get("max.message.bytes");
    let limit = limit.and_then(|bytes| bytes.parse().ok());
    let limit = limit.unwrap_or(MESSAGE_BYTES_MAX);
    [
        when(own && records.size.is_some(), "records.size", || {
            "records of a sample have their own size: leave it out, or records.sample".to_owned()
        }),
        when(
            own && records.compressibility.is_some(),
            "records.compressibility",
            || {
                "records of a sample compress as they do: leave it out, or records.sample"
                    .to_owned()
            },
        ),
        when(!own && records.split.is_some(), "records.split", || {
            "there is no sample to split: set records.sample".to_owned()
        }),
        when(
            !own && matches!(records.keys, KeySpec::Field(_)),
            "records.keys",
            || "field(…) takes keys from the sample: set records.sample".to_owned(),
        ),
        when(largest > 0 && needed > limit, "records.size", || {
            let size = Size::from_bytes(largest);
            format!(
                "a record of {size} is larger than the topic takes: set \
                 topic.configs.max.message.bytes to {needed} or more, not {limit}"
            )
        }),
    ]
}

fn load(cell: &CellSpec) -> [Found; 4] {
    let load = &cell.load;
    let traced = matches!(load.arrivals, ArrivalSpec::Trace(_));
    let spaced = matches!(load.arrivals, ArrivalSpec::Poisson | ArrivalSpec::Burst(_));
    [
        when(traced && load.rate != RateSpec::Max, "load.rate", || {
            let rate = &load.rate;
            format!("a trace fixes the send times: leave load.rate out instead of {rate}")
        }),
        when(
            spaced && load.rate == RateSpec::Max,
            "load.arrivals",
            || {
                let arrivals = &load.arrivals;
                format!("{arrivals} needs a rate to keep: set load.rate, such as 10K/s")
            },
        ),
        when(
            load.rate == RateSpec::Search && load.objective.is_none_or(|o| o == Span::ZERO),
            "load.objective",
            || "a search needs an objective to hold: set load.objective, such as 50ms".to_owned(),
        ),
        when(
            load.rate != RateSpec::Search && cell.search != SearchSpec::default(),
            "load.rate",
            || format!("[search] is for load.rate = \"search\", not {}", load.rate),
        ),
    ]
}
