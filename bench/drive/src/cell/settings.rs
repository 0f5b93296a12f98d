//! From a cell's specification to what the drivers are told.

use crate::driver::{ConsumerSettings, Driver, ProducerSettings};
use crate::error::DriveError;
use crate::labour::LabourSettings;
use crate::librdkafka::Librdkafka;
use crate::native::Native;
use crate::shared_group::GroupSettings;
use plimsoll_wire::compression::Compression;
use plimsoll_workloads::CellSpec;
use plimsoll_workloads::generate::Schedule;
use plimsoll_workloads::language::{
    ArrivalSpec, Assignor, Codec, DriverKind, Isolation, PoisonEnd, RateSpec, TransactionMode,
};
use plimsoll_workloads::units::{Size, Span};
use std::time::Duration;

/// The client that the cell asks for.
pub fn driver(spec: &CellSpec) -> &'static dyn Driver {
    match spec.driver {
        DriverKind::Native => &Native,
        DriverKind::Librdkafka => &Librdkafka,
    }
}

/// The name and version of the cell's client, for the result.
pub fn describe_client(spec: &CellSpec) -> String {
    driver(spec).describe()
}

/// Refuses what a driver cannot do.
pub fn check(spec: &CellSpec) -> Result<(), DriveError> {
    if copies(spec) && spec.driver == DriverKind::Librdkafka {
        return Err(DriveError::Setting {
            field: "transactions.mode",
            value: spec.transactions.mode.to_string(),
            accepted: "produce with driver = librdkafka; the native one does both".to_owned(),
        });
    }
    let assignor = spec.consumer.assignor;
    if spec.driver == DriverKind::Native && assignor == Some(Assignor::CooperativeSticky) {
        return Err(DriveError::Setting {
            field: "consumer.assignor",
            value: Assignor::CooperativeSticky.to_string(),
            accepted: "range or roundrobin with driver = native, or its consumer.protocol = \
                       consumer, which moves no more than it must; librdkafka does this one"
                .to_owned(),
        });
    }
    Ok(())
}

/// Whether the load is read, and written again in transactions.
pub fn copies(spec: &CellSpec) -> bool {
    spec.transactions.records.is_some()
        && spec.transactions.mode == TransactionMode::ReadProcessWrite
}

/// How the load is sent: plainly, where the transactions are those of
/// processors.
pub fn load_producer(spec: &CellSpec) -> ProducerSettings {
    let mut settings = producer(spec);
    if copies(spec) {
        settings.transaction_timeout = None;
    }
    settings
}

/// Whether the cell's consumers are told of commits, to time them.
pub fn times_commits(spec: &CellSpec) -> bool {
    waits_for_commits(spec) && !copies(spec)
}

/// Whether the cell's consumers see a transaction only when it is committed.
pub fn waits_for_commits(spec: &CellSpec) -> bool {
    let isolated = spec.consumer.isolation == Isolation::ReadCommitted;
    isolated && spec.transactions.records.is_some()
}

/// How the cell's producers send.
pub fn producer(spec: &CellSpec) -> ProducerSettings {
    let producer = &spec.producer;
    let in_flight = producer.in_flight as usize;
    let batch_bytes = producer.batch_bytes.len();
    let mut buffer_bytes = producer.buffer_bytes.len();
    if !spec.load.rate.is_scheduled() {
        buffer_bytes = buffer_bytes.min(outstanding_bytes(spec));
    }
    ProducerSettings {
        acks: producer.acks.wire(),
        compression: codec(producer.compression.codec()),
        level: producer.compression.level(),
        batch_bytes,
        linger: producer.linger.duration(),
        in_flight,
        idempotence: producer.is_idempotent(),
        buffer_bytes,
        transaction_timeout: spec
            .transactions
            .records
            .map(|_| spec.transactions.timeout.duration()),
        patience: patience(spec),
    }
}

/// How long a partition may be without a leader: where faults are caused on
/// purpose, until the cell is over.
fn patience(spec: &CellSpec) -> Duration {
    const PATIENCE: Duration = Duration::from_secs(10);
    if spec.faults.is_empty() {
        return PATIENCE;
    }
    spec.load_time().plus(spec.load.drain).duration()
}

