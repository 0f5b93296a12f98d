//! Opening a log: from a clean stop without reading data, after a crash with a
//! scan from the recovery point.

use super::flush::EPOCHS_FILE;
use super::leftovers::{self, Files, Listing};
use super::recover::{self, Scan};
use super::replay::{Stretch, load_producers};
use super::undecided::Undecided;
use super::{Health, PartitionLog};
use crate::checkpoint::load_epochs;
use crate::config::LogConfig;
use crate::disk::{Disk, remove_if_there};
use crate::entries::Entries;
use crate::epochs::Epochs;
use crate::error::LogError;
use crate::index::{OffsetIndex, TimeIndex, TxnIndex};
use crate::names::{Kind, Stage, segment_path};
use crate::place::Home;
use crate::producers::Producers;
use crate::segment::Segment;
use plimsoll_wire::types::{Offset, TimestampMs};
use std::path::PathBuf;
use std::sync::Arc;

/// What the data directory's checkpoints say about a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpointed {
    /// The directory was left cleanly: nothing needs to be scanned.
    pub clean: bool,
    /// Below this offset everything is durable.
    pub recovery_point: Offset,
    /// Where the log was made to start; the first segment's base when `None`.
    pub log_start: Option<Offset>,
    /// The last high watermark that was noted.
    pub high_watermark: Offset,
    /// Below this offset compaction has been.
    pub cleaned_to: Offset,
}

/// What opening a log took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The directory was made.
    pub created: bool,
    /// Bytes read and compared with their checksums.
    pub scanned_bytes: u64,
    /// Bytes cut off after the last whole batch.
    pub truncated_bytes: u64,
    /// Why they were cut off.
    pub cut_because: Option<String>,
    /// The log ends below the recovery point that was checkpointed. The caller
    /// stores the checkpoint again before it appends: what comes to lie there
    /// would be trusted without being durable.
    pub recovery_point_lowered: bool,
}

impl PartitionLog {
    /// Opens the log in `dir`, made when it is missing.
    ///
    /// With `from.clean` only the last few kilobytes are read. Otherwise
    /// everything from the recovery point on is compared with its checksum and
    /// cut at the first batch that is not whole, and indexes, epochs and
    /// producers' state are rebuilt from it.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        config: Arc<LogConfig>,
        from: Checkpointed,
        now: TimestampMs,
    ) -> Result<(Self, Recovered), LogError> {
        let home = Home::live(&*disk, &dir);
        let listing = leftovers::settle(home)?;
        let mut recovered = Recovered {
            created: listing.created,
            ..Recovered::default()
        };
        let mut loaded = Loaded::new(home, &listing, now)?;
        let fresh = listing.segments.is_empty();
        let clean = from.clean && loaded.resume(home, &config)?;
        if !clean {
            let scan = Scan {
                home,
                config: &config,
                recovery_point: from.recovery_point,
            };
            recover::scan(scan, &mut loaded, &mut recovered)?;
        }
        let first_base = loaded.segments.first().map(|segment| segment.base);
        let log_start = from.log_start.max(first_base).unwrap_or_default();
        if first_base.is_none() || loaded.log_end < log_start {
            loaded.restart_at(home, log_start, now)?;
        }
        loaded.epochs.cut_start(log_start);
        loaded.epochs.cut_end(loaded.log_end);
        let log_end = loaded.log_end;
        let active = match loaded.segments.pop() {
            Some(active) => active,
            None => Segment::create(home, log_start, now)?,
        };
        let clean = clean && !fresh;
        let recovery_point = if clean {
            log_end
        } else {
            from.recovery_point.min(log_end)
        };
        let mut log = Self {
            sealed: loaded.segments,
            active,
            log_start,
            log_end,
            high_watermark: from.high_watermark.clamp(log_start, log_end),
            recovery_point: recovery_point.max(log_start),
            cleaned_to: from.cleaned_to.min(log_end),
            epochs: loaded.epochs,
            producers: loaded.producers,
            undecided: if clean {
                Undecided::default()
            } else {
                Undecided::from(log_start)
            },
            snapshots: loaded.snapshots,
            unsynced_snapshots: Vec::new(),
            unsynced_names: !clean || listing.tidied,
            unsynced_parent: !clean,
            flushing: false,
            truncations: 0,
            flushed_at: now,
            health: Health::Good,
            disk,
            dir,
            config,
        };
        log.producers.replicated_to(log.high_watermark);
        recovered.recovery_point_lowered = log.recovery_point < from.recovery_point;
        Ok((log, recovered))
    }
}

