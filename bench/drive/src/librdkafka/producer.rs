//! Producing through librdkafka.
//!
//! The worker's thread hands records over on schedule; librdkafka's delivery
//! reports come in on its polling thread and are recorded there, stamped one by
//! one. A record's times travel with it as the report's opaque, so nothing is
//! looked up.

use super::transactions::Transactions;
use crate::access::Bootstrap;
use crate::clock::{Mono, Pace, sharpen_timers, sleep_until};
use crate::driver::{Due, Outgoing, Produced, ProducerJob, ProducerSettings};
use crate::error::DriveError;
use crate::record::{Mark, Recorder};
use crate::verify::Written;
use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long to wait when the client's queue is full.
const FULL_WAIT_NANOS: u64 = 100_000;
/// The longest sleep, so that a stop is noticed.
const SLEEP_NANOS_MAX: u64 = 100_000_000;
/// How long purged records may take to be reported.
const PURGE_WAIT: Duration = Duration::from_secs(5);
/// Failed records that are remembered one by one.
const FAILED_MAX: usize = 1 << 20;

/// A record on its way through librdkafka.
pub(super) struct Pending {
    mark: Mark,
    partition: u32,
    sequence: u64,
}

/// What the delivery reports tell.
struct Reports {
    recorder: Recorder,
    acknowledged: u64,
    failed: Vec<(u32, u64)>,
    trouble: Option<String>,
}

