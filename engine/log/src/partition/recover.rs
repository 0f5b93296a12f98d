//! The scan after a crash.
//!
//! Everything from the recovery point on is read once, in order: each batch is
//! compared with its checksum, indexed, and noted for its epoch and producer.
//! The first bytes that are not a whole batch end the log, and so does a gap
//! between two segments: the missing one was written before what follows, but
//! the disk kept only the latter. Base offsets are under no checksum, so unless
//! the topic is compacted each batch must also begin where the last one ended.

use super::append::marker;
use super::open::{Loaded, Recovered};
use super::replay::{Stretch, load_producers};
use crate::config::LogConfig;
use crate::disk::remove_if_there;
use crate::error::{LogError, io_error};
use crate::names::{Kind, Stage, segment_path};
use crate::place::Home;
use crate::producers::Producers;
use crate::segment::{End, Segment};
use crate::walk::{Checked, Found, Span, Stop};
use plimsoll_wire::types::Offset;
use std::sync::Arc;

#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    pub(super) home: Home<'a>,
    pub(super) config: &'a LogConfig,
    pub(super) recovery_point: Offset,
}

/// Why a log ends before its files do.
struct Cut {
    /// How many segments are left.
    keep: usize,
    /// Whether the last of them is longer than its batches.
    shorten: bool,
    because: String,
}

/// Scans `loaded` from the recovery point on and cuts it where it is not
/// whole.
pub(super) fn scan(
    scan: Scan<'_>,
    loaded: &mut Loaded,
    recovered: &mut Recovered,
) -> Result<(), LogError> {
    let first = scan.first(loaded)?;
    let Some(start) = scan.start(loaded, first)? else {
        return Ok(());
    };
    let Some(segment) = loaded.segments.get_mut(first) else {
        return Ok(());
    };
    let size = std::mem::replace(&mut segment.size, start.pos);
    loaded.log_end = start.next_offset;
    loaded.epochs.cut_end(start.next_offset);
    let (before, rest) = loaded.segments.split_at(first);
    if let Some(last) = rest.first() {
        let stretch = Stretch {
            segments: before,
            last,
        };
        loaded.producers =
            load_producers(scan.home, stretch, &mut loaded.snapshots, start.next_offset)?;
    }
    let sizes: Vec<u64> = loaded.segments.iter().map(|segment| segment.size).collect();
    let mut cut = None;
    for at in first..loaded.segments.len() {
        let size = if at == first {
            size
        } else {
            sizes.get(at).copied().unwrap_or(0)
        };
        if at > first
            && let Some(because) = scan.enter(loaded, at)?
        {
            cut = Some(Cut {
                keep: at,
                shorten: false,
                because,
            });
            break;
        }
        if let Some(because) = scan.segment(loaded, at, size, recovered)? {
            cut = Some(Cut {
                keep: at + 1,
                shorten: true,
                because,
            });
            break;
        }
        if at + 1 < loaded.segments.len()
            && let Some(segment) = loaded.segments.get_mut(at)
        {
            segment.seal(scan.home)?;
        }
    }
    if let Some(cut) = cut {
        cut_off(scan.home, loaded, cut, recovered)?;
    }
    while let Some(at) = loaded.snapshots.pop_if(|at| *at > loaded.log_end) {
        let path = segment_path(scan.home.dir, at, Kind::Snapshot, Stage::Live);
        remove_if_there(scan.home.disk, &path)?;
    }
    Ok(())
}

