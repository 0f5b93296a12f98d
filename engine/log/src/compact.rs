//! Compaction: of each key the latest record stays.
//!
//! One pass: the dirty part of the log, from where the last pass ended to where
//! nothing may be cleaned yet, is read into a map from key to latest offset
//! until the map is full; then everything up to there is written anew without
//! the records that the map has a later one for. A log with more keys than the
//! map holds takes several passes.
//!
//! Rules (KIP-98, KIP-534), which leave every read_committed reader's latest
//! value of each key as it was:
//! - Offsets, batch ranges and order stay. A batch without a record left stays
//!   empty while it holds its producer's last sequence.
//! - Records of aborted transactions go; a marker goes once nothing of its
//!   transaction is left.
//! - Tombstones and such markers stay for `delete.retention.ms` from the first
//!   pass that finds them; the batch carries that time.
//!
//! [`PartitionLog::plan_clean`](crate::PartitionLog::plan_clean) says what to
//! do, [`CleanPlan::run`] does it without the log's lock, and
//! [`PartitionLog::install`](crate::PartitionLog::install) puts the result in
//! place. Memory is the map and a buffer, whatever the log's size.

mod filter;
mod offset_map;
mod transactions;
mod writer;

use crate::config::LogConfig;
use crate::disk::{Disk, DiskFile, Open};
use crate::error::{LogError, io_error};
use crate::index::AbortedTxn;
use crate::names::{Kind, Stage, segment_path};
use crate::place::Home;
use crate::producers::LastWritten;
use crate::segment::Segment;
use crate::walk::{Checked, Found, Span, Stop};
use filter::{Filter, Kept};
use offset_map::OffsetMap;
use plimsoll_wire::batch;
use plimsoll_wire::types::{Offset, ProducerId, TimestampMs};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use transactions::Transactions;
use writer::Writer;

/// What a batch may inflate to while it is cleaned.
const INFLATED_BYTES_MAX: usize = 1 << 30;

/// How much of a log could be cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dirtiness {
    /// Bytes cleaned before.
    pub clean_bytes: u64,
    /// Bytes that may be cleaned now.
    pub dirty_bytes: u64,
    /// `max.compaction.lag.ms` has passed for some of them.
    pub overdue: bool,
}

impl Dirtiness {
    /// Dirty bytes per thousand.
    pub fn permille(&self) -> u64 {
        let total = self.clean_bytes.saturating_add(self.dirty_bytes).max(1);
        self.dirty_bytes.saturating_mul(1000) / total
    }
}

/// How far compaction is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionLag {
    /// Bytes that have been compacted.
    pub clean_bytes: u64,
    /// Bytes of ended segments that have not.
    pub dirty_bytes: u64,
    /// Bytes of the active segment, which is never compacted.
    pub active_bytes: u64,
    /// The timestamp of the first batch that has not been compacted.
    pub oldest_dirty: Option<TimestampMs>,
}

/// A pass to be made.
#[derive(Debug)]
pub struct CleanPlan {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) config: Arc<LogConfig>,
    /// Oldest first, with the offset where the next begins.
    pub(crate) sources: Vec<Source>,
    pub(crate) first_dirty: Offset,
    pub(crate) aborted: Vec<AbortedTxn>,
    pub(crate) last_written: HashMap<ProducerId, LastWritten>,
    pub(crate) truncations: u64,
    pub(crate) now: TimestampMs,
    pub(crate) dirtiness: Dirtiness,
}

/// A segment to be cleaned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) base: Offset,
    pub(crate) size: u64,
    pub(crate) next: Offset,
}

/// What a pass has read and written so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanProgress {
    /// Bytes read to fill the map.
    pub mapped_bytes: u64,
    /// Bytes read to be cleaned.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Keys in the map.
    pub keys: u64,
    /// Records without a key, which a compacted topic should not have.
    pub keyless_records: u64,
}

/// A pass that has been made: segments that wait to take the place of others.
#[derive(Debug)]
pub struct Cleaned {
    pub(crate) groups: Vec<Group>,
    pub(crate) truncations: u64,
    /// The offset below which everything has been cleaned.
    pub cleaned_to: Offset,
    /// What it took.
    pub progress: CleanProgress,
}

/// One new segment and those that it replaces.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) segment: Segment,
    pub(crate) replaces: Vec<Offset>,
}

