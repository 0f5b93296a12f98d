//! Writing a batch: what clients, coordinators and compaction need.
//!
//! The builder keeps what compaction must not lose: offsets with gaps, the
//! range of a batch whose last records are gone, batches with no record left,
//! the producer's sequence, a delete horizon and LogAppendTime.

use super::patch::seal;
use super::{Attributes, HEADER_LEN, Headers, LENGTH_OVERHEAD, MAGIC, Record, write};
use crate::compression::{Compression, CompressionError, Workspace};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// An idempotent producer's mark on a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Who.
    pub id: ProducerId,
    /// Which incarnation.
    pub epoch: ProducerEpoch,
    /// The sequence of the batch's first record.
    pub base_sequence: Sequence,
}

impl Producer {
    /// No idempotent producer: all fields −1.
    pub const NONE: Self = Self {
        id: ProducerId::NONE,
        epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
    };
}

/// What a batch says besides its records. The default is a plain producer's:
/// offset 0, no leader epoch, no compression, no idempotence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSettings {
    /// What offsets count from.
    pub base_offset: Offset,
    /// The leader's epoch, −1 from a client.
    pub leader_epoch: LeaderEpoch,
    /// How the records are compressed.
    pub compression: Compression,
    /// The codec's level; see [`compress`](crate::compression::compress()) for
    /// ranges and defaults.
    pub level: Option<i32>,
    /// The idempotent producer, or [`Producer::NONE`].
    pub producer: Producer,
    /// Part of a transaction.
    pub transactional: bool,
    /// Holds a control record.
    pub control: bool,
    /// One timestamp for all records, set by the broker.
    pub log_append_time: Option<TimestampMs>,
    /// When tombstones and markers may go; record timestamps then count from it.
    pub delete_horizon: Option<TimestampMs>,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            base_offset: Offset(0),
            leader_epoch: LeaderEpoch::NONE,
            compression: Compression::None,
            level: None,
            producer: Producer::NONE,
            transactional: false,
            control: false,
            log_append_time: None,
            delete_horizon: None,
        }
    }
}

impl BatchSettings {
    fn attributes(&self) -> i16 {
        let flag = |set: bool, bit: i16| if set { bit } else { 0 };
        i16::from(self.compression.id())
            | flag(self.log_append_time.is_some(), Attributes::LOG_APPEND_TIME)
            | flag(self.transactional, Attributes::TRANSACTIONAL)
            | flag(self.control, Attributes::CONTROL)
            | flag(self.delete_horizon.is_some(), Attributes::DELETE_HORIZON)
    }
}

/// Collects records, then builds one batch after another with the same
/// settings.
#[derive(Debug)]
pub struct BatchBuilder {
    settings: BatchSettings,
    /// A header's worth of zeros, then the records uncompressed.
    buffer: Vec<u8>,
    count: i32,
    /// The delta past the last record's.
    next_delta: i32,
    /// The range that the batch keeps though its last records are gone.
    covered_delta: i32,
    base_timestamp: Option<TimestampMs>,
    max_timestamp: TimestampMs,
    workspace: Workspace,
}

impl BatchBuilder {
    /// A builder with no records.
    pub fn new(settings: BatchSettings) -> Self {
        Self {
            settings,
            buffer: vec![0; HEADER_LEN],
            count: 0,
            next_delta: 0,
            covered_delta: 0,
            base_timestamp: settings.delete_horizon,
            max_timestamp: TimestampMs::NONE,
            workspace: Workspace::default(),
        }
    }

    /// How many records the batch has so far.
    pub const fn count(&self) -> i32 {
        self.count
    }

    /// Whether the batch has no record yet.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batch so far, header included, before compression.
    pub const fn uncompressed_len(&self) -> usize {
        self.buffer.len()
    }

    /// Makes room for records of `bytes` bytes in all.
    pub fn reserve(&mut self, bytes: usize) {
        self.buffer.reserve(bytes);
    }

    /// What the batch says besides its records.
    pub const fn settings(&self) -> &BatchSettings {
        &self.settings
    }

    /// Gives the batch under construction, and those after it, another place
    /// in its producer's sequence.
    pub const fn set_base_sequence(&mut self, base_sequence: Sequence) {
        self.settings.producer.base_sequence = base_sequence;
    }

    /// Appends a record without headers at the next offset.
    pub fn push(&mut self, timestamp: TimestampMs, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.append(&Record {
            offset: self.settings.base_offset.plus(i64::from(self.next_delta)),
            timestamp,
            key,
            value,
            headers: Headers::NONE,
        });
    }

    /// Appends `record` at its own offset.
    ///
    /// # Panics
    /// When the offset is not past the last record's, or too far from the base
    /// offset for the format, or the records outgrow 2 GiB.
    pub fn append(&mut self, record: &Record<'_>) {
        self.append_behind(&[], record);
    }

