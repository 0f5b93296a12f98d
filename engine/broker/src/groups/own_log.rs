//! A coordinator's partition: written by the broker itself, and replayed.

use crate::log_scan::{OWN_BATCH_BYTES_MAX, for_each_batch};
use crate::partition::Partition;
use plimsoll_coordinator::{Append, AppendRefused, Appended, GroupShard};
use plimsoll_log::{AppendAs, AppendError, Origin};
use plimsoll_wire::batch::{self, BatchBuilder, BatchHeader, BatchSettings, records};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{Offset, Sequence};
use std::sync::Arc;

/// The log of one coordinator.
pub(crate) struct OwnLog {
    partition: Arc<Partition>,
}

impl OwnLog {
    pub(crate) const fn new(partition: Arc<Partition>) -> Self {
        Self { partition }
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
        let mut builder = BatchBuilder::new(settings);
        for (key, value) in &append.records {
            builder.push(now.wall, Some(key), value.as_deref());
        }
        let mut batch = builder.build().map_err(|_| AppendRefused::TooLarge)?;
        let header = BatchHeader::parse(&batch).map_err(|_| AppendRefused::TooLarge)?;
        let how = AppendAs {
            leader_epoch: self.partition.leader_epoch(),
            now: now.wall,
            origin: Origin::Coordinator,
        };
        let mut held = self.partition.lock();
        let log = held.log_mut().map_err(|_| AppendRefused::NotLeader)?;
        let appended = log.append(&mut batch, &header, how).map_err(|error| {
            let (topic, index) = (&self.partition.topic, self.partition.index.get());
            tracing::error!(%error, %topic, partition = index, "a coordinator cannot write");
            match error {
                AppendError::LargerThanSegment { .. } => AppendRefused::TooLarge,
                _ => AppendRefused::Unavailable,
            }
        })?;
        held.grew(batch.len());
        let high_watermark = held
            .log()
            .map_err(|_| AppendRefused::NotLeader)?
            .high_watermark();
        Ok(Appended {
            base: appended.base_offset,
            high_watermark,
        })
    }

    /// Hands the log's records to a new coordinator. Answers with the high
    /// watermark.
    pub(crate) fn replay(&self, coordinator: &mut GroupShard) -> Result<Offset, ErrorCode> {
        let held = self.partition.lock();
        let log = held.log()?;
        let mut scratch = Vec::new();
        for_each_batch(log, |header, batch| {
            let broken = |source| crate::error::BrokerError::Batch {
                log: self.partition.topic.to_string(),
                offset: header.base_offset,
                source,
            };
            let producer = header.is_transactional().then_some(header.producer_id);
            for record in records(batch, &mut scratch, OWN_BATCH_BYTES_MAX).map_err(broken)? {
                let record = record.map_err(broken)?;
                let key = record.key.unwrap_or_default();
                if header.is_control() {
                    if let Some(committed) = marker_commits(key) {
                        coordinator.replay_marker(header.producer_id, committed);
                    }
                } else if let Err(error) =
                    coordinator.replay(record.offset, producer, key, record.value)
                {
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

/// Whether a transaction marker's key says commit; none when it is no such key.
/// The key is a version and a type, both 16 bits: 0 aborts, 1 commits.
fn marker_commits(key: &[u8]) -> Option<bool> {
    match key {
        [_, _, 0, 0] => Some(false),
        [_, _, 0, 1] => Some(true),
        _ => None,
    }
}
