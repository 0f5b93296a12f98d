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
use plimsoll_wire::types::{LeaderEpoch, Offset, ProducerId, Sequence};
use std::sync::Arc;

/// The log of one coordinator, for as long as this node leads it in one term.
pub(crate) struct OwnLog {
    partition: Arc<Partition>,
    /// The term in which the coordinator was loaded: what it writes in another
    /// would follow on what it does not know.
    epoch: LeaderEpoch,
    /// Told when what was appended last is replicated.
    replicated: Arc<dyn Wake>,
}

impl OwnLog {
    /// The log of a partition that this node leads, once all that it held when
    /// the term began is replicated: what is not might yet be lost, and nobody
    /// may be told of it. `replicated` is told when what was appended and was
    /// not replicated at once is.
    pub(crate) fn of(
        partition: Arc<Partition>,
        replicated: Arc<dyn Wake>,
    ) -> Result<Self, ErrorCode> {
        let epoch = {
            let held = partition.lock();
            let log = held.led().map_err(|code| match code {
                ErrorCode::NotLeaderOrFollower => ErrorCode::NotCoordinator,
                _ => ErrorCode::CoordinatorNotAvailable,
            })?;
            if log.high_watermark() < log.log_end() {
                return Err(ErrorCode::CoordinatorLoadInProgress);
            }
            held.led_epoch()?
        };
        Ok(Self {
            partition,
            epoch,
            replicated,
        })
    }

    /// The term of the coordinator.
    pub(crate) const fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Below it everything is replicated to those in sync.
    pub(crate) fn high_watermark(&self) -> Option<Offset> {
        self.partition
            .lock()
            .led()
            .ok()
            .map(PartitionLog::high_watermark)
    }

    /// Asks to be told when the partition's high watermark has passed an offset.
    pub(crate) fn await_replicas(&self, upto: Offset) {
        let wait = FetchWait::new(0, Arc::clone(&self.replicated));
        let mut held = self.partition.lock();
        if held.wait(&wait, Awaited::HighWatermark(upto), upto) {
            wait.wake();
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
        let written = self.write(batch, now).map_err(|error| match error {
            OwnWriteError::Gone => AppendRefused::NotLeader,
            OwnWriteError::Append(AppendError::LargerThanSegment { .. }) => AppendRefused::TooLarge,
            OwnWriteError::TooFewInSync | OwnWriteError::Append(_) => AppendRefused::Unavailable,
        })?;
        if written.high_watermark < written.end {
            self.await_replicas(written.end);
        }
        let answered = mutation::is(Mutation::AnswerUnreplicated);
        Ok(Appended {
            base: written.base,
            high_watermark: if answered {
                written.end
            } else {
                written.high_watermark
            },
        })
    }

    /// Appends a batch of the coordinator's.
    pub(crate) fn write(&self, batch: Vec<u8>, now: Now) -> Result<Written, OwnWriteError> {
        write_own(&self.partition, Some(self.epoch), batch, now)
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
    /// The partition is not here or offline, or is led in another term.
    Gone,
    /// Fewer replicas are in sync than `min.insync.replicas`.
    TooFewInSync,
    /// The log did not take it.
    Append(AppendError),
}

/// Where the broker's own batch came to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The offset of its first record, and the one after its last.
    pub(crate) base: Offset,
    pub(crate) end: Offset,
    /// The partition's high watermark after the append.
    pub(crate) high_watermark: Offset,
    /// The term it was appended in.
    pub(crate) epoch: LeaderEpoch,
}

/// Appends a batch that the broker built itself, in the term it was meant for
/// if any.
pub(crate) fn write_own(
    partition: &Partition,
    term: Option<LeaderEpoch>,
    mut batch: Vec<u8>,
    now: Now,
) -> Result<Written, OwnWriteError> {
    let malformed = |error: BatchError| AppendError::Malformed(error.to_string());
    let header = BatchHeader::parse(&batch)
        .map_err(malformed)
        .map_err(OwnWriteError::Append)?;
    let mut held = partition.lock();
    if held.leading().is_some_and(|leading| !leading.has_enough()) {
        return Err(OwnWriteError::TooFewInSync);
    }
    let (log, leader_epoch) = held.led_mut().map_err(|_| OwnWriteError::Gone)?;
    let is_late = term.is_some_and(|term| term != leader_epoch);
    if is_late && !mutation::is(Mutation::KeepCoordinator) {
        return Err(OwnWriteError::Gone);
    }
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
        held.wake_consumers();
    }
    let log = held.log().map_err(|_| OwnWriteError::Gone)?;
    Ok(Written {
        base: appended.base_offset,
        end: appended.last_offset.plus(1),
        high_watermark: log.high_watermark(),
        epoch: leader_epoch,
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