impl CleanPlan {
    /// The most that the pass will read: the dirty part twice, the rest once.
    pub fn bytes_to_read(&self) -> u64 {
        let all: u64 = self.sources.iter().map(|source| source.size).sum();
        all.saturating_add(self.dirtiness.dirty_bytes)
    }

    /// How dirty the log is.
    pub fn dirtiness(&self) -> Dirtiness {
        self.dirtiness
    }

    /// Makes the pass with a map of at most `map_bytes`. `pace` is called every
    /// megabyte or so: it may wait, to throttle, or break, to stop; then, as on
    /// an error, what was written is removed and the log is as before. `None`
    /// when stopped.
    pub fn run(
        &self,
        map_bytes: usize,
        pace: &mut dyn FnMut(&CleanProgress) -> ControlFlow<()>,
    ) -> Result<Option<Cleaned>, LogError> {
        let mut pass = Pass {
            plan: self,
            pace,
            progress: CleanProgress::default(),
            checked: Checked::default(),
            paced_bytes: 0,
        };
        let outcome = pass.run(map_bytes);
        if !matches!(outcome, Ok(Some(_))) {
            self.abandon();
        }
        outcome
    }

    /// Removes what a pass that came to nothing has written.
    fn abandon(&self) {
        for source in &self.sources {
            for kind in [Kind::Log, Kind::Index, Kind::TimeIndex, Kind::TxnIndex] {
                // What cannot be removed now is when the log is opened next.
                let path = segment_path(&self.dir, source.base, kind, Stage::Cleaned);
                let _ = self.disk.remove_file(&path);
            }
        }
    }

    /// The sources in runs that fit one segment each.
    fn groups(&self, upto: Offset) -> Vec<&[Source]> {
        let end = self.sources.partition_point(|source| source.base < upto);
        let mut rest = self.sources.get(..end).unwrap_or_default();
        let mut groups = Vec::new();
        while let Some(first) = rest.first() {
            let mut bytes = 0;
            let fits = |source: &&Source| {
                bytes += source.size;
                let span = source.next.get().saturating_sub(first.base.get());
                bytes <= self.config.segment_bytes && span < i64::from(i32::MAX)
            };
            let len = rest.iter().take_while(fits).count().max(1);
            let (group, after) = rest.split_at(len.min(rest.len()));
            groups.push(group);
            rest = after;
        }
        groups
    }
}

struct Pass<'a> {
    plan: &'a CleanPlan,
    pace: &'a mut dyn FnMut(&CleanProgress) -> ControlFlow<()>,
    progress: CleanProgress,
    checked: Checked,
    paced_bytes: u64,
}

/// Bytes between two calls of the pace.
const PACE_BYTES: u64 = 1 << 20;

