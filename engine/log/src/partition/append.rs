//! Appending as the leader.
//!
//! The hot path: a check in memory, twelve bytes patched in the caller's
//! buffer, one write. Nothing is allocated for a batch and no record is read,
//! markers of transactions excepted.

use super::{PartitionLog, home};
use crate::config::LogConfig;
use crate::error::{AppendError, LogError};
use crate::names::Kind;
use crate::producers::{BatchMark, Origin, TxnEnd, Verdict};
use crate::segment::Segment;
use crate::walk::Found;
use plimsoll_wire::batch::{self, BatchHeader, TimestampType};
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::read::Reader;
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};
use std::time::Duration;

/// In what role a batch is appended.
#[derive(Clone, Copy, Debug)]
pub struct AppendAs {
    /// The epoch of this leader.
    pub leader_epoch: LeaderEpoch,
    /// The wall clock.
    pub now: TimestampMs,
    /// Who hands the batch over.
    pub origin: Origin,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record; of the original when it is a duplicate.
    pub base_offset: Offset,
    /// The offset of its last record; of the original when it is a duplicate.
    pub last_offset: Offset,
    /// The time of append, under LogAppendTime.
    pub log_append_time: Option<TimestampMs>,
    /// Nothing was written: the producer had sent the batch before.
    pub duplicate: bool,
    /// A new segment was begun, so that there is something to flush.
    pub rolled: bool,
}

impl PartitionLog {
    /// Appends one batch, giving it its offset and leader epoch in place.
    ///
    /// `header` is what `batch` begins with, and the batch has been validated:
    /// here it is only placed, and synced where `flush.messages` asks for that
    /// before an answer. On [`AppendError::Log`] the log is offline.
    pub fn append(
        &mut self,
        batch: &mut [u8],
        header: &BatchHeader,
        how: AppendAs,
    ) -> Result<Appended, AppendError> {
        let marker = self.admit(batch, header)?;
        let verdict = match marker {
            Some(end) => self
                .producers
                .check_marker(header, end)
                .map(|()| Verdict::New)?,
            None if header.is_control() => Verdict::New,
            None => self.producers.check(header, how.origin)?,
        };
        if let Verdict::Duplicate(mark) = verdict {
            return Ok(self.original(mark));
        }
        let mut header = *header;
        header.base_offset = self.log_end;
        header.partition_leader_epoch = how.leader_epoch;
        batch::patch_base_offset(batch, header.base_offset);
        batch::patch_leader_epoch(batch, header.partition_leader_epoch);
        let log_append_time = self.stamp(batch, &mut header, how.now);
        let rolled = self.writing(|log| {
            let rolled = log.roll_for(&header, how.now)?;
            let home = home!(log);
            log.active.write(home, batch)?;
            let found = Found {
                pos: log.active.size,
                header,
            };
            log.active
                .note(home, &found, log.config.index_interval_bytes)?;
            log.note_producer(&header, marker)?;
            Ok(rolled)
        })?;
        self.epochs
            .note(header.partition_leader_epoch, header.base_offset);
        self.log_end = header.next_offset();
        self.sync_as_asked(how.now)?;
        Ok(Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time,
            duplicate: false,
            rolled,
        })
    }

    /// Syncs when `flush.messages` asks for it by now.
    pub(super) fn sync_as_asked(&mut self, now: TimestampMs) -> Result<(), LogError> {
        let asked = self.config.flush_messages.is_some() && self.wants_flush(now);
        if asked && !mutation::is(Mutation::AcknowledgeBeforeSync) {
            return self.flush(now);
        }
        Ok(())
    }

    /// Ends the active segment and begins another, unless it is empty.
    pub fn roll(&mut self, now: TimestampMs) -> Result<(), LogError> {
        if self.active.size == 0 {
            return Ok(());
        }
        let base = self.log_end;
        self.writing(|log| log.begin_segment(base, now))
    }

    /// Checks what a segment must be able to hold; the marker, when the batch
    /// is one.
    #[inline]
    pub(super) fn admit(
        &self,
        batch: &[u8],
        header: &BatchHeader,
    ) -> Result<Option<TxnEnd>, AppendError> {
        let len = batch.len() as u64;
        if header.total_len() as u64 != len {
            let counted = header.total_len();
            let why = format!("the header counts {counted} bytes, {len} are given");
            return Err(AppendError::Malformed(why));
        }
        if len > self.config.segment_bytes {
            return Err(AppendError::LargerThanSegment {
                len,
                limit: self.config.segment_bytes,
            });
        }
        if !header.is_control() {
            return Ok(None);
        }
        marker(batch).map_err(|e| AppendError::Malformed(e.to_string()))
    }

    fn original(&self, mark: BatchMark) -> Appended {
        let stamped = self.config.timestamp_type == TimestampType::LogAppendTime;
        Appended {
            base_offset: mark.base_offset(),
            last_offset: mark.last_offset,
            log_append_time: stamped.then_some(mark.timestamp),
            duplicate: true,
            rolled: false,
        }
    }

    fn stamp(
        &self,
        batch: &mut [u8],
        header: &mut BatchHeader,
        now: TimestampMs,
    ) -> Option<TimestampMs> {
        if self.config.timestamp_type == TimestampType::CreateTime {
            return None;
        }
        batch::patch_log_append_time(batch, now);
        header.max_timestamp = now;
        Some(now)
    }

    /// Notes what a batch that has been written says about its producer.
    #[inline]
    pub(super) fn note_producer(
        &mut self,
        header: &BatchHeader,
        marker: Option<TxnEnd>,
    ) -> Result<(), LogError> {
        let Some(end) = marker else {
            if header.is_control() {
                self.producers.note_other(header);
            } else {
                self.producers.note(header);
            }
            return Ok(());
        };
        if let Some(first) = self.producers.txn_start(header.producer_id) {
            self.undecided.note(first);
        }
        match self.producers.note_marker(header, end) {
            Some(aborted) => {
                let home = home!(self);
                self.active
                    .txns
                    .push(home.file(self.active.base, Kind::TxnIndex), &aborted)
            }
            None => Ok(()),
        }
    }

    /// Begins a new segment when the active one cannot take the batch.
    #[inline]
    pub(super) fn roll_for(
        &mut self,
        header: &BatchHeader,
        now: TimestampMs,
    ) -> Result<bool, LogError> {
        if !self.must_roll(header, now)? {
            return Ok(false);
        }
        let far = !reaches(self.log_end, header.last_offset());
        let base = if far {
            header.base_offset
        } else {
            self.log_end
        };
        if far {
            // The gap before the new segment must not look like one that a
            // crash left.
            self.sync_all()?;
        }
        self.begin_segment(base, now)?;
        if far {
            self.log_end = base;
            self.recovery_point = base;
        }
        Ok(true)
    }

    #[inline]
    fn must_roll(&self, header: &BatchHeader, now: TimestampMs) -> Result<bool, LogError> {
        let active = &self.active;
        if !reaches(active.base, header.last_offset()) {
            return Ok(true);
        }
        if active.size == 0 {
            return Ok(false);
        }
        let full = active.size + header.total_len() as u64 > self.config.segment_bytes
            || index_is_full(active, &self.config);
        Ok(full || self.is_due(header.max_timestamp, now)?)
    }

    /// Whether the active segment is too old for a batch of that timestamp.
    fn is_due(&self, timestamp: TimestampMs, now: TimestampMs) -> Result<bool, LogError> {
        let waited = match self.active.first_timestamp(self.home())? {
            Some(first) => timestamp.get().saturating_sub(first.get()),
            None => now.get().saturating_sub(self.active.created.get()),
        };
        let limit = self.config.segment_age_max().saturating_sub(self.jitter());
        Ok(u128::try_from(waited).is_ok_and(|waited| waited > limit.as_millis()))
    }

    /// How much earlier than `segment.ms` this segment rolls: a fixed share of
    /// `segment.jitter.ms` that differs between partitions and segments, so
    /// that they do not all roll at once.
    fn jitter(&self) -> Duration {
        let max = u64::try_from(self.config.segment_jitter_ms.as_millis()).unwrap_or(u64::MAX);
        if max == 0 {
            return Duration::ZERO;
        }
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let name = self.dir.as_os_str().as_encoded_bytes();
        for byte in name.iter().chain(&self.active.base.get().to_le_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Duration::from_millis(hash % max)
    }

    fn begin_segment(&mut self, base: Offset, now: TimestampMs) -> Result<(), LogError> {
        self.write_snapshot(self.log_end)?;
        let home = home!(self);
        let next = Segment::create(home, base, now)?;
        let mut sealed = std::mem::replace(&mut self.active, next);
        sealed.seal(home)?;
        self.sealed.push(sealed);
        self.unsynced_names = true;
        Ok(())
    }
}

