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
    /// `INVALID_TIMESTAMP`: only the broker sets LogAppendTime.
    #[error("record batch is marked LogAppendTime, expected CreateTime from a producer")]
    TimestampType,
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
    let header = BatchHeader::parse(bytes).map_err(|error| unparsed(bytes, error))?;
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

/// A header that contradicts itself is the producer's doing when the checksum
/// is right, and else damage on the way, after which trying again may help.
fn unparsed(bytes: &[u8], error: BatchError) -> InvalidBatch {
    match error {
        BatchError::Magic { magic } => InvalidBatch::Magic { magic },
        BatchError::Negative { field, value } if verify_crc(bytes).is_ok() => InvalidBatch::Field {
            field,
            value: i64::from(value),
            expected: 0,
        },
        other => InvalidBatch::Corrupt(other),
    }
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
    if header.timestamp_type() == TimestampType::LogAppendTime {
        return Err(InvalidBatch::TimestampType);
    }
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

#[cfg(test)]
mod tests {
    use super::super::patch::seal;
    use super::super::{BatchBuilder, BatchSettings, HEADER_LEN, Producer, at};
    use super::*;
    use crate::types::ProducerId;

    const RULES: ProduceRules = ProduceRules {
        message_max_bytes: 1000,
        timestamp_type: TimestampType::CreateTime,
        now: TimestampMs(10_000),
        timestamp_before_max_ms: 5_000,
        timestamp_after_max_ms: 100,
        zstd_allowed: true,
        keys_required: false,
        inflated_max_bytes: 1 << 20,
    };

    fn produced(settings: BatchSettings, timestamp: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new(settings);
        builder.push(TimestampMs(timestamp), Some(b"key"), Some(b"value"));
        builder.push(TimestampMs(timestamp), None, Some(b"value"));
        builder.build().unwrap()
    }

    #[test]
    fn a_topic_takes_only_what_its_rules_allow() {
        let check = |batch: &[u8], rules: ProduceRules, expected: Result<(), &str>| {
            let got = validate_produce(batch, &rules)
                .map(drop)
                .map_err(|e| e.to_string());
            assert_eq!(got, expected.map_err(str::to_owned));
        };
        let plain = produced(BatchSettings::default(), 10_000);
        let zstd = produced(
            BatchSettings {
                compression: Compression::Zstd,
                ..BatchSettings::default()
            },
            10_000,
        );
        check(&plain, RULES, Ok(()));
        check(&zstd, RULES, Ok(()));
        check(&[], RULES, Err("no record batch, expected exactly one"));
        check(
            &zstd,
            ProduceRules {
                zstd_allowed: false,
                ..RULES
            },
            Err("zstd in a produce request older than version 7"),
        );
        let len = plain.len();
        check(
            &plain,
            ProduceRules {
                message_max_bytes: len - 1,
                ..RULES
            },
            Err(&format!(
                "record batch of {len} bytes, expected at most {}",
                len - 1
            )),
        );
        for batch in [&plain, &zstd] {
            check(
                batch,
                ProduceRules {
                    keys_required: true,
                    ..RULES
                },
                Err("record 1 has no key, which a compacted topic requires"),
            );
        }
        let two = [plain.clone(), plain.clone()].concat();
        check(
            &two,
            RULES,
            Err(&format!(
                "{len} bytes after the first record batch, expected exactly one batch"
            )),
        );
        check(
            &plain[..len - 1],
            RULES,
            Err(&format!("batch: {len} bytes needed, {} present", len - 1)),
        );
        let mut flipped = plain.clone();
        flipped[len - 1] ^= 1;
        assert!(matches!(
            validate_produce(&flipped, &RULES),
            Err(InvalidBatch::Corrupt(BatchError::Crc { .. }))
        ));
        let mut old = plain.clone();
        old[at::MAGIC] = 1;
        check(&old, RULES, Err("record batch magic 1, expected 2"));
    }

    #[test]
    fn timestamps_outside_the_topics_window_are_refused() {
        let check = |timestamp: i64, kind: TimestampType, accepted: bool| {
            let batch = produced(BatchSettings::default(), timestamp);
            let rules = ProduceRules {
                timestamp_type: kind,
                ..RULES
            };
            let got = validate_produce(&batch, &rules);
            assert_eq!(got.is_ok(), accepted, "timestamp {timestamp}: {got:?}");
        };
        check(10_100, TimestampType::CreateTime, true);
        check(10_101, TimestampType::CreateTime, false);
        check(5_000, TimestampType::CreateTime, true);
        check(4_999, TimestampType::CreateTime, false);
        check(-1, TimestampType::CreateTime, true);
        check(99_999, TimestampType::LogAppendTime, true);
    }

    #[test]
    fn clients_may_not_claim_what_is_the_brokers() {
        let check = |settings: BatchSettings, expected: &str| {
            let mut builder = BatchBuilder::new(settings);
            builder.push(TimestampMs(10_000), None, Some(b"v"));
            let got = validate_produce(&builder.build().unwrap(), &RULES);
            assert_eq!(got.unwrap_err().to_string(), expected);
        };
        let plain = BatchSettings::default();
        check(
            BatchSettings {
                control: true,
                ..plain
            },
            "record batch is marked as control, which only brokers write",
        );
        check(
            BatchSettings {
                base_offset: Offset(3),
                ..plain
            },
            "record batch base offset 3, expected 0",
        );
        check(
            BatchSettings {
                log_append_time: Some(TimestampMs(10_000)),
                ..plain
            },
            "record batch is marked LogAppendTime, expected CreateTime from a producer",
        );
        let id = ProducerId(4);
        check(
            BatchSettings {
                producer: Producer {
                    id,
                    ..Producer::NONE
                },
                ..plain
            },
            "record batch base sequence -1, expected 0",
        );
        let mut builder = BatchBuilder::new(plain);
        builder.push(TimestampMs(10_000), None, None);
        builder.cover_through(Offset(4), TimestampMs(10_000));
        let gap = validate_produce(&builder.build().unwrap(), &RULES).unwrap_err();
        assert_eq!(gap.to_string(), "record batch record count 1, expected 5");
    }

    #[test]
    fn a_negative_count_is_damage_unless_the_checksum_is_right() {
        let mut batch = produced(BatchSettings::default(), 10_000);
        batch[at::RECORD_COUNT..HEADER_LEN].copy_from_slice(&[0xff; 4]);
        let damaged = validate_produce(&batch, &RULES).unwrap_err();
        assert!(matches!(damaged, InvalidBatch::Corrupt(_)), "{damaged}");
        seal(&mut batch);
        let meant = validate_produce(&batch, &RULES).unwrap_err();
        assert_eq!(
            meant.to_string(),
            "record batch record count -1, expected 0"
        );
    }
}
