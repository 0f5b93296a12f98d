//! The 61 bytes before a batch's records, decoded.

use super::{BatchError, HEADER_LEN, LENGTH_OVERHEAD, MAGIC};
use crate::compression::Compression;
use crate::read::{ReadError, Reader};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// What a batch's timestamps mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// Set by the producer, one for each record.
    CreateTime,
    /// Set by the broker at append: the max timestamp is every record's.
    LogAppendTime,
}

/// The attribute bits of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub i16);

impl Attributes {
    /// Bits 0 to 2: the codec.
    pub const CODEC: i16 = 0b111;
    /// Bit 3: timestamps are the broker's.
    pub const LOG_APPEND_TIME: i16 = 1 << 3;
    /// Bit 4: part of a transaction.
    pub const TRANSACTIONAL: i16 = 1 << 4;
    /// Bit 5: a transaction marker or another record of the broker's own.
    pub const CONTROL: i16 = 1 << 5;
    /// Bit 6: the base timestamp is the delete horizon (KIP-534).
    pub const DELETE_HORIZON: i16 = 1 << 6;

    /// Whether all of `bits` are set.
    pub const fn has(self, bits: i16) -> bool {
        self.0 & bits == bits
    }

    /// The codec bits, 0 to 7.
    pub const fn codec(self) -> u8 {
        (self.0 & Self::CODEC) as u8
    }
}

/// A batch's header. Where [`BatchHeader::parse`] made it, the magic is 2, the
/// codec is known, and the length, the last offset delta and the record count
/// are not negative; the checksum is *not* checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record, before compaction took any.
    pub base_offset: Offset,
    /// Bytes of the batch after this field.
    pub batch_length: i32,
    /// The epoch of the leader that appended the batch.
    pub partition_leader_epoch: LeaderEpoch,
    /// The format version, 2.
    pub magic: i8,
    /// CRC-32C from the attributes on.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: Attributes,
    /// The last offset less the base offset. Compaction keeps it.
    pub last_offset_delta: i32,
    /// What record timestamps count from, or the delete horizon.
    pub base_timestamp: TimestampMs,
    /// The largest record timestamp, or the time of append.
    pub max_timestamp: TimestampMs,
    /// The idempotent producer, or −1.
    pub producer_id: ProducerId,
    /// Its epoch, or −1.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the first record, or −1.
    pub base_sequence: Sequence,
    /// How many records the batch holds now.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`. The records need not be
    /// present: compare [`total_len`](Self::total_len) with what is there.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::read(bytes).map_err(|_| BatchError::Truncated {
            need: HEADER_LEN,
            have: bytes.len(),
        })?;
        if header.magic != MAGIC {
            return Err(BatchError::Magic {
                magic: header.magic,
            });
        }
        let length = header.batch_length;
        if length < (HEADER_LEN - LENGTH_OVERHEAD) as i32 {
            return Err(BatchError::Length { length });
        }
        let codec = header.attributes.codec();
        if Compression::from_id(codec).is_none() {
            return Err(BatchError::Codec { codec });
        }
        not_negative("last offset delta", header.last_offset_delta)?;
        not_negative("record count", header.record_count)?;
        Ok(header)
    }

    fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        // One length check up front lets the compiler drop those of the fields.
        let mut reader = Reader::new(Reader::new(bytes).take(HEADER_LEN)?);
        Ok(Self {
            base_offset: Offset(reader.i64()?),
            batch_length: reader.i32()?,
            partition_leader_epoch: LeaderEpoch(reader.i32()?),
            magic: reader.i8()?,
            crc: reader.u32()?,
            attributes: Attributes(reader.i16()?),
            last_offset_delta: reader.i32()?,
            base_timestamp: TimestampMs(reader.i64()?),
            max_timestamp: TimestampMs(reader.i64()?),
            producer_id: ProducerId(reader.i64()?),
            producer_epoch: ProducerEpoch(reader.i16()?),
            base_sequence: Sequence(reader.i32()?),
            record_count: reader.i32()?,
        })
    }

    /// Bytes of the whole batch, header included: at least [`HEADER_LEN`].
    pub const fn total_len(&self) -> usize {
        LENGTH_OVERHEAD + self.batch_length as usize
    }

    /// The offset of the last record, before compaction took any.
    pub const fn last_offset(&self) -> Offset {
        self.base_offset.plus(self.last_offset_delta as i64)
    }

    /// The offset after the batch.
    pub const fn next_offset(&self) -> Offset {
        self.last_offset().plus(1)
    }

    /// The sequence of the last record, or −1 when the batch has none.
    pub const fn last_sequence(&self) -> Sequence {
        if self.base_sequence.get() < 0 {
            return Sequence::NONE;
        }
        self.base_sequence.plus(self.last_offset_delta)
    }

    /// How the records are compressed.
    pub fn compression(&self) -> Compression {
        Compression::from_id(self.attributes.codec()).unwrap_or_default()
    }

    /// What the timestamps mean.
    pub const fn timestamp_type(&self) -> TimestampType {
        if self.attributes.has(Attributes::LOG_APPEND_TIME) {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    /// Whether the batch is part of a transaction.
    pub const fn is_transactional(&self) -> bool {
        self.attributes.has(Attributes::TRANSACTIONAL)
    }

    /// Whether the batch holds a transaction marker or another control record.
    pub const fn is_control(&self) -> bool {
        self.attributes.has(Attributes::CONTROL)
    }

    /// When tombstones and markers in the batch may be dropped, once a first
    /// cleaning has set it.
    pub const fn delete_horizon(&self) -> Option<TimestampMs> {
        if self.attributes.has(Attributes::DELETE_HORIZON) {
            Some(self.base_timestamp)
        } else {
            None
        }
    }
}

fn not_negative(field: &'static str, value: i32) -> Result<(), BatchError> {
    if value < 0 {
        return Err(BatchError::Negative { field, value });
    }
    Ok(())
}
