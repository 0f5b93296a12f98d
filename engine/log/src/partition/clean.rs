//! Compaction from the log's side: what may be cleaned, and putting the result
//! in place.
//!
//! Crash safety: a finished segment is renamed from `.cleaned` to `.swap`, its
//! log last; from then on opening the log completes the exchange. Those it
//! replaces hold all that it does, so it does not matter which of them are
//! still there.

use super::{PartitionLog, home};
use crate::compact::{CleanPlan, Cleaned, CompactionLag, Dirtiness, Group, Source};
use crate::error::{LogError, io_error};
use crate::names::{Kind, Stage, segment_path};
use crate::place::Home;
use crate::segment::Segment;
use plimsoll_wire::types::{Offset, TimestampMs};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::retain::Doomed;

/// A segment's files with the log last: once that is renamed, all are.
const LOG_LAST: [Kind; 4] = [Kind::Index, Kind::TimeIndex, Kind::TxnIndex, Kind::Log];

impl PartitionLog {
    /// The offset below which the log has been cleaned.
    pub fn cleaned_to(&self) -> Offset {
        self.cleaned_to.max(self.log_start)
    }

    /// How far compaction is behind; `None` for a log that is not compacted.
    pub fn compaction_lag(&self) -> Result<Option<CompactionLag>, LogError> {
        if !self.config.cleanup_policy.compact {
            return Ok(None);
        }
        let first_dirty = self.cleaned_to();
        let clean = self.sealed.partition_point(|s| s.base < first_dirty);
        let (clean, dirty) = self.sealed.split_at(clean);
        let bytes = |segments: &[Segment]| segments.iter().map(|s| s.size).sum();
        let oldest = dirty.first().unwrap_or(&self.active);
        Ok(Some(CompactionLag {
            clean_bytes: bytes(clean),
            dirty_bytes: bytes(dirty),
            active_bytes: self.active.size,
            oldest_dirty: oldest.first_timestamp(home!(self))?,
        }))
    }

    /// What a pass would do now; `None` when there is nothing to clean, or not
    /// enough for `min.cleanable.dirty.ratio` and nothing overdue.
    ///
    /// `durable_to` is the recovery point as of the last *stored* checkpoint:
    /// a crash scans everything above it and takes gaps for losses, so nothing
    /// above it is cleaned.
    pub fn plan_clean(
        &self,
        now: TimestampMs,
        durable_to: Offset,
    ) -> Result<Option<CleanPlan>, LogError> {
        if !self.config.cleanup_policy.compact || self.is_offline() {
            return Ok(None);
        }
        let first_dirty = self.cleaned_to();
        let sources = self.cleanable(first_dirty, now, durable_to)?;
        let dirtiness = self.dirtiness(&sources, first_dirty, now)?;
        let ratio = u64::from(self.config.min_cleanable_dirty_permille);
        if dirtiness.dirty_bytes == 0 || (dirtiness.permille() <= ratio && !dirtiness.overdue) {
            return Ok(None);
        }
        let upto = sources.last().map_or(first_dirty, |source| source.next);
        let from = sources.first().map_or(first_dirty, |source| source.base);
        Ok(Some(CleanPlan {
            disk: Arc::clone(&self.disk),
            dir: self.dir.clone(),
            config: Arc::clone(&self.config),
            aborted: self.aborted_transactions(from, upto)?,
            last_written: self.producers.last_written(),
            truncations: self.truncations,
            sources,
            first_dirty,
            now,
            dirtiness,
        }))
    }

    /// The segments from the first up to where nothing may be cleaned: the
    /// active one, an open transaction, what is not replicated or durable, be it
    /// only the end of a transaction, what `min.compaction.lag.ms` protects.
    fn cleanable(
        &self,
        first_dirty: Offset,
        now: TimestampMs,
        durable_to: Offset,
    ) -> Result<Vec<Source>, LogError> {
        let limit = self
            .last_stable_offset()
            .min(durable_to)
            .min(self.recovery_point);
        let limit = self
            .undecided
            .first()
            .map_or(limit, |first| first.min(limit));
        let lag = i64::try_from(self.config.min_compaction_lag_ms.as_millis()).unwrap_or(i64::MAX);
        let protected_since = now.get().saturating_sub(lag);
        let mut sources = Vec::new();
        for at in 0..self.sealed.len() {
            let Some((segment, next)) = self.segment_and_end(at) else {
                break;
            };
            if next > limit {
                break;
            }
            if lag > 0 && next > first_dirty {
                let newest = segment.newest(home!(self))?;
                if newest.is_some_and(|newest| newest.timestamp.get() > protected_since) {
                    break;
                }
            }
            sources.push(Source {
                base: segment.base,
                size: segment.size,
                next,
            });
        }
        Ok(sources)
    }