/// A log being opened.
pub(super) struct Loaded {
    pub(super) segments: Vec<Segment>,
    /// The segments whose indexes are missing or not made of entries.
    pub(super) unindexed: Vec<Offset>,
    pub(super) snapshots: Vec<Offset>,
    pub(super) epochs: Epochs,
    pub(super) producers: Producers,
    pub(super) log_end: Offset,
}

impl Loaded {
    fn new(home: Home<'_>, listing: &Listing, now: TimestampMs) -> Result<Self, LogError> {
        let mut segments = Vec::with_capacity(listing.segments.len());
        let mut unindexed = Vec::new();
        for (base, files) in &listing.segments {
            let (segment, indexed) = load(*base, files, now);
            segments.push(segment);
            if !indexed {
                unindexed.push(*base);
            }
        }
        let epochs = match load_epochs(home.disk, &home.dir.join(EPOCHS_FILE)) {
            Ok(entries) => Epochs::new(entries),
            Err(LogError::Corrupt { path, what }) => {
                tracing::warn!(path = %path.display(), what, "rebuilding the leader epochs");
                epochs_of(home, &segments)
            }
            Err(e) => return Err(e),
        };
        Ok(Self {
            segments,
            unindexed,
            snapshots: listing.snapshots.clone(),
            epochs,
            producers: Producers::default(),
            log_end: Offset(0),
        })
    }

    /// Finds the log end and the producers without a scan; `false` when the
    /// tail is not what a clean stop leaves.
    fn resume(&mut self, home: Home<'_>, config: &LogConfig) -> Result<bool, LogError> {
        match self.try_resume(home, config) {
            Ok(()) => Ok(true),
            Err(LogError::Corrupt { path, what }) => {
                tracing::warn!(path = %path.display(), what, "scanning a log that was left clean");
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    fn try_resume(&mut self, home: Home<'_>, config: &LogConfig) -> Result<(), LogError> {
        for segment in &mut self.segments {
            if self.unindexed.contains(&segment.base) {
                segment.reindex(home, config.index_interval_bytes)?;
            }
        }
        let Some(active) = self.segments.last_mut() else {
            return Ok(());
        };
        self.log_end = active.renew(home)?;
        let Some((last, segments)) = self.segments.split_last() else {
            return Ok(());
        };
        let stretch = Stretch { segments, last };
        self.producers = load_producers(home, stretch, &mut self.snapshots, self.log_end)?;
        Ok(())
    }

    /// Nothing of the log is left, or all of it lies below where it starts.
    fn restart_at(
        &mut self,
        home: Home<'_>,
        offset: Offset,
        now: TimestampMs,
    ) -> Result<(), LogError> {
        for segment in self.segments.drain(..) {
            for kind in Kind::ALL {
                let path = segment_path(home.dir, segment.base, kind, Stage::Live);
                remove_if_there(home.disk, &path)?;
            }
        }
        for at in self.snapshots.drain(..) {
            remove_if_there(
                home.disk,
                &segment_path(home.dir, at, Kind::Snapshot, Stage::Live),
            )?;
        }
        self.segments.push(Segment::create(home, offset, now)?);
        self.producers = Producers::starting_at(offset);
        self.log_end = offset;
        Ok(())
    }
}

/// A segment as its files show it, and whether its indexes are there and made
/// of entries.
fn load(base: Offset, files: &Files, now: TimestampMs) -> (Segment, bool) {
    let size = files.log.unwrap_or(0);
    let mut segment = Segment::existing(base, size, now);
    let offsets = files.index.and_then(Entries::of_file);
    let times = files.times.and_then(Entries::of_file);
    let txns = match files.txns {
        Some(len) => Entries::of_file(len),
        None => Some(Entries::default()),
    };
    match (offsets, times, txns) {
        (Some(offsets), Some(times), Some(txns)) => {
            segment.index = OffsetIndex(offsets);
            segment.times = TimeIndex(times);
            segment.txns = TxnIndex(txns);
            (segment, true)
        }
        (_, _, txns) => {
            segment.txns = TxnIndex(txns.unwrap_or_default());
            (segment, size == 0)
        }
    }
}

/// The epochs that the batches themselves carry.
fn epochs_of(home: Home<'_>, segments: &[Segment]) -> Epochs {
    let mut epochs = Epochs::default();
    for segment in segments {
        let Ok(mut walk) = segment.walk(home, 0) else {
            continue;
        };
        while let Ok(Some(found)) = walk.next() {
            epochs.note(
                found.header.partition_leader_epoch,
                found.header.base_offset,
            );
        }
    }
    epochs
}