impl Pass<'_> {
    fn run(&mut self, map_bytes: usize) -> Result<Option<Cleaned>, LogError> {
        let Some((map, cleaned_to)) = self.fill(map_bytes)? else {
            return Ok(None);
        };
        self.progress.keys = map.len();
        let mut transactions = Transactions::new(&self.plan.aborted);
        let mut groups = Vec::new();
        for sources in self.plan.groups(cleaned_to) {
            match self.clean(sources, &map, &mut transactions)? {
                Some(group) => groups.push(group),
                None => return Ok(None),
            }
        }
        Ok(Some(Cleaned {
            groups,
            truncations: self.plan.truncations,
            cleaned_to,
            progress: self.progress,
        }))
    }

    /// Reads the dirty part into a map; the map and where it ends.
    fn fill(&mut self, map_bytes: usize) -> Result<Option<(OffsetMap, Offset)>, LogError> {
        let plan = self.plan;
        let end = plan
            .sources
            .last()
            .map_or(plan.first_dirty, |source| source.next);
        let records = end.get().saturating_sub(plan.first_dirty.get());
        let mut map = OffsetMap::for_records(records, map_bytes);
        let mut transactions = Transactions::new(&plan.aborted);
        let mut mapped_to = plan.first_dirty;
        let mut scratch = Vec::new();
        let dirty = plan
            .sources
            .iter()
            .filter(|source| source.next > plan.first_dirty);
        for source in dirty {
            let mut reading = Reading::open(plan, source)?;
            while let Some((found, bytes)) = reading.next(&mut self.checked)? {
                let header = &found.header;
                let len = bytes.len() as u64;
                if header.is_control() {
                    transactions.marker(header, bytes);
                } else if !transactions.is_aborted(header)
                    && !map
                        .note(header, bytes, &mut scratch)
                        .map_err(|e| reading.bad(&found, &e))?
                {
                    // One batch may hold more keys than the map: its segment
                    // is then cleaned by what the map has of it.
                    let to = if mapped_to > plan.first_dirty {
                        mapped_to
                    } else {
                        header.base_offset.max(plan.first_dirty.plus(1))
                    };
                    return Ok(Some((map, to)));
                }
                if header.next_offset() > mapped_to {
                    mapped_to = header.next_offset();
                }
                self.progress.mapped_bytes += len;
                if self.stop_after(len) {
                    return Ok(None);
                }
            }
            mapped_to = mapped_to.max(source.next);
        }
        Ok(Some((map, mapped_to)))
    }

    /// Writes one segment from several.
    fn clean(
        &mut self,
        sources: &[Source],
        map: &OffsetMap,
        transactions: &mut Transactions,
    ) -> Result<Option<Group>, LogError> {
        let plan = self.plan;
        let Some(first) = sources.first() else {
            return Ok(None);
        };
        let mut writer = Writer::create(plan, first.base)?;
        let mut filter = Filter {
            plan,
            map,
            scratch: Vec::new(),
            keyless: 0,
        };
        let written = self.progress.written_bytes;
        for source in sources {
            let mut reading = Reading::open(plan, source)?;
            while let Some((found, bytes)) = reading.next(&mut self.checked)? {
                let len = bytes.len() as u64;
                let kept = filter
                    .batch(&found.header, bytes, transactions)
                    .map_err(|e| reading.bad(&found, &e))?;
                match kept {
                    Kept::Whole => writer.push(bytes)?,
                    Kept::Part(batch) => writer.push(&batch)?,
                    Kept::Nothing => {}
                }
                if let Some(txn) = transactions.take_finished() {
                    writer.aborted(&txn)?;
                }
                self.progress.read_bytes += len;
                self.progress.written_bytes = written + writer.len();
                if self.stop_after(len) {
                    return Ok(None);
                }
            }
        }
        self.progress.keyless_records += filter.keyless;
        let segment = writer.finish()?;
        self.progress.written_bytes = written + segment.size;
        let replaces = sources.iter().map(|source| source.base).collect();
        Ok(Some(Group { segment, replaces }))
    }

    fn stop_after(&mut self, bytes: u64) -> bool {
        self.paced_bytes += bytes;
        if self.paced_bytes < PACE_BYTES {
            return false;
        }
        self.paced_bytes = 0;
        (self.pace)(&self.progress).is_break()
    }
}

/// A source being read.
struct Reading {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    span: Span,
}

impl Reading {
    fn open(plan: &CleanPlan, source: &Source) -> Result<Self, LogError> {
        let path = segment_path(&plan.dir, source.base, Kind::Log, Stage::Live);
        let file = plan
            .disk
            .open(&path, Open::Read)
            .map_err(io_error("open", &path))?;
        let gaps_upto = Offset(i64::MAX);
        let span = Span {
            pos: 0,
            end: source.size,
            next_offset: source.base,
            gaps_upto,
        };
        Ok(Self { path, file, span })
    }

    fn next<'b>(
        &mut self,
        checked: &'b mut Checked,
    ) -> Result<Option<(Found, &'b [u8])>, LogError> {
        if self.span.pos == 0 {
            checked.reset();
        }
        checked
            .next(&*self.file, &mut self.span)
            .map_err(|stop| match stop {
                Stop::Io(e) => io_error("read", &self.path)(e),
                Stop::NotABatch { pos, why } => {
                    LogError::corrupt(&self.path, format!("at position {pos}: {why}"))
                }
            })
    }

    fn bad(&self, found: &Found, why: &batch::BatchError) -> LogError {
        LogError::corrupt(
            &self.path,
            format!("batch at position {}: {why}", found.pos),
        )
    }
}

impl CleanPlan {
    fn home(&self) -> Home<'_> {
        Home {
            stage: Stage::Cleaned,
            ..Home::live(&*self.disk, &self.dir)
        }
    }
}
