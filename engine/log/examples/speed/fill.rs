//! Logs to measure on.

use plimsoll_log::{AppendAs, Checkpointed, LogConfig, Origin, OsDisk, PartitionLog};
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings};
use plimsoll_wire::types::{LeaderEpoch, TimestampMs};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

pub const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

/// Opens the log in a directory.
pub fn open(
    dir: PathBuf,
    config: &Arc<LogConfig>,
    from: Checkpointed,
) -> Result<PartitionLog, Box<dyn Error>> {
    let (log, _) = PartitionLog::open(Arc::new(OsDisk), dir, Arc::clone(config), from, NOW)?;
    Ok(log)
}

/// Appends a batch of records.
pub fn append<'a>(
    log: &mut PartitionLog,
    records: impl IntoIterator<Item = (Option<&'a [u8]>, &'a [u8])>,
) -> Result<(), Box<dyn Error>> {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    for (key, value) in records {
        builder.push(NOW, key, Some(value));
    }
    let mut batch = builder.build()?;
    let header = BatchHeader::parse(&batch)?;
    let how = AppendAs {
        leader_epoch: LeaderEpoch(0),
        now: NOW,
        origin: Origin::Client,
    };
    log.append(&mut batch, &header, how)?;
    log.set_high_watermark(log.log_end());
    Ok(())
}
