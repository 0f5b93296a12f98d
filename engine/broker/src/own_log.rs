//! A coordinator's partition: written by the broker itself, and replayed.

use crate::error::BrokerError;
use crate::fetch_wait::FetchWait;
use crate::log_scan::{OWN_BATCH_BYTES_MAX, for_each_batch};
use crate::outcome::Wake;
use crate::partition::{Awaited, Partition};
use plimsoll_coordinator::schema::SchemaError;
use plimsoll_coordinator::{Append, AppendRefused, Appended};
use plimsoll_log::{AppendAs, AppendError, Origin, PartitionLog};
use plimsoll_wire::batch::{
    self, BatchBuilder, BatchError, BatchHeader, BatchSettings, Record, records,
};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{Offset, ProducerId, Sequence};
use std::sync::Arc;

/// The log of one coordinator.
pub(crate) struct OwnLog {
    partition: Arc<Partition>,
    /// Told when what was appended last is replicated.
    replicated: Option<Arc<dyn Wake>>,
}

impl OwnLog {
    pub(crate) const fn new(partition: Arc<Partition>) -> Self {
        Self {
            partition,
            replicated: None,
        }
    }

    /// As [`OwnLog::new`]; `replicated` is told when what was appended and was
    /// not replicated at once is.
    pub(crate) fn watched(partition: Arc<Partition>, replicated: Arc<dyn Wake>) -> Self {
        Self {
            partition,
            replicated: Some(replicated),
        }
    }

    /// Below it everything is replicated to those in sync.
    pub(crate) fn high_watermark(&self) -> Option<Offset> {
        self.partition
            .lock()
            .led()
            .ok()
            .map(PartitionLog::high_watermark)
    }

    fn await_replicas(&self, appended: &Appended, records: usize) {
        let count = i64::try_from(records).unwrap_or(i64::MAX);
        let end = appended.base.plus(count);
        if let (Some(wake), true) = (&self.replicated, appended.high_watermark < end) {
            let wait = FetchWait::new(0, Arc::clone(wake));
            let mut held = self.partition.lock();
            if held.wait(&wait, Awaited::HighWatermark(end), end) {
                wait.wake();
            }
        }
    }

    /// Appends a coordinator's records as one batch.
    pub(crate) fn append(&self, append: &Append, now: Now) -> Result<Appended, AppendRefused> {
        let producer = append
            .producer
            .map_or(batch::Producer::NONE, |producer| batch::Producer {
                id: producer.id,
                epoch: producer.epoch,
                base_sequence: Sequence::NONE,
            });
        let transactional = append.producer.is_some();
        let settings = BatchSettings {
            producer,
            transactional,
            ..BatchSettings::default()
        };
        if mutation::is(Mutation::ForgetCommit) && is_commit(append) {
            let held = self.partition.lock();
            let log = held.log().map_err(|_| AppendRefused::NotLeader)?;
            let (base, high_watermark) = (log.log_end(), log.high_watermark());
            return Ok(Appended {
                base,
                high_watermark,
            });
        }
        let mut builder = BatchBuilder::new(settings);
        for (key, value) in &append.records {
            builder.push(now.wall, Some(key), value.as_deref());
        }
        let batch = builder.build().map_err(|_| AppendRefused::TooLarge)?;
        let written = write_own(&self.partition, batch, now).map_err(|error| match error {
            OwnWriteError::Gone => AppendRefused::NotLeader,
            OwnWriteError::Append(AppendError::LargerThanSegment { .. }) => AppendRefused::TooLarge,
            OwnWriteError::Append(_) => AppendRefused::Unavailable,
        })?;
        self.await_replicas(&written, append.records.len());
        Ok(written)
    }