#[derive(Clone)]
pub(super) struct Context(Arc<Mutex<Option<Reports>>>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        tracing::debug!(?level, fac, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(reports) = &mut *self.0.lock() {
            reports.trouble = Some(format!("{error}: {reason}"));
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Box<Pending>) {
        let now = Mono::now();
        let mut guard = self.0.lock();
        let Some(reports) = &mut *guard else {
            return;
        };
        match result {
            Ok(_) => {
                reports.acknowledged += 1;
                reports.recorder.acknowledged(&[pending.mark], now);
            }
            Err((error, _)) => {
                reports.recorder.failed(1);
                reports.trouble = Some(error.to_string());
                if reports.failed.len() < FAILED_MAX {
                    reports.failed.push((pending.partition, pending.sequence));
                }
            }
        }
    }
}

/// Runs one producer to its end.
pub fn produce(mut job: ProducerJob) -> Result<Produced, DriveError> {
    sharpen_timers();
    let window = *job.recorder.window();
    let reports = Reports {
        recorder: job.recorder.sibling(),
        acknowledged: 0,
        failed: Vec::new(),
        trouble: None,
    };
    let context = Context(Arc::new(Mutex::new(Some(reports))));
    let mut config = config(&job.route.bootstrap, &job.settings)?;
    if let Some(timeout) = job.settings.transaction_timeout {
        config
            .set("transactional.id", job.transactional_id())
            .set("transaction.timeout.ms", timeout.as_millis().to_string());
    }
    let client: ThreadedProducer<Context> = config.create_with_context(context.clone())?;
    let partitions = job.route.leaders.by_partition.len();
    let mut written = vec![Written::default(); partitions];
    sleep_until(window.start);
    let mut transactions = Transactions::begin(&job, &client)?;
    hand_off(&mut job, &client, &mut written, transactions.as_mut())?;
    if let Some(transactions) = &mut transactions {
        transactions.end(&mut job, &client, &mut written)?;
    }
    let left = window.give_up.elapsed_since(Mono::now());
    if client.flush(left).is_err() {
        client.purge(PurgeConfig::default().queue().inflight());
        let _still_unreported = client.flush(PURGE_WAIT);
    }
    let reports = context.0.lock().take();
    let mut produced = settle(reports, written, transactions.is_some());
    produced.aborted = transactions.map_or(0, |transactions| transactions.aborted());
    Ok(produced)
}

/// Hands records over as they come due, until there are no more.
fn hand_off(
    job: &mut ProducerJob,
    client: &ThreadedProducer<Context>,
    written: &mut [Written],
    mut transactions: Option<&mut Transactions>,
) -> Result<(), DriveError> {
    let window = *job.recorder.window();
    let pace = Pace::for_gap(job.source.gap_nanos());
    let topic = job.route.topic.clone();
    let mut room = Vec::new();
    while !job.stop.load(Ordering::Relaxed) {
        let now = Mono::now();
        job.recorder.turn(now);
        let intended = match job.source.due(now) {
            Due::Never => break,
            Due::Now(intended) => intended,
            Due::Later(at) => {
                let sleep = pace.sleep_nanos(at.since(now)).min(SLEEP_NANOS_MAX);
                sleep_until(now.plus(sleep));
                continue;
            }
        };
        let outgoing = job.source.next(intended);
        if let Some(written) = written
            .get_mut(outgoing.partition as usize)
            .filter(|_| !outgoing.aborts())
        {
            written.count_sent();
        }
        let mut closes = false;
        if let Some(transactions) = &mut transactions {
            closes = transactions.take(client, &outgoing)?;
        }
        let value = outgoing.whole_value(&mut room);
        let sent = send(client, &topic, &outgoing, value, (intended, window.give_up));
        let Some(handed_off) = sent? else {
            let record = (outgoing.partition, outgoing.sequence);
            refused(job, client, record);
            break;
        };
        let mark = Mark {
            intended,
            handed_off,
            bytes: outgoing.bytes(),
        };
        job.recorder.handed_off(&mark);
        if let Some(transactions) = transactions.as_mut().filter(|_| closes) {
            transactions.end(job, client, written)?;
        }
    }
    Ok(())
}

/// Notes that a record was never taken: the cell is over, and says so.
fn refused(job: &mut ProducerJob, client: &ThreadedProducer<Context>, record: (u32, u64)) {
    job.recorder.failed(1);
    if let Some(reports) = &mut *client.context().0.lock() {
        let full = "the client's queue was full until the drain ended".to_owned();
        reports.trouble.get_or_insert(full);
        if reports.failed.len() < FAILED_MAX {
            reports.failed.push(record);
        }
    }
}

/// Hands one record over, due at the first time, waiting until the second while the
/// client's queue is full. Returns when it was taken; `None` when there was no room
/// for it until the end.
fn send(
    client: &ThreadedProducer<Context>,
    topic: &str,
    outgoing: &Outgoing<'_>,
    value: &[u8],
    (intended, give_up): (Mono, Mono),
) -> Result<Option<Mono>, DriveError> {
    let bytes = outgoing.bytes();
    let pending = |handed_off| {
        Box::new(Pending {
            mark: Mark {
                intended,
                handed_off,
                bytes,
            },
            partition: outgoing.partition,
            sequence: outgoing.sequence,
        })
    };
    let mut now = Mono::now();
    let mut record = BaseRecord::with_opaque_to(topic, pending(now))
        .partition(outgoing.partition.cast_signed())
        .payload(value);
    record.key = outgoing.key;
    if outgoing.header_count() > 0 {
        let headers = OwnedHeaders::new_with_capacity(outgoing.header_count());
        record.headers = Some(outgoing.headers().fold(headers, |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        }));
    }
    loop {
        match client.send(record) {
            Ok(()) => return Ok(Some(now)),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                if now >= give_up {
                    return Ok(None);
                }
                sleep_until(now.plus(FULL_WAIT_NANOS));
                now = Mono::now();
                record = back;
                record.delivery_opaque = pending(now);
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

fn settle(reports: Option<Reports>, mut written: Vec<Written>, transactional: bool) -> Produced {
    let Some(mut reports) = reports else {
        return Produced {
            written,
            ..Produced::default()
        };
    };
    // Failed records of transactions are given up with their transaction.
    reports.failed.sort_unstable();
    for (partition, sequence) in reports.failed.iter().filter(|_| !transactional) {
        if let Some(written) = written.get_mut(*partition as usize) {
            written.give_up(*sequence, 1);
        }
    }
    let trouble = reports.trouble.take();
    Produced {
        written,
        records: reports.acknowledged,
        trouble,
        ..Produced::default()
    }
}

fn config(bootstrap: &Bootstrap, settings: &ProducerSettings) -> Result<ClientConfig, DriveError> {
    /// Bytes that a batch takes in a request beside its own.
    const REQUEST_OVERHEAD: usize = 4096;
    const MESSAGE_BYTES_DEFAULT: usize = 1_000_000;
    let linger = settings.linger.as_secs_f64() * 1e3;
    let message_bytes = (settings.batch_bytes + REQUEST_OVERHEAD).max(MESSAGE_BYTES_DEFAULT);
    let mut config = ClientConfig::new();
    bootstrap.configure(&mut config)?;
    config
        .set("client.id", crate::native::CLIENT_ID)
        .set("partitioner", "murmur2_random")
        .set("acks", settings.acks.to_string())
        .set("compression.codec", settings.compression.name())
        .set("batch.size", settings.batch_bytes.to_string())
        .set("batch.num.messages", "1000000")
        .set("message.max.bytes", message_bytes.to_string())
        .set("linger.ms", linger.to_string())
        .set(
            "max.in.flight.requests.per.connection",
            settings.in_flight.to_string(),
        )
        .set("enable.idempotence", settings.idempotence.to_string())
        .set("queue.buffering.max.messages", "0")
        .set(
            "queue.buffering.max.kbytes",
            (settings.buffer_bytes / 1024).max(1).to_string(),
        );
    if let Some(level) = settings.level {
        config.set("compression.level", level.to_string());
    }
    Ok(config)
}
