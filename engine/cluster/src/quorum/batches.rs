//! Metadata records as a batch of Kafka's format, one record each.

use crate::error::ClusterError;
use crate::records::MetadataRecord;
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, records};
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};

/// The most a metadata batch may hold.
const BATCH_BYTES_MAX: usize = 128 << 20;

/// The records as one batch that begins at `base`, written in `term`.
///
/// # Errors
/// When they are too large for one batch.
pub fn encode_batch(
    base: Offset,
    term: LeaderEpoch,
    written_at: TimestampMs,
    batch: &[MetadataRecord],
) -> Result<Vec<u8>, ClusterError> {
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: base,
        leader_epoch: term,
        ..BatchSettings::default()
    });
    for record in batch {
        builder.push(written_at, None, Some(&record.encode()));
    }
    builder
        .build()
        .map_err(|error| ClusterError::Batch(error.to_string()))
}

/// The records of a batch. A control batch has none.
///
/// # Errors
/// When the bytes are no batch, or a record in it cannot be read.
pub fn decode_batch(bytes: &[u8]) -> Result<Vec<MetadataRecord>, ClusterError> {
    let broken = |error: plimsoll_wire::batch::BatchError| ClusterError::Batch(error.to_string());
    let header = BatchHeader::parse(bytes).map_err(broken)?;
    if header.is_control() {
        return Ok(Vec::new());
    }
    let mut scratch = Vec::new();
    records(bytes, &mut scratch, BATCH_BYTES_MAX)
        .map_err(broken)?
        .map(|record| MetadataRecord::decode(record.map_err(broken)?.value.unwrap_or_default()))
        .collect()
}