    /// Hands all that the log holds to a new coordinator. Answers with the high
    /// watermark.
    pub(crate) fn replay(
        &self,
        mut visit: impl FnMut(Replayed<'_>) -> Result<(), SchemaError>,
    ) -> Result<Offset, ErrorCode> {
        let held = self.partition.lock();
        let log = held.led()?;
        let mut scratch = Vec::new();
        for_each_batch(log, |header, batch| {
            let broken = |source| BrokerError::Batch {
                log: self.partition.topic.to_string(),
                offset: header.base_offset,
                source,
            };
            for record in records(batch, &mut scratch, OWN_BATCH_BYTES_MAX).map_err(broken)? {
                let record = record.map_err(broken)?;
                let Some(replayed) = Replayed::of(header, &record) else {
                    continue;
                };
                if let Err(error) = visit(replayed) {
                    let (topic, offset) = (&self.partition.topic, record.offset.get());
                    tracing::warn!(%error, %topic, offset, "skipping a damaged record");
                }
            }
            Ok(())
        })
        .map_err(|error| {
            tracing::error!(%error, "cannot load a coordinator");
            ErrorCode::CoordinatorNotAvailable
        })?;
        Ok(log.high_watermark())
    }
}

/// Whether these are offsets that a member commits: their keys are of version 1.
fn is_commit(append: &Append) -> bool {
    let mut keys = append.records.iter().map(|(key, _)| key);
    append.producer.is_none() && keys.all(|key| key.starts_with(&[0, 1]))
}

/// Why the broker's own batch was not written.
pub(crate) enum OwnWriteError {
    /// The partition is not here or offline.
    Gone,
    /// The log did not take it.
    Append(AppendError),
}

/// Appends a batch that the broker built itself.
pub(crate) fn write_own(
    partition: &Partition,
    mut batch: Vec<u8>,
    now: Now,
) -> Result<Appended, OwnWriteError> {
    let malformed = |error: BatchError| AppendError::Malformed(error.to_string());
    let header = BatchHeader::parse(&batch)
        .map_err(malformed)
        .map_err(OwnWriteError::Append)?;
    let mut held = partition.lock();
    let (log, leader_epoch) = held.led_mut().map_err(|_| OwnWriteError::Gone)?;
    let how = AppendAs {
        leader_epoch,
        now: now.wall,
        origin: Origin::Coordinator,
    };
    let appended = log.append(&mut batch, &header, how).map_err(|error| {
        if let AppendError::Log(error) = &error {
            partition.storage_failed("write a coordinator's records", error);
        } else {
            let (topic, index) = (&partition.topic, partition.index.get());
            tracing::error!(%error, %topic, partition = index, "a coordinator cannot write");
        }
        OwnWriteError::Append(error)
    })?;
    held.grew(batch.len());
    if header.is_transactional() {
        held.guards.lower(header.producer_id);
    }
    if header.is_control() {
        // A marker lets readers of committed records go on, whatever they lack.
        held.wake_all();
    }
    let high_watermark = held
        .log()
        .map_err(|_| OwnWriteError::Gone)?
        .high_watermark();
    Ok(Appended {
        base: appended.base_offset,
        high_watermark,
    })
}

/// What a coordinator's log holds.
pub(crate) enum Replayed<'a> {
    /// A record of the coordinator's.
    Record {
        /// Where it lies.
        offset: Offset,
        /// In whose transaction it was written.
        producer: Option<ProducerId>,
        key: &'a [u8],
        value: Option<&'a [u8]>,
    },
    /// The end of a transaction.
    Marker {
        producer: ProducerId,
        committed: bool,
    },
}

impl<'a> Replayed<'a> {
    fn of(header: &BatchHeader, record: &Record<'a>) -> Option<Self> {
        let key = record.key.unwrap_or_default();
        if header.is_control() {
            let producer = header.producer_id;
            return marker_commits(key).map(|committed| Self::Marker {
                producer,
                committed,
            });
        }
        let producer = header.is_transactional().then_some(header.producer_id);
        Some(Self::Record {
            offset: record.offset,
            producer,
            key,
            value: record.value,
        })
    }
}

/// Whether a transaction marker's key says commit; none when it is no such key.
/// The key is a version and a type, both 16 bits: 0 aborts, 1 commits.
fn marker_commits(key: &[u8]) -> Option<bool> {
    match key {
        [_, _, 0, 0] => Some(false),
        [_, _, 0, 1] => Some(true),
        _ => None,
    }
}
