//! Giving up one end of the log: the tail when a leader says otherwise, the
//! head when its records are deleted.

use super::replay::{Stretch, load_producers};
use super::{PartitionLog, home};
use crate::disk::remove_if_there;
use crate::epochs::EpochEnd;
use crate::error::{LogError, ReadError};
use crate::names::{Kind, Stage, segment_path};
use crate::producers::Producers;
use crate::segment::{End, Segment};
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};

impl PartitionLog {
    /// Drops all batches that reach `offset` or lie past it, durably. The new
    /// log end is `offset`, or the base of the batch that contains it.
    ///
    /// The caller writes the recovery point's checkpoint before it appends
    /// again: an older one could lie past batches that are not durable.
    pub fn truncate_to(&mut self, offset: Offset, now: TimestampMs) -> Result<(), LogError> {
        if offset >= self.log_end {
            return Ok(());
        }
        if offset <= self.log_start {
            return self.restart_at(offset, now);
        }
        self.writing(|log| {
            log.truncations += 1;
            log.drop_segments_after(offset)?;
            let home = home!(log);
            let end = match log.active.locate(home, offset)? {
                Some(found) => End {
                    pos: found.pos,
                    next_offset: found.header.base_offset,
                },
                None => End {
                    pos: log.active.size,
                    next_offset: offset,
                },
            };
            log.active.truncate(home, end)?;
            log.log_end = end.next_offset.min(offset);
            // Records may have been deleted up to within the batch.
            log.log_start = log.log_start.min(log.log_end);
            log.after_cut()
        })
    }

    /// Drops everything and begins again, empty, at `offset`.
    pub fn restart_at(&mut self, offset: Offset, now: TimestampMs) -> Result<(), LogError> {
        self.writing(|log| {
            log.truncations += 1;
            while let Some(segment) = log.sealed.pop() {
                let newer = std::mem::replace(&mut log.active, segment);
                log.remove_files(newer.base)?;
            }
            log.remove_files(log.active.base)?;
            log.active = Segment::create(home!(log), offset, now)?;
            log.log_start = offset;
            log.log_end = offset;
            log.after_cut()
        })
    }

    /// Where a follower must truncate to, given where its leader says that the
    /// follower's latest epoch ends; `true` when the two then agree, `false`
    /// when the leader must be asked again.
    pub fn truncation_for(&self, leader: EpochEnd) -> (Offset, bool) {
        if leader.epoch == LeaderEpoch::NONE {
            return (self.high_watermark, true);
        }
        match self.end_offset_for_epoch(leader.epoch) {
            Some(own) if own.epoch == leader.epoch => {
                (own.end.min(leader.end).min(self.log_end), true)
            }
            Some(own) => (own.end.min(self.log_end), false),
            None => (leader.end.min(self.log_end), true),
        }
    }

    /// Moves the log start up to `offset`, which lies at or below the high
    /// watermark; segments wholly below it are for retention to remove. Moving
    /// it back changes nothing.
    pub fn delete_records_to(&mut self, offset: Offset) -> Result<Offset, ReadError> {
        if offset.get() < 0 || offset > self.high_watermark {
            let (start, end) = (self.log_start, self.high_watermark);
            return Err(ReadError::OutOfRange { offset, start, end });
        }
        self.advance_log_start(offset);
        Ok(self.log_start)
    }

    /// Moves the log start up to `offset`.
    pub(super) fn advance_log_start(&mut self, offset: Offset) {
        if offset > self.log_start {
            self.log_start = offset.min(self.log_end);
            self.high_watermark = self.high_watermark.max(self.log_start);
            self.epochs.cut_start(self.log_start);
        }
    }

    /// Removes segments from the newest back until one begins at or before
    /// `offset`: a crash in between leaves a log that is merely longer. They
    /// are gone durably before the one that is left is cut: one that came back
    /// after it would leave a hole.
    fn drop_segments_after(&mut self, offset: Offset) -> Result<(), LogError> {
        while self.active.base > offset
            && let Some(segment) = self.sealed.pop()
        {
            let newer = std::mem::replace(&mut self.active, segment);
            self.remove_files(newer.base)?;
        }
        self.sync_names()
    }

    pub(super) fn remove_files(&mut self, base: Offset) -> Result<(), LogError> {
        self.unsynced_names = true;
        for kind in Kind::ALL {
            let path = segment_path(&self.dir, base, kind, Stage::Live);
            remove_if_there(&*self.disk, &path)?;
        }
        self.snapshots.retain(|at| *at != base);
        Ok(())
    }

    /// Makes what is derived fit the batches that are left, and what was
    /// dropped durable.
    fn after_cut(&mut self) -> Result<(), LogError> {
        self.recovery_point = self.recovery_point.min(self.log_end);
        self.cleaned_to = self.cleaned_to.min(self.log_end);
        self.high_watermark = self.high_watermark.clamp(self.log_start, self.log_end);
        self.epochs.cut_end(self.log_end);
        self.epochs.cut_start(self.log_start);
        self.epochs.mark_stale();
        self.unsynced_snapshots.clear();
        while let Some(at) = self.snapshots.pop_if(|at| *at > self.log_end) {
            let path = segment_path(&self.dir, at, Kind::Snapshot, Stage::Live);
            remove_if_there(&*self.disk, &path)?;
        }
        self.producers = if self.active.size == 0 && self.sealed.is_empty() {
            Producers::starting_at(self.log_end)
        } else {
            let stretch = Stretch {
                segments: &self.sealed,
                last: &self.active,
            };
            load_producers(home!(self), stretch, &mut self.snapshots, self.log_end)?
        };
        self.producers.replicated_to(self.high_watermark);
        if let Some(flush) = self.collect_flush()? {
            flush.run()?;
            self.undecided.end_flush();
        }
        Ok(())
    }
}
