//! Consuming through librdkafka: partitions assigned, from their beginning.

use super::group;
use crate::clock::Mono;
use crate::driver::{Consumed, ConsumerJob, ConsumerSettings, FinishLine, Incoming, Route};
use crate::error::DriveError;
use plimsoll_workloads::generate::{STAMP_HEADER, StampPlace};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a poll waits, so that the finish line is noticed.
pub(super) const POLL: Duration = Duration::from_millis(20);
/// Messages between looks at the finish line.
pub(super) const LOOK_EVERY: u32 = 1024;
/// How long seeking within a partition may take.
const SEEK: Duration = Duration::from_secs(5);
/// What a partition answers that is not being fetched.
const NOT_FETCHED: RDKafkaErrorCode = RDKafkaErrorCode::State;

struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        tracing::debug!(?level, fac, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Context {}

/// Runs one consumer to the finish line.
pub fn consume(mut job: ConsumerJob) -> Result<Consumed, DriveError> {
    job.finish.wait_for(job.starts);
    if let Some(seat) = job.seat.clone() {
        return group::consume(job, &seat);
    }
    let client: BaseConsumer<Context> =
        config(&job.route, &job.settings)?.create_with_context(Context)?;
    let mut assignment = TopicPartitionList::new();
    for partition in &job.partitions {
        let partition = partition.cast_signed();
        assignment.add_partition_offset(&job.route.topic, partition, Offset::Beginning)?;
    }
    client.assign(&assignment)?;
    let mut positions: BTreeMap<u32, i64> = job.partitions.iter().map(|p| (*p, 0)).collect();
    let mut since_look = 0;
    let mut line = Line::default();
    loop {
        match client.poll(POLL) {
            Some(Ok(message)) => {
                judge(&mut job, &mut positions, &message)?;
                since_look += 1;
            }
            // The client retries what can be retried by itself.
            Some(Err(error)) if is_fatal(&error) => return Err(error.into()),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                since_look = LOOK_EVERY;
                line.reached(partition.cast_unsigned(), &job.finish, &mut positions);
            }
            Some(Err(_)) | None => since_look = LOOK_EVERY,
        }
        if since_look >= LOOK_EVERY {
            since_look = 0;
            line.look(&client, &job, &positions)?;
            job.inspect.recorder.turn(Mono::now());
            let past =
                |(partition, position): (&u32, &i64)| job.finish.is_past(*partition, *position);
            if job.finish.is_abandoned() || positions.iter().all(past) {
                break;
            }
        }
    }
    let unfinished = job.finish.unfinished(positions.into_iter());
    Ok(Consumed {
        partitions: job.partitions,
        unfinished,
        poison: job.inspect.labour.counts(),
        verifier: job.inspect.verifier,
    })
}

/// The finish line, where the last records before it are none to be shown:
/// markers of transactions, and records of aborted ones.
///
/// Only the end of the partition tells that nothing more comes, and one that
/// was met before the line was drawn tells nothing. So when the line is drawn
/// every partition is sought anew, which drops what the client had queued.
#[derive(Default)]
pub(super) struct Line {
    sought: bool,
}

impl Line {
    pub(super) fn look<C: ConsumerContext>(
        &mut self,
        client: &BaseConsumer<C>,
        job: &ConsumerJob,
        positions: &BTreeMap<u32, i64>,
    ) -> Result<(), KafkaError> {
        if self.sought || !job.finish.is_drawn() {
            return Ok(());
        }
        let mut before = TopicPartitionList::new();
        for (partition, position) in positions {
            if !job.finish.is_past(*partition, *position) {
                let (topic, at) = (&job.route.topic, Offset::Offset(*position));
                before.add_partition_offset(topic, partition.cast_signed(), at)?;
            }
        }
        if before.count() == 0 {
            self.sought = true;
            return Ok(());
        }
        for sought in client.seek_partitions(before, SEEK)?.elements() {
            match sought.error() {
                Ok(()) => {}
                // It has just come or gone, in a group: the next look is soon.
                Err(error) if error.rdkafka_error_code() == Some(NOT_FETCHED) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.sought = true;
        Ok(())
    }

    /// The end of `partition` was met: there is nothing to read before the line.
    pub(super) fn reached(
        &self,
        partition: u32,
        finish: &FinishLine,
        positions: &mut BTreeMap<u32, i64>,
    ) {
        if let Some(end) = finish.end(partition).filter(|_| self.sought) {
            let position = positions.entry(partition).or_default();
            *position = end.max(*position);
        }
    }
}

pub(super) fn judge(
    job: &mut ConsumerJob,
    positions: &mut BTreeMap<u32, i64>,
    message: &BorrowedMessage<'_>,
) -> Result<(), DriveError> {
    let now = Mono::now();
    let partition = message.partition().cast_unsigned();
    let (key, value) = (message.key(), message.payload().unwrap_or_default());
    let mut bytes = value.len() + key.map_or(0, <[u8]>::len);
    let mut stamp = None;
    for header in message
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter())
    {
        bytes += header.key.len() + header.value.map_or(0, <[u8]>::len);
        if job.inspect.marking.place == StampPlace::Header && header.key == STAMP_HEADER {
            stamp = header.value;
        }
    }
    let incoming = Incoming {
        partition,
        offset: message.offset(),
        key,
        value,
        stamp,
        bytes: bytes as u64,
    };
    job.inspect.recorder.turn(now);
    if job.inspect.record(&incoming, now)? {
        positions.insert(partition, message.offset() + 1);
    }
    Ok(())
}

pub(super) fn is_fatal(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::Fatal)
}

pub(super) fn config(
    route: &Route,
    settings: &ConsumerSettings,
) -> Result<ClientConfig, DriveError> {
    /// librdkafka refuses a total below a message's maximum.
    const FETCH_BYTES_MIN: i32 = 1_000_000;
    let isolation = if settings.read_committed {
        "read_committed"
    } else {
        "read_uncommitted"
    };
    let mut config = ClientConfig::new();
    route.bootstrap.configure(&mut config)?;
    config
        .set("client.id", crate::native::CLIENT_ID)
        .set("group.id", "plimsoll-assigned")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", isolation)
        .set("fetch.min.bytes", settings.min_bytes.to_string())
        .set("fetch.wait.max.ms", settings.wait.as_millis().to_string())
        .set(
            "fetch.max.bytes",
            settings.max_bytes.max(FETCH_BYTES_MIN).to_string(),
        )
        .set(
            "max.partition.fetch.bytes",
            settings.partition_max_bytes.to_string(),
        );
    Ok(config)
}