impl Scan<'_> {
    /// The first segment to scan: the one that holds the last durable batch,
    /// whose indexes may lack their end, or an earlier one whose indexes are
    /// lost and whose batches are not whole.
    fn first(&self, loaded: &mut Loaded) -> Result<usize, LogError> {
        let holds = loaded
            .segments
            .partition_point(|s| s.base < self.recovery_point);
        let first = holds.saturating_sub(1);
        for (at, segment) in loaded.segments.iter_mut().enumerate().take(first) {
            if !loaded.unindexed.contains(&segment.base) {
                continue;
            }
            match segment.reindex(self.home, self.config.index_interval_bytes) {
                Ok(()) => {}
                Err(LogError::Corrupt { .. }) => return Ok(at),
                Err(e) => return Err(e),
            }
        }
        Ok(first)
    }

    /// Where the scan of the first segment begins: at the recovery point when
    /// its indexes can be trusted up to there, else at its beginning.
    fn start(&self, loaded: &mut Loaded, first: usize) -> Result<Option<End>, LogError> {
        let Some(segment) = loaded.segments.get_mut(first) else {
            return Ok(None);
        };
        if loaded.unindexed.contains(&segment.base) {
            segment.drop_indexes(self.home)?;
        }
        match self.trusted_start(segment) {
            Ok(Some(end)) => {
                // A truncation may have shortened the log alone.
                segment.cut_indexes(self.home, end.next_offset)?;
                return Ok(Some(end));
            }
            Ok(None) | Err(LogError::Corrupt { .. }) => {}
            Err(e) => return Err(e),
        }
        segment.drop_indexes(self.home)?;
        Ok(Some(End {
            pos: 0,
            next_offset: segment.base,
        }))
    }

    fn trusted_start(&self, segment: &mut Segment) -> Result<Option<End>, LogError> {
        segment.keep_sound_indexes(self.home, self.recovery_point)?;
        let place = self.home.file(segment.base, Kind::Index);
        let Some(entry) = segment.index.last(place)? else {
            return Ok(None);
        };
        let mut walk = segment.walk(self.home, entry.pos)?;
        let mut end = None;
        while let Some(found) = walk
            .next()
            .map_err(|stop| segment.broken(self.home, stop))?
        {
            if end.is_none() && found.header.last_offset() != entry.last_offset {
                return Ok(None);
            }
            let (base, next_offset) = (found.header.base_offset, found.header.next_offset());
            let back = end.is_some_and(|end: End| base < end.next_offset);
            if base >= self.recovery_point || back {
                break;
            }
            end = Some(End {
                pos: found.end(),
                next_offset,
            });
            // What follows may be torn, and its offset anything.
            if next_offset >= self.recovery_point {
                break;
            }
        }
        Ok(end)
    }

    /// Makes a segment after the first ready to be scanned from its beginning;
    /// why it does not continue the log, when it does not.
    fn enter(&self, loaded: &mut Loaded, at: usize) -> Result<Option<String>, LogError> {
        let Some(segment) = loaded.segments.get_mut(at) else {
            return Ok(None);
        };
        let (base, end) = (segment.base, loaded.log_end);
        if base < end || (base > end && base > self.recovery_point) {
            return Ok(Some(format!(
                "a segment at offset {base} where {end} is next"
            )));
        }
        loaded.log_end = base;
        segment.drop_indexes(self.home)?;
        segment.size = 0;
        Ok(None)
    }

    /// Scans one segment; why it ends early, when it does.
    fn segment(
        &self,
        loaded: &mut Loaded,
        at: usize,
        file_size: u64,
        recovered: &mut Recovered,
    ) -> Result<Option<String>, LogError> {
        let Some(segment) = loaded.segments.get_mut(at) else {
            return Ok(None);
        };
        segment.renew(self.home)?;
        segment.mark_unsynced();
        let mut progress = Progress {
            epochs: &mut loaded.epochs,
            producers: &mut loaded.producers,
            checked: Checked::default(),
        };
        let span = Span {
            pos: segment.size,
            end: file_size,
            next_offset: loaded.log_end,
            gaps_upto: if self.config.cleanup_policy.compact {
                Offset(i64::MAX)
            } else {
                self.recovery_point
            },
        };
        let (end, because) = progress.run(self, segment, span, recovered)?;
        loaded.log_end = end;
        if because.is_some() {
            recovered.truncated_bytes += file_size - segment.size;
        }
        Ok(because)
    }
}

struct Progress<'a> {
    epochs: &'a mut crate::epochs::Epochs,
    producers: &'a mut Producers,
    checked: Checked,
}

impl Progress<'_> {
    /// Reads the span; the offset after its last whole batch, and why it ends
    /// there when that is early.
    fn run(
        &mut self,
        scan: &Scan<'_>,
        segment: &mut Segment,
        mut span: Span,
        recovered: &mut Recovered,
    ) -> Result<(Offset, Option<String>), LogError> {
        let file = Arc::clone(segment.file(scan.home)?);
        let from = span.pos;
        let because = loop {
            match self.checked.next(&*file, &mut span) {
                Ok(Some((found, bytes))) => match note(self.producers, &found, bytes) {
                    Ok(aborted) => {
                        let header = &found.header;
                        self.epochs
                            .note(header.partition_leader_epoch, header.base_offset);
                        segment.note(scan.home, &found, scan.config.index_interval_bytes)?;
                        if let Some(txn) = aborted {
                            let place = scan.home.file(segment.base, Kind::TxnIndex);
                            segment.txns.push(place, &txn)?;
                        }
                    }
                    Err(why) => {
                        span.pos = found.pos;
                        span.next_offset = found.header.base_offset;
                        break Some(format!("control batch at position {}: {why}", found.pos));
                    }
                },
                Ok(None) => break None,
                Err(Stop::NotABatch { pos, why }) => break Some(format!("at {pos}: {why}")),
                Err(stop) => return Err(segment.broken(scan.home, stop)),
            }
        };
        recovered.scanned_bytes += span.pos - from;
        Ok((span.next_offset, because))
    }
}

fn note(
    producers: &mut Producers,
    found: &Found,
    bytes: &[u8],
) -> Result<Option<crate::index::AbortedTxn>, plimsoll_wire::batch::BatchError> {
    if !found.header.is_control() {
        producers.note(&found.header);
        return Ok(None);
    }
    match marker(bytes)? {
        Some(end) => Ok(producers.note_marker(&found.header, end)),
        None => {
            producers.note_other(&found.header);
            Ok(None)
        }
    }
}

/// Removes the segments after the cut, newest first, and then what follows the
/// last batch: a segment that came back after a crash would leave a hole.
fn cut_off(
    home: Home<'_>,
    loaded: &mut Loaded,
    cut: Cut,
    recovered: &mut Recovered,
) -> Result<(), LogError> {
    while loaded.segments.len() > cut.keep
        && let Some(segment) = loaded.segments.pop()
    {
        recovered.truncated_bytes += segment.size;
        for kind in Kind::ALL {
            remove_if_there(
                home.disk,
                &segment_path(home.dir, segment.base, kind, Stage::Live),
            )?;
        }
    }
    home.disk
        .sync_dir(home.dir)
        .map_err(io_error("sync", home.dir))?;
    if let Some(segment) = loaded.segments.last_mut().filter(|_| cut.shorten) {
        let (pos, next_offset) = (segment.size, loaded.log_end);
        segment.truncate(home, End { pos, next_offset })?;
    }
    recovered.cut_because = Some(cut.because);
    Ok(())
}