/// Whether a segment at `base` can index `offset`.
#[inline]
fn reaches(base: Offset, offset: Offset) -> bool {
    offset.get().saturating_sub(base.get()) <= i64::from(i32::MAX)
}

#[inline]
fn index_is_full(segment: &Segment, config: &LogConfig) -> bool {
    // One entry is kept free for the newest timestamp at the end.
    segment.index.0.bytes() + 8 > config.index_bytes_max
        || segment.times.0.bytes() + 24 > config.index_bytes_max
}

/// The transaction marker in a control batch, or `None` when it is another
/// kind of control record.
pub(crate) fn marker(batch: &[u8]) -> Result<Option<TxnEnd>, batch::BatchError> {
    // Control records are some tens of bytes.
    const CONTROL_BYTES_MAX: usize = 64 << 10;
    let mut scratch = Vec::new();
    let Some(record) = batch::records(batch, &mut scratch, CONTROL_BYTES_MAX)?.next() else {
        return Ok(None);
    };
    let record = record?;
    Ok(read_marker(
        record.key.unwrap_or_default(),
        record.value.unwrap_or_default(),
    ))
}

/// Key: version (i16), type (i16; 0 abort, 1 commit). Value: version (i16),
/// coordinator epoch (i32).
fn read_marker(key: &[u8], value: &[u8]) -> Option<TxnEnd> {
    let mut key = Reader::new(key);
    key.i16().ok()?;
    let committed = match key.i16().ok()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let mut value = Reader::new(value);
    value.i16().ok()?;
    Some(TxnEnd {
        committed,
        coordinator_epoch: value.i32().ok()?,
    })
}
