//! Record batches, format version 2: the unit in which Kafka stores, checks
//! and moves records.
//!
//! A batch is a 61-byte header followed by records, which are compressed as
//! one block or not at all. The CRC-32C covers everything from the attributes
//! on, so the fields before it (base offset, length, leader epoch) are patched
//! in place without touching the checksum. That is what keeps the produce and
//! fetch paths free of records: they read and patch headers alone.
//!
//! - [`BatchHeader::parse`] reads a header, [`validate_produce`] decides whether
//!   a client's batch may be appended.
//! - [`patch_base_offset`], [`patch_leader_epoch`] and [`patch_log_append_time`]
//!   rewrite a batch in place.
//! - [`records`], or an [`Inflater`] for many batches, reads the records;
//!   [`BatchBuilder`] writes them.
//!
//! Format: <https://kafka.apache.org/documentation/#recordbatch>.

mod builder;
mod crc;
mod header;
mod patch;
mod record;
mod validate;
mod write;

pub use builder::{BatchBuilder, BatchSettings, Producer};
pub use crc::{crc32c, verify_crc};
pub use header::{Attributes, BatchHeader, TimestampType};
pub use patch::{patch_base_offset, patch_leader_epoch, patch_log_append_time};
pub use record::{Header, Headers, HeadersIter, Inflater, Record, RecordIter, records};
pub use validate::{InvalidBatch, ProduceRules, validate_produce};

use crate::compression::CompressionError;
use crate::read::ReadError;
use thiserror::Error;

/// Bytes of a batch before its records.
pub const HEADER_LEN: usize = 61;

/// Bytes of a batch that its length field does not count: the base offset and
/// the length itself.
pub const LENGTH_OVERHEAD: usize = 12;

/// The one format version that this crate reads and writes.
pub const MAGIC: i8 = 2;

/// Where each field of the header begins, in bytes.
pub mod at {
    /// Base offset, 8 bytes.
    pub const BASE_OFFSET: usize = 0;
    /// Batch length, 4 bytes: the bytes that follow this field.
    pub const BATCH_LENGTH: usize = 8;
    /// Partition leader epoch, 4 bytes.
    pub const PARTITION_LEADER_EPOCH: usize = 12;
    /// Magic, 1 byte.
    pub const MAGIC: usize = 16;
    /// CRC-32C of everything after it, 4 bytes.
    pub const CRC: usize = 17;
    /// Attributes, 2 bytes: the first that the CRC covers.
    pub const ATTRIBUTES: usize = 21;
    /// Last offset delta, 4 bytes.
    pub const LAST_OFFSET_DELTA: usize = 23;
    /// Base timestamp, 8 bytes.
    pub const BASE_TIMESTAMP: usize = 27;
    /// Max timestamp, 8 bytes.
    pub const MAX_TIMESTAMP: usize = 35;
    /// Producer id, 8 bytes.
    pub const PRODUCER_ID: usize = 43;
    /// Producer epoch, 2 bytes.
    pub const PRODUCER_EPOCH: usize = 51;
    /// Base sequence, 4 bytes.
    pub const BASE_SEQUENCE: usize = 53;
    /// Record count, 4 bytes.
    pub const RECORD_COUNT: usize = 57;
}

const _: () = assert!(at::RECORD_COUNT + 4 == HEADER_LEN);
const _: () = assert!(at::CRC + 4 == at::ATTRIBUTES);

/// Why bytes are not a record batch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The bytes end before the batch does.
    #[error("batch: {need} bytes needed, {have} present")]
    Truncated {
        /// Bytes that the batch, or its header, takes.
        need: usize,
        /// Bytes that are present.
        have: usize,
    },
    /// Not format version 2.
    #[error("batch magic {magic}, expected {MAGIC}")]
    Magic {
        /// The byte found.
        magic: i8,
    },
    /// The length field cannot hold even the header.
    #[error("batch length {length}, expected {} or more", HEADER_LEN - LENGTH_OVERHEAD)]
    Length {
        /// The length field.
        length: i32,
    },
    /// Bits 0 to 2 of the attributes name no codec.
    #[error("batch compression {codec}, expected 0 to 4")]
    Codec {
        /// The three bits.
        codec: u8,
    },
    /// The last offset delta or the record count is negative.
    #[error("batch {field} {value}, expected 0 or more")]
    Negative {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: i32,
    },
    /// The stored checksum is not that of the bytes.
    #[error("batch crc {stored:#010x}, computed {computed:#010x}")]
    Crc {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// The records cannot be decompressed.
    #[error("batch records: {0}")]
    Compression(#[from] CompressionError),
    /// A record runs past its end or the batch's.
    #[error("record {index} of the batch: {source}")]
    Record {
        /// The record's place in the batch, from 0.
        index: i32,
        /// What was wrong, with the position in the uncompressed records.
        source: ReadError,
    },
    /// A record's length differs from what its fields take.
    #[error("record {index} of the batch: {left} bytes left over after its last field")]
    RecordLength {
        /// The record's place in the batch, from 0.
        index: i32,
        /// Bytes that no field accounts for.
        left: usize,
    },
    /// Bytes follow the last record that the header counts.
    #[error("batch of {count} records: {left} bytes left over after the last")]
    Trailing {
        /// The header's record count.
        count: i32,
        /// Bytes that no record accounts for.
        left: usize,
    },
}

#[cfg(test)]
mod tests;