    /// The same for a record whose value is `front` and then its own, so that who
    /// puts something before a value need not copy it first.
    ///
    /// # Panics
    /// As [`BatchBuilder::append`].
    pub fn append_behind(&mut self, front: &[u8], record: &Record<'_>) {
        let from_base = record
            .offset
            .get()
            .checked_sub(self.settings.base_offset.get());
        let delta = match from_base.map(i32::try_from) {
            Some(Ok(delta)) if delta >= self.next_delta && delta < i32::MAX => delta,
            _ => panic!(
                "record offset {} in a batch at {} whose next offset delta is {}",
                record.offset, self.settings.base_offset, self.next_delta
            ),
        };
        let base = *self.base_timestamp.get_or_insert(record.timestamp);
        let timestamp_delta = record.timestamp.get().wrapping_sub(base.get());
        self.write(front, record, delta, timestamp_delta);
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.next_delta = delta + 1;
        self.count += 1;
    }

    fn write(
        &mut self,
        front: &[u8],
        record: &Record<'_>,
        offset_delta: i32,
        timestamp_delta: i64,
    ) {
        let headers = write::length(record.headers.len());
        let mut len = 1
            + write::varlong_len(timestamp_delta)
            + write::varint_len(offset_delta)
            + write::bytes_len(record.key)
            + write::bytes_behind_len(front, record.value)
            + write::varint_len(headers);
        for header in record.headers {
            len += write::bytes_len(Some(header.key)) + write::bytes_len(header.value);
        }
        let out = &mut self.buffer;
        out.reserve(len + 5);
        write::varint(out, write::length(len));
        out.push(0);
        write::varlong(out, timestamp_delta);
        write::varint(out, offset_delta);
        write::bytes(out, record.key);
        write::bytes_behind(out, front, record.value);
        write::varint(out, headers);
        for header in record.headers {
            write::bytes(out, Some(header.key));
            write::bytes(out, header.value);
        }
    }

    /// Keeps the batch's range up to `last` and its max timestamp at
    /// `timestamp` or more, whatever records are left: compaction keeps both.
    ///
    /// # Panics
    /// When `last` is before the base offset or too far from it.
    pub fn cover_through(&mut self, last: Offset, timestamp: TimestampMs) {
        let from_base = last.get().checked_sub(self.settings.base_offset.get());
        self.covered_delta = match from_base.map(i32::try_from) {
            Some(Ok(delta)) if delta >= 0 => delta,
            _ => panic!(
                "last offset {last} in a batch at {}",
                self.settings.base_offset
            ),
        };
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    /// Ends the batch and returns it, sealed with its checksum. The builder
    /// starts another with the same settings.
    ///
    /// # Errors
    /// When the codec refuses its level; the records are gone.
    ///
    /// # Panics
    /// When the records outgrow 2 GiB.
    pub fn build(&mut self) -> Result<Vec<u8>, CompressionError> {
        let packed = self.pack();
        let sealed = packed.map(|mut batch| {
            self.write_header(&mut batch);
            seal(&mut batch);
            batch
        });
        self.start_afresh();
        sealed
    }

    /// Room for a header, then the records as the batch will have them.
    fn pack(&mut self) -> Result<Vec<u8>, CompressionError> {
        let settings = &self.settings;
        if settings.compression == Compression::None || self.count == 0 {
            // The next batch is likely to be as long.
            let next = Vec::with_capacity(self.buffer.len());
            return Ok(std::mem::replace(&mut self.buffer, next));
        }
        let mut batch = Vec::with_capacity(HEADER_LEN + self.buffer.len() / 2);
        batch.resize(HEADER_LEN, 0);
        let records = self.buffer.get(HEADER_LEN..).unwrap_or_default();
        let (codec, level) = (settings.compression, settings.level);
        self.workspace.compress(codec, level, records, &mut batch)?;
        Ok(batch)
    }

    fn start_afresh(&mut self) {
        self.buffer.clear();
        self.buffer.resize(HEADER_LEN, 0);
        self.count = 0;
        self.next_delta = 0;
        self.covered_delta = 0;
        self.base_timestamp = self.settings.delete_horizon;
        self.max_timestamp = TimestampMs::NONE;
    }

    fn write_header(&self, batch: &mut [u8]) {
        let settings = &self.settings;
        let max = settings.log_append_time.unwrap_or(self.max_timestamp);
        // An empty batch has no first record to count timestamps from.
        let base = self.base_timestamp.unwrap_or(max);
        let length = write::length(batch.len()) - LENGTH_OVERHEAD as i32;
        let last_delta = self.covered_delta.max(self.next_delta - 1);
        let mut rest = batch;
        let mut put = |bytes: &[u8]| {
            if let Some((field, after)) =
                std::mem::take(&mut rest).split_at_mut_checked(bytes.len())
            {
                field.copy_from_slice(bytes);
                rest = after;
            }
        };
        put(&settings.base_offset.get().to_be_bytes());
        put(&length.to_be_bytes());
        put(&settings.leader_epoch.get().to_be_bytes());
        put(&MAGIC.to_be_bytes());
        put(&[0; 4]);
        put(&settings.attributes().to_be_bytes());
        put(&last_delta.to_be_bytes());
        put(&base.get().to_be_bytes());
        put(&max.get().to_be_bytes());
        put(&settings.producer.id.get().to_be_bytes());
        put(&settings.producer.epoch.get().to_be_bytes());
        put(&settings.producer.base_sequence.get().to_be_bytes());
        put(&self.count.to_be_bytes());
    }
}
