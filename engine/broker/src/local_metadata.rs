//! The metadata log of a single node: a partition log like any other, synced
//! before a change counts.

use crate::error::BrokerError;
use crate::log_scan::{OWN_BATCH_BYTES_MAX, for_each_batch};
use plimsoll_cluster::{Image, MetadataLog, MetadataRecord, StorageFault};
use plimsoll_log::{AppendAs, Origin, PartitionLog};
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, records};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{LeaderEpoch, Offset};

/// The metadata log in this node's own directory.
pub(crate) struct LocalMetadataLog {
    log: PartitionLog,
    epoch: LeaderEpoch,
}

impl LocalMetadataLog {
    /// Takes a log over for a new term of this node.
    pub(crate) fn new(log: PartitionLog) -> Self {
        let last = log.latest_epoch().map_or(0, LeaderEpoch::get);
        Self {
            log,
            epoch: LeaderEpoch(last.saturating_add(1)),
        }
    }

    /// The image that the log's records make, and the offset of the last one.
    pub(crate) fn replay(&self) -> Result<(Image, Offset), BrokerError> {
        let mut image = Image::default();
        let mut scratch = Vec::new();
        for_each_batch(&self.log, |header, batch| {
            if header.is_control() {
                return Ok(());
            }
            let broken = |source| BrokerError::Batch {
                log: "metadata log".into(),
                offset: header.base_offset,
                source,
            };
            for record in records(batch, &mut scratch, OWN_BATCH_BYTES_MAX).map_err(broken)? {
                let record = record.map_err(broken)?;
                let offset = record.offset;
                let unfit = |source| BrokerError::Metadata { offset, source };
                let change = MetadataRecord::decode(record.value.unwrap_or_default());
                image.replay(&change.map_err(unfit)?).map_err(unfit)?;
            }
            Ok(())
        })?;
        Ok((image, self.log.log_end().plus(-1)))
    }
}

impl MetadataLog for LocalMetadataLog {
    fn append(&mut self, records: &[MetadataRecord], now: Now) -> Result<Offset, StorageFault> {
        let mut builder = BatchBuilder::new(BatchSettings {
            leader_epoch: self.epoch,
            ..BatchSettings::default()
        });
        for record in records {
            builder.push(now.wall, None, Some(&record.encode()));
        }
        let fault = |error: String| StorageFault(error);
        let mut batch = builder.build().map_err(|error| fault(error.to_string()))?;
        let header = BatchHeader::parse(&batch).map_err(|error| fault(error.to_string()))?;
        let how = AppendAs {
            leader_epoch: self.epoch,
            now: now.wall,
            origin: Origin::Coordinator,
        };
        let appended = self
            .log
            .append(&mut batch, &header, how)
            .map_err(|error| fault(error.to_string()))?;
        self.log
            .flush(now.wall)
            .map_err(|error| fault(error.to_string()))?;
        self.log.set_high_watermark(self.log.log_end());
        Ok(appended.base_offset)
    }
}
