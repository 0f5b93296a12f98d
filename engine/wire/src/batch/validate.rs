//! Whether a client's batch may be appended.
//!
//! The rules are those of Apache Kafka's log validator. They read the header
//! and the checksum alone; only a compacted topic, whose records must have
//! keys, has its records read.

use super::{BatchError, BatchHeader, TimestampType, records, verify_crc};
use crate::compression::Compression;
use crate::types::{Offset, Sequence, TimestampMs};
use thiserror::Error;

/// What a topic asks of a client's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProduceRules {
    /// `message.max.bytes`: the largest batch, header included.
    pub message_max_bytes: usize,
    /// `message.timestamp.type`. LogAppendTime overwrites timestamps, so that
    /// the producer's are not checked.
    pub timestamp_type: TimestampType,
    /// The broker's clock.
    pub now: TimestampMs,
    /// `message.timestamp.before.max.ms`: how old a record may be.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far ahead of the broker a record
    /// may be.
    pub timestamp_after_max_ms: i64,
    /// Whether the request's version may carry zstd: Produce 7 and later.
    pub zstd_allowed: bool,
    /// Whether every record must have a key: a compacted topic.
    pub keys_required: bool,
    /// The most that a batch may inflate to, where its records are read.
    pub inflated_max_bytes: usize,
}

/// Why a client's batch may not be appended. Each names the error code that
/// Kafka answers with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidBatch {
    /// `INVALID_RECORD`: the partition has no batch.
    #[error("no record batch, expected exactly one")]
    Missing,
    /// `INVALID_RECORD`: bytes follow the first batch.
    #[error("{extra} bytes after the first record batch, expected exactly one batch")]
    MoreThanOne {
        /// Bytes after the first batch.
        extra: usize,
    },
    /// `INVALID_RECORD`: a format version other than 2.
    #[error("record batch magic {magic}, expected 2")]
    Magic {
        /// The byte found.
        magic: i8,
    },
    /// `MESSAGE_TOO_LARGE`.
    #[error("record batch of {len} bytes, expected at most {max}")]
    TooLarge {
        /// Bytes of the batch.
        len: usize,
        /// The topic's limit.
        max: usize,
    },
    /// `CORRUPT_MESSAGE`: the bytes are not a batch, or the checksum is wrong.
    #[error(transparent)]
    Corrupt(BatchError),
    /// `UNSUPPORTED_COMPRESSION_TYPE`: zstd before Produce version 7.
    #[error("zstd in a produce request older than version 7")]
    ZstdTooEarly,
    /// `INVALID_RECORD`: the header contradicts itself or claims what only a
    /// broker may.
    #[error("record batch {field} {value}, expected {expected}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: i64,
        /// What would do.
        expected: i64,
    },
    /// `INVALID_RECORD`: clients write no control records.
    #[error("record batch is marked as control, which only brokers write")]
    Control,
    /// `INVALID_TIMESTAMP`.
    #[error("record timestamp {timestamp}, expected {earliest} to {latest}")]
    Timestamp {
        /// The header's base or max timestamp.
        timestamp: TimestampMs,
        /// The earliest that would do.
        earliest: TimestampMs,
        /// The latest that would do.
        latest: TimestampMs,
    },
    /// `INVALID_RECORD`: a record without a key on a compacted topic.
    #[error("record {index} has no key, which a compacted topic requires")]
    NoKey {
        /// The record's place in the batch, from 0.
        index: i32,
    },
}

/// Checks what a producer sent for one partition: exactly one batch that the
/// topic accepts.
///
/// `bytes` is all that the request holds for the partition.
pub fn validate_produce(bytes: &[u8], rules: &ProduceRules) -> Result<BatchHeader, InvalidBatch> {
    if bytes.is_empty() {
        return Err(InvalidBatch::Missing);
    }
    let header = BatchHeader::parse(bytes).map_err(|error| match error {
        BatchError::Magic { magic } => InvalidBatch::Magic { magic },
        other => InvalidBatch::Corrupt(other),
    })?;
    let len = header.total_len();
    if len > bytes.len() {
        return Err(InvalidBatch::Corrupt(BatchError::Truncated {
            need: len,
            have: bytes.len(),
        }));
    }
    if len < bytes.len() {
        return Err(InvalidBatch::MoreThanOne {
            extra: bytes.len() - len,
        });
    }
    if header.compression() == Compression::Zstd && !rules.zstd_allowed {
        return Err(InvalidBatch::ZstdTooEarly);
    }
    if len > rules.message_max_bytes {
        let max = rules.message_max_bytes;
        return Err(InvalidBatch::TooLarge { len, max });
    }
    verify_crc(bytes).map_err(InvalidBatch::Corrupt)?;
    check_header(&header)?;
    check_timestamps(&header, rules)?;
    if rules.keys_required {
        check_keys(bytes, rules.inflated_max_bytes)?;
    }
    Ok(header)
}

fn check_header(header: &BatchHeader) -> Result<(), InvalidBatch> {
    if header.is_control() {
        return Err(InvalidBatch::Control);
    }
    let expect = |field, value: i64, expected: i64| match value == expected {
        true => Ok(()),
        false => Err(InvalidBatch::Field {
            field,
            value,
            expected,
        }),
    };
    expect("base offset", header.base_offset.get(), Offset(0).get())?;
    let span = i64::from(header.last_offset_delta) + 1;
    expect("record count", i64::from(header.record_count), span)?;
    if header.producer_id.is_some() && header.base_sequence < Sequence(0) {
        let sequence = i64::from(header.base_sequence.get());
        return expect("base sequence", sequence, 0);
    }
    Ok(())
}

/// The header bounds its records' timestamps from above exactly, and from below
/// by its first record.
fn check_timestamps(header: &BatchHeader, rules: &ProduceRules) -> Result<(), InvalidBatch> {
    if rules.timestamp_type == TimestampType::LogAppendTime {
        return Ok(());
    }
    let now = rules.now.get();
    let earliest = TimestampMs(now.saturating_sub(rules.timestamp_before_max_ms));
    let latest = TimestampMs(now.saturating_add(rules.timestamp_after_max_ms));
    for timestamp in [header.base_timestamp, header.max_timestamp] {
        let in_range = (earliest..=latest).contains(&timestamp);
        if timestamp != TimestampMs::NONE && !in_range {
            return Err(InvalidBatch::Timestamp {
                timestamp,
                earliest,
                latest,
            });
        }
    }
    Ok(())
}

fn check_keys(batch: &[u8], cap: usize) -> Result<(), InvalidBatch> {
    let mut scratch = Vec::new();
    let records = records(batch, &mut scratch, cap).map_err(InvalidBatch::Corrupt)?;
    for (index, record) in (0..).zip(records) {
        if record.map_err(InvalidBatch::Corrupt)?.key.is_none() {
            return Err(InvalidBatch::NoKey { index });
        }
    }
    Ok(())
}
