//! Retention: giving up old segments from the head of the log.
//!
//! Only whole segments go, oldest first, and none that reaches past the high
//! watermark. Their files are renamed at once, oldest first, so that a crash
//! leaves a log that merely starts earlier, and removed after a delay, so that
//! readers who are about to open them still can.

use super::{PartitionLog, home};
use crate::disk::{Disk, remove_if_there};
use crate::error::{LogError, io_error};
use crate::names::{Kind, Stage, segment_path};
use crate::segment::Segment;
use plimsoll_wire::types::{Offset, TimestampMs};
use std::io;
use std::path::{Path, PathBuf};

/// Files that are out of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// When they may be removed.
    pub due: TimestampMs,
    paths: Vec<PathBuf>,
}

impl Doomed {
    pub(super) fn none(due: TimestampMs) -> Self {
        Self {
            due,
            paths: Vec::new(),
        }
    }

    /// Adds files that go at the same time.
    pub(super) fn merge(&mut self, other: Self) {
        self.due = self.due.max(other.due);
        self.paths.extend(other.paths);
    }

    /// Leaves out a file that has come back into use.
    pub(super) fn forget(&mut self, path: &Path) {
        self.paths.retain(|doomed| doomed != path);
    }

    /// Removes the files. Those that a later start found are gone already.
    pub fn remove(&self, disk: &dyn Disk) -> Result<(), LogError> {
        self.paths
            .iter()
            .try_for_each(|path| remove_if_there(disk, path))
    }
}

/// Why a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// All of it lies below the log start.
    BelowLogStart,
    /// `retention.ms`.
    Age,
    /// `retention.bytes`.
    Size,
}

/// A segment that retention took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Why.
    pub reason: Reason,
    /// Its base offset.
    pub base_offset: Offset,
    /// Bytes of batches in it.
    pub bytes: u64,
    /// Its files.
    pub files: Doomed,
}

impl PartitionLog {
    /// Takes out of use the segments that lie below the log start and, where
    /// `cleanup.policy` deletes, those that are too old or too many. An active
    /// segment that has expired is ended first and goes too.
    pub fn enforce_retention(&mut self, now: TimestampMs) -> Result<Vec<Expired>, LogError> {
        let mut expired = Vec::new();
        while let Some(reason) = self.next_to_go(now)? {
            expired.push(self.drop_oldest(reason, now)?);
        }
        Ok(expired)
    }

    /// Why the oldest segment must go, if it must.
    fn next_to_go(&self, now: TimestampMs) -> Result<Option<Reason>, LogError> {
        let Some((oldest, end)) = self.segment_and_end(0) else {
            return Ok(None);
        };
        if oldest.size == 0 && self.sealed.is_empty() {
            return Ok(None);
        }
        if end <= self.log_start && !self.sealed.is_empty() {
            return Ok(Some(Reason::BelowLogStart));
        }
        if !self.config.cleanup_policy.delete || end > self.high_watermark {
            return Ok(None);
        }
        if self.is_too_old(oldest, now)? {
            return Ok(Some(Reason::Age));
        }
        let limit = self.config.retention_bytes;
        let spare = limit.map(|limit| self.size_bytes().saturating_sub(limit));
        Ok(spare
            .filter(|spare| *spare >= oldest.size && *spare > 0)
            .map(|_| Reason::Size))
    }

    fn is_too_old(&self, segment: &Segment, now: TimestampMs) -> Result<bool, LogError> {
        let Some(limit) = self.config.retention_ms else {
            return Ok(false);
        };
        let newest = segment
            .newest(home!(self))?
            .map_or(segment.created, |n| n.timestamp);
        let age = now.get().saturating_sub(newest.get());
        Ok(u128::try_from(age).is_ok_and(|age| age > limit.as_millis()))
    }

    fn drop_oldest(&mut self, reason: Reason, now: TimestampMs) -> Result<Expired, LogError> {
        if self.sealed.is_empty() {
            self.roll(now)?;
        }
        self.writing(|log| {
            let oldest = log.sealed.remove(0);
            let next = log.sealed.first().unwrap_or(&log.active).base;
            log.advance_log_start(next);
            let files = log.doom(&[oldest.base], now)?;
            Ok(Expired {
                reason,
                base_offset: oldest.base,
                bytes: oldest.size,
                files,
            })
        })
    }

    /// Renames the files of segments out of use.
    pub(super) fn doom(&mut self, bases: &[Offset], now: TimestampMs) -> Result<Doomed, LogError> {
        let delay = i64::try_from(self.config.file_delete_delay_ms.as_millis());
        let due = TimestampMs(now.get().saturating_add(delay.unwrap_or(i64::MAX)));
        let mut paths = Vec::new();
        for base in bases {
            for kind in Kind::ALL {
                paths.extend(doom_file(&*self.disk, &self.dir, *base, kind)?);
            }
            self.snapshots.retain(|at| at != base);
        }
        self.unsynced_names = true;
        Ok(Doomed { due, paths })
    }
}

fn doom_file(
    disk: &dyn Disk,
    dir: &Path,
    base: Offset,
    kind: Kind,
) -> Result<Option<PathBuf>, LogError> {
    let from = segment_path(dir, base, kind, Stage::Live);
    let to = segment_path(dir, base, kind, Stage::Deleted);
    match disk.rename(&from, &to) {
        Ok(()) => Ok(Some(to)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error("rename", &from)(e)),
    }
}
