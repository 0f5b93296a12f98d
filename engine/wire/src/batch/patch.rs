//! Rewriting a batch where it lies, without reading its records.
//!
//! Each function takes a slice that begins with a batch whose header has been
//! parsed; a shorter one is a programmer's error and panics.

use super::{Attributes, HEADER_LEN, at, crc32c};
use crate::types::{LeaderEpoch, Offset, TimestampMs};

/// Gives the batch its offset. The checksum does not cover it.
///
/// # Panics
/// When `batch` is shorter than a header.
pub fn patch_base_offset(batch: &mut [u8], offset: Offset) {
    *field(batch, at::BASE_OFFSET) = offset.get().to_be_bytes();
}

/// Stamps the batch with the leader's epoch. The checksum does not cover it.
///
/// # Panics
/// When `batch` is shorter than a header.
pub fn patch_leader_epoch(batch: &mut [u8], epoch: LeaderEpoch) {
    *field(batch, at::PARTITION_LEADER_EPOCH) = epoch.get().to_be_bytes();
}

/// Makes `now` the timestamp of every record, as `message.timestamp.type =
/// LogAppendTime` asks, and recomputes the checksum. `batch` is exactly one
/// batch.
///
/// # Panics
/// When `batch` is shorter than a header.
pub fn patch_log_append_time(batch: &mut [u8], now: TimestampMs) {
    let attributes: &mut [u8; 2] = field(batch, at::ATTRIBUTES);
    let bits = i16::from_be_bytes(*attributes) | Attributes::LOG_APPEND_TIME;
    *attributes = bits.to_be_bytes();
    *field(batch, at::MAX_TIMESTAMP) = now.get().to_be_bytes();
    seal(batch);
}

/// Computes and stores the checksum of `batch`, which is exactly one batch.
pub(super) fn seal(batch: &mut [u8]) {
    let crc = crc32c(batch.get(at::ATTRIBUTES..).unwrap_or_default());
    *field(batch, at::CRC) = crc.to_be_bytes();
}

/// The `N` bytes of the header field at `at`.
fn field<const N: usize>(batch: &mut [u8], at: usize) -> &mut [u8; N] {
    let len = batch.len();
    let field = batch.get_mut(at..).and_then(|rest| rest.first_chunk_mut());
    match field {
        Some(field) if len >= HEADER_LEN => field,
        _ => panic!("a batch of {len} bytes is shorter than its header"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, BatchHeader, BatchSettings, TimestampType, verify_crc};
    use super::*;

    fn one_record() -> Vec<u8> {
        let mut builder = BatchBuilder::new(BatchSettings::default());
        builder.push(TimestampMs(5), None, Some(b"value"));
        builder.build().unwrap()
    }

    #[test]
    fn offset_and_epoch_leave_the_checksum_valid() {
        let mut batch = one_record();
        patch_base_offset(&mut batch, Offset(1 << 40));
        patch_leader_epoch(&mut batch, LeaderEpoch(9));
        verify_crc(&batch).unwrap();
        let header = BatchHeader::parse(&batch).unwrap();
        assert_eq!(header.base_offset, Offset(1 << 40));
        assert_eq!(header.partition_leader_epoch, LeaderEpoch(9));
    }

    #[test]
    fn log_append_time_replaces_timestamps_and_checksum() {
        let mut batch = one_record();
        let before = BatchHeader::parse(&batch).unwrap();
        patch_log_append_time(&mut batch, TimestampMs(77));
        verify_crc(&batch).unwrap();
        let after = BatchHeader::parse(&batch).unwrap();
        assert_ne!(before.crc, after.crc);
        assert_eq!(after.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(after.max_timestamp, TimestampMs(77));
        let mut scratch = Vec::new();
        let mut records = super::super::records(&batch, &mut scratch, 1024).unwrap();
        assert_eq!(records.next().unwrap().unwrap().timestamp, TimestampMs(77));
    }

    #[test]
    #[should_panic(expected = "shorter than its header")]
    fn a_slice_without_a_header_is_a_programmers_error() {
        patch_base_offset(&mut [0; 60], Offset(0));
    }
}