/// What a producer without a schedule keeps outstanding: enough to fill every
/// request in flight and to build two batches for each partition meanwhile.
/// More would only make a longer queue, and a longer latency at the same rate.
fn outstanding_bytes(spec: &CellSpec) -> usize {
    const SPARE: usize = 2;
    let requests = spec.producer.in_flight as usize;
    let partitions = spec.topic.partitions as usize;
    let batch = spec.producer.batch_bytes.len();
    batch.saturating_mul(requests + SPARE * partitions)
}

/// How the cell's consumers fetch.
pub fn consumer(spec: &CellSpec) -> ConsumerSettings {
    let consumer = &spec.consumer;
    ConsumerSettings {
        min_bytes: as_i32(consumer.fetch_min_bytes),
        wait: consumer.fetch_wait.duration(),
        max_bytes: as_i32(consumer.fetch_max_bytes),
        partition_max_bytes: as_i32(consumer.partition_fetch_bytes),
        read_committed: consumer.isolation == Isolation::ReadCommitted,
        patience: patience(spec),
    }
}

/// How the consumers of a group behave towards it, where the cluster shares its
/// partitions out.
pub fn group(spec: &CellSpec) -> Option<GroupSettings> {
    let consumer = &spec.consumer;
    consumer.group.then(|| GroupSettings {
        protocol: consumer.protocol,
        assignor: consumer.assignor,
        commit_interval: consumer.commit_interval.duration(),
        session_timeout: consumer.session_timeout.duration(),
        heartbeat: consumer.heartbeat.duration(),
        restart_every: consumer.restart_every.map(Span::duration),
        consumers: consumer.count,
    })
}

/// What the cell's consumers do with each record.
pub fn labour(spec: &CellSpec) -> LabourSettings {
    let poison = &spec.poison;
    LabourSettings {
        processing: spec.consumer.processing.duration(),
        poison_rate: poison.rate.get(),
        retries: poison.retries,
        backoff: poison.backoff.duration(),
        dead_letters: poison.then == PoisonEnd::DeadLetter,
    }
}

/// Whether the cell has a topic of dead letters.
pub fn has_dead_letters(spec: &CellSpec) -> bool {
    let labour = labour(spec);
    labour.dead_letters && labour.poison_rate > 0.0
}

/// Records a second that the cell asks for in its measured time, on average;
/// `None` when it asks for as many as possible, or leaves it to chance or to a
/// trace how many are due in that time.
pub fn target_rate(spec: &CellSpec, schedule: &Schedule) -> Option<f64> {
    let all = schedule.records()? / spec.load_time().secs_f64().max(1e-9);
    if spec.load.arrivals != ArrivalSpec::Constant {
        return None;
    }
    Some(match &spec.load.rate {
        RateSpec::Ramp { from, to } => f64::midpoint(from.per_second(), to.per_second()),
        RateSpec::Steps(levels) if !levels.is_empty() => {
            levels.iter().map(|level| level.per_second()).sum::<f64>() / levels.len() as f64
        }
        _ => all,
    })
}

const fn codec(codec: Codec) -> Compression {
    match codec {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    }
}

fn as_i32(size: Size) -> i32 {
    i32::try_from(size.bytes()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_workloads::Spec;
    use std::path::Path;

    fn spec(toml: &str) -> CellSpec {
        match Spec::parse(toml, "test.toml", Path::new("."), &[]) {
            Ok(spec) => spec.base,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn producers_are_told_what_the_workload_says() {
        let spec = spec(
            "[producer]\nacks = 1\ncompression = \"zstd:9\"\nbatch_bytes = \"64KiB\"\n\
             in_flight = 3\n[load]\nrate = \"1K/s\"",
        );
        let settings = producer(&spec);
        assert_eq!(
            (settings.acks, settings.level, settings.in_flight),
            (1, Some(9), 3)
        );
        assert_eq!(settings.compression, Compression::Zstd);
        assert_eq!(settings.batch_bytes, 65_536);
        assert_eq!(settings.buffer_bytes, 32 << 20);
        assert!(!settings.idempotence);
    }

    #[test]
    fn without_a_schedule_no_more_is_outstanding_than_fills_the_requests() {
        let check = |partitions: u32, expected: usize| {
            let toml = format!(
                "[topic]\npartitions = {partitions}\n[producer]\nbatch_bytes = 1000\n\
                 [load]\nrate = \"max\""
            );
            assert_eq!(
                producer(&spec(&toml)).buffer_bytes,
                expected,
                "{partitions}"
            );
        };
        check(1, 7_000);
        check(20, 45_000);
        check(100_000, 32 << 20);
    }
}
