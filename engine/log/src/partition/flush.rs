//! Making the log durable.
//!
//! A flush has three parts so that the slow one runs without the partition's
//! lock: [`PartitionLog::begin_flush`] collects what must be synced,
//! [`Flush::run`] syncs it, [`PartitionLog::end_flush`] moves the recovery
//! point. A sync that fails leaves the log offline: the kernel may have dropped
//! the pages, so a second sync that succeeds would prove nothing.

use super::{Health, PartitionLog, home};
use crate::checkpoint::encode_epochs;
use crate::disk::{Disk, DiskFile, Open, replace_whole};
use crate::error::{LogError, io_error};
use crate::names::{Kind, Stage, segment_path};
use plimsoll_wire::types::{Offset, TimestampMs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the leader-epoch file.
pub(super) const EPOCHS_FILE: &str = "leader-epoch-checkpoint";

/// What must be synced for the log to be durable up to an offset.
#[derive(Debug)]
pub struct Flush {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    files: Vec<Arc<dyn DiskFile>>,
    epochs: Option<Vec<u8>>,
    names: bool,
    parent: bool,
    upto: Offset,
    truncations: u64,
}

impl Flush {
    /// The offset below which everything is durable once this has run.
    pub fn upto(&self) -> Offset {
        self.upto
    }

    /// Syncs. May take as long as the disk takes.
    pub fn run(&self) -> Result<(), LogError> {
        for file in &self.files {
            file.sync().map_err(io_error("sync", &self.dir))?;
        }
        if let Some(epochs) = &self.epochs {
            replace_whole(&*self.disk, &self.dir.join(EPOCHS_FILE), epochs)?;
        }
        if self.names {
            self.sync_dir(&self.dir)?;
        }
        match self.dir.parent() {
            Some(parent) if self.parent => self.sync_dir(parent),
            _ => Ok(()),
        }
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), LogError> {
        self.disk.sync_dir(dir).map_err(io_error("sync", dir))
    }
}

impl PartitionLog {
    /// Flushes at once: begin, run and end.
    pub fn flush(&mut self, now: TimestampMs) -> Result<(), LogError> {
        if self.flushing {
            self.suspect_everything();
        }
        match self.begin_flush()? {
            Some(flush) => {
                let outcome = flush.run();
                self.end_flush(&flush, outcome, now)
            }
            None => {
                self.flushed_at = now;
                Ok(())
            }
        }
    }

    /// Collects what must be synced; `None` when everything is durable, or
    /// will be once the flush that is under way has ended. What comes of a
    /// flush must be told to [`Self::end_flush`].
    pub fn begin_flush(&mut self) -> Result<Option<Flush>, LogError> {
        if self.flushing {
            return Ok(None);
        }
        let flush = self.writing(Self::collect_flush)?;
        self.flushing = flush.is_some();
        Ok(flush)
    }

    /// Takes everything above the recovery point for not synced: a flush under
    /// way elsewhere may still fail.
    fn suspect_everything(&mut self) {
        let first = self.segment_at(self.recovery_point.plus(-1));
        for segment in self.sealed.iter_mut().chain([&mut self.active]).skip(first) {
            segment.mark_unsynced();
        }
        self.epochs.mark_stale();
        self.unsynced_names = true;
        self.flushing = false;
    }

    pub(super) fn collect_flush(&mut self) -> Result<Option<Flush>, LogError> {
        let mut files = std::mem::take(&mut self.unsynced_snapshots);
        // The segment before may have been sealed since.
        let first = self.segment_at(self.recovery_point.plus(-1));
        let home = home!(self);
        let mut names = std::mem::take(&mut self.unsynced_names);
        for segment in self.sealed.iter_mut().chain([&mut self.active]).skip(first) {
            names |= segment.take_unsynced(home, &mut files)?;
        }
        let epochs = self
            .epochs
            .take_stale()
            .then(|| encode_epochs(self.epochs.entries()));
        let parent = std::mem::take(&mut self.unsynced_parent);
        self.undecided.begin_flush();
        if files.is_empty() && epochs.is_none() && !names && !parent {
            self.recovery_point = self.log_end;
            self.undecided.end_flush();
            return Ok(None);
        }
        Ok(Some(Flush {
            disk: Arc::clone(&self.disk),
            dir: self.dir.clone(),
            files,
            epochs,
            names,
            parent,
            upto: self.log_end,
            truncations: self.truncations,
        }))
    }

    /// Takes note of how a flush went.
    pub fn end_flush(
        &mut self,
        flush: &Flush,
        outcome: Result<(), LogError>,
        now: TimestampMs,
    ) -> Result<(), LogError> {
        self.flushing = false;
        if outcome.is_err() {
            self.health = Health::Offline;
            return outcome;
        }
        self.undecided.end_flush();
        if flush.truncations == self.truncations {
            self.recovery_point = self.recovery_point.max(flush.upto);
            self.flushed_at = now;
        }
        Ok(())
    }

    /// Whether `flush.messages`, `flush.ms` or a sealed segment asks for a
    /// flush.
    pub fn wants_flush(&self, now: TimestampMs) -> bool {
        let behind = self.log_end.get() - self.recovery_point.get();
        if behind <= 0 || self.is_offline() {
            return false;
        }
        let age = u128::try_from(now.get().saturating_sub(self.flushed_at.get())).unwrap_or(0);
        self.recovery_point < self.active.base
            || self
                .config
                .flush_messages
                .is_some_and(|max| behind.unsigned_abs() >= max)
            || self
                .config
                .flush_ms
                .is_some_and(|max| age >= max.as_millis())
    }

    /// Leaves everything as a clean start wants it: durable, indexes complete,
    /// producers snapshot at the log end. Costs nothing when nothing changed
    /// since a clean start.
    pub fn close_clean(&mut self, now: TimestampMs) -> Result<(), LogError> {
        let snapshot_at = self.snapshots.last().copied().unwrap_or_default();
        if snapshot_at == self.log_end
            && self.recovery_point == self.log_end
            && !self.unsynced_names
        {
            return self.rest();
        }
        self.writing(|log| {
            let home = home!(log);
            log.active.seal(home)?;
            log.write_snapshot(log.log_end)
        })?;
        self.flush(now)?;
        self.rest()
    }

    pub(super) fn sync_all(&mut self) -> Result<(), LogError> {
        if let Some(flush) = self.collect_flush()? {
            flush.run()?;
            self.undecided.end_flush();
        }
        self.recovery_point = self.log_end;
        Ok(())
    }

    /// Writes the producers' state as of `offset`, unless it is there. It is
    /// synced with the next flush.
    pub(super) fn write_snapshot(&mut self, offset: Offset) -> Result<(), LogError> {
        if self.snapshots.last() == Some(&offset) || offset.get() == 0 {
            return Ok(());
        }
        let path = segment_path(&self.dir, offset, Kind::Snapshot, Stage::Live);
        let file = self
            .disk
            .open(&path, Open::Truncate)
            .map_err(io_error("create", &path))?;
        file.write_at(&self.producers.snapshot(), 0)
            .map_err(io_error("write", &path))?;
        self.unsynced_snapshots.push(file);
        self.snapshots.retain(|at| *at < offset);
        self.snapshots.push(offset);
        self.unsynced_names = true;
        Ok(())
    }
}