    fn dirtiness(
        &self,
        sources: &[Source],
        first_dirty: Offset,
        now: TimestampMs,
    ) -> Result<Dirtiness, LogError> {
        let clean = sources.partition_point(|source| source.base < first_dirty);
        let bytes = |sources: &[Source]| sources.iter().map(|source| source.size).sum();
        let (clean, dirty) = sources.split_at_checked(clean).unwrap_or((sources, &[]));
        let mut overdue = false;
        if let (Some(lag), Some(first)) = (self.config.max_compaction_lag_ms, dirty.first())
            && let Some((segment, _)) = self.segment_and_end(self.segment_at(first.base))
            && let Some(timestamp) = segment.first_timestamp(home!(self))?
        {
            let age = now.get().saturating_sub(timestamp.get());
            overdue = u128::try_from(age).is_ok_and(|age| age > lag.as_millis());
        }
        Ok(Dirtiness {
            clean_bytes: bytes(clean),
            dirty_bytes: bytes(dirty),
            overdue,
        })
    }

    /// Puts the result of a pass in place. `None`, and nothing done, when the
    /// log has changed meanwhile so that it does not fit: segments that
    /// retention took, or a truncation.
    pub fn install(
        &mut self,
        cleaned: Cleaned,
        now: TimestampMs,
    ) -> Result<Option<Doomed>, LogError> {
        let there = |base: &Offset| self.sealed.binary_search_by_key(base, |s| s.base).is_ok();
        let fits = cleaned.truncations == self.truncations
            && cleaned
                .groups
                .iter()
                .flat_map(|group| &group.replaces)
                .all(there);
        if !fits {
            self.discard(cleaned)?;
            return Ok(None);
        }
        let cleaned_to = cleaned.cleaned_to;
        self.writing(|log| {
            let mut doomed = Doomed::none(now);
            for group in cleaned.groups {
                doomed.merge(log.exchange(group, now)?);
            }
            log.cleaned_to = cleaned_to;
            Ok(Some(doomed))
        })
    }

    fn discard(&self, cleaned: Cleaned) -> Result<(), LogError> {
        for group in &cleaned.groups {
            for path in self.staged(&group.segment, Stage::Cleaned) {
                crate::disk::remove_if_there(&*self.disk, &path)?;
            }
        }
        Ok(())
    }

    fn exchange(&mut self, group: Group, now: TimestampMs) -> Result<Doomed, LogError> {
        let Group { segment, replaces } = group;
        self.restage(&segment, Stage::Cleaned, Stage::Swap)?;
        self.sync_names()?;
        let doomed = self.doom_segments(&replaces, segment.base, now)?;
        self.restage(&segment, Stage::Swap, Stage::Live)?;
        self.sync_names()?;
        let first = self.sealed.partition_point(|s| s.base < segment.base);
        let last = first + replaces.len();
        self.sealed
            .splice(first..last.min(self.sealed.len()), [segment]);
        Ok(doomed)
    }

    /// Takes the replaced segments out of use. Snapshots stay: they are of
    /// offsets, not of segments; only those of vanished bases serve nobody.
    fn doom_segments(
        &mut self,
        bases: &[Offset],
        kept: Offset,
        now: TimestampMs,
    ) -> Result<Doomed, LogError> {
        let snapshot = self.snapshots.contains(&kept).then(|| {
            let path = |stage| segment_path(&self.dir, kept, Kind::Snapshot, stage);
            (path(Stage::Deleted), path(Stage::Live))
        });
        let mut doomed = self.doom(bases, now)?;
        if let Some((from, to)) = snapshot {
            self.disk
                .rename(&from, &to)
                .map_err(io_error("rename", &from))?;
            doomed.forget(&from);
            let at = self.snapshots.partition_point(|at| *at < kept);
            self.snapshots.insert(at, kept);
        }
        Ok(doomed)
    }

    fn staged(&self, segment: &Segment, stage: Stage) -> impl Iterator<Item = PathBuf> {
        LOG_LAST
            .into_iter()
            .map(move |kind| segment_path(&self.dir, segment.base, kind, stage))
    }

    fn restage(&self, segment: &Segment, from: Stage, to: Stage) -> Result<(), LogError> {
        for (from, to) in self.staged(segment, from).zip(self.staged(segment, to)) {
            match self.disk.rename(&from, &to) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("rename", &from)(e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn sync_names(&self) -> Result<(), LogError> {
        let Home { disk, dir, .. } = home!(self);
        disk.sync_dir(dir).map_err(io_error("sync", dir))
    }
}
