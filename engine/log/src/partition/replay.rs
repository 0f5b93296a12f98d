//! Producers' state from a snapshot and the batches after it.

use super::append::marker;
use crate::disk::{FileRange, read_whole, remove_if_there};
use crate::error::LogError;
use crate::names::{Kind, Stage, segment_path};
use crate::place::Home;
use crate::producers::{Producers, TxnEnd, decode};
use crate::segment::Segment;
use crate::walk::Found;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::types::Offset;
use std::sync::Arc;

/// The segments of a log.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'a> {
    pub(super) segments: &'a [Segment],
    pub(super) last: &'a Segment,
}

impl<'a> Stretch<'a> {
    fn iter(self) -> impl Iterator<Item = &'a Segment> {
        self.segments.iter().chain([self.last])
    }
}

/// The producers as of `offset`, from the newest usable snapshot at or before
/// it. Snapshots that cannot be read are removed.
pub(super) fn load_producers(
    home: Home<'_>,
    stretch: Stretch<'_>,
    snapshots: &mut Vec<Offset>,
    offset: Offset,
) -> Result<Producers, LogError> {
    let mut producers = from_snapshot(home, snapshots, offset)?.unwrap_or_else(|| {
        let first = stretch.iter().next().map_or(offset, |segment| segment.base);
        Producers::starting_at(first.min(offset))
    });
    replay(home, stretch, &mut producers, offset)?;
    if mutation::is(Mutation::ForgetSequences) {
        return Ok(Producers::starting_at(offset));
    }
    Ok(producers)
}

fn from_snapshot(
    home: Home<'_>,
    snapshots: &mut Vec<Offset>,
    offset: Offset,
) -> Result<Option<Producers>, LogError> {
    let mut at = snapshots.partition_point(|at| *at <= offset);
    while let Some(last) = at.checked_sub(1) {
        at = last;
        let Some(taken) = snapshots.get(at).copied() else {
            continue;
        };
        let path = segment_path(home.dir, taken, Kind::Snapshot, Stage::Live);
        let bytes = read_whole(home.disk, &path)?.unwrap_or_default();
        match decode(&bytes) {
            Ok(producers) => return Ok(Some(Producers::from_snapshot(taken, producers))),
            Err(why) => {
                tracing::warn!(path = %path.display(), why, "removing a producer snapshot");
                remove_if_there(home.disk, &path)?;
                snapshots.remove(at);
            }
        }
    }
    Ok(None)
}

/// Notes the batches between where `producers` stands and `upto`.
fn replay(
    home: Home<'_>,
    stretch: Stretch<'_>,
    producers: &mut Producers,
    upto: Offset,
) -> Result<(), LogError> {
    let from = producers.end();
    let first = stretch
        .segments
        .partition_point(|s| s.base <= from)
        .saturating_sub(1);
    for segment in stretch.iter().skip(first) {
        let Some(found) = segment.locate(home, from)? else {
            continue;
        };
        let mut walk = segment.walk(home, found.pos)?;
        while let Some(found) = walk.next().map_err(|stop| segment.broken(home, stop))? {
            if found.header.base_offset >= upto {
                return Ok(());
            }
            note(home, segment, producers, &found)?;
        }
    }
    Ok(())
}

fn note(
    home: Home<'_>,
    segment: &Segment,
    producers: &mut Producers,
    found: &Found,
) -> Result<(), LogError> {
    if !found.header.is_control() {
        producers.note(&found.header);
        return Ok(());
    }
    match stored_marker(home, segment, found)? {
        // The transaction index has its entry already.
        Some(end) => drop(producers.note_marker(&found.header, end)),
        None => producers.note_other(&found.header),
    }
    Ok(())
}

fn stored_marker(
    home: Home<'_>,
    segment: &Segment,
    found: &Found,
) -> Result<Option<TxnEnd>, LogError> {
    let place = home.file(segment.base, Kind::Log);
    let file = Arc::clone(segment.file(home)?);
    let len = found.header.total_len() as u64;
    let mut bytes = Vec::new();
    FileRange {
        file,
        pos: found.pos,
        len,
    }
    .read_into(&mut bytes)
    .map_err(place.failed("read"))?;
    marker(&bytes).map_err(|why| {
        LogError::corrupt(
            &place.path(),
            format!("control batch at position {}: {why}", found.pos),
        )
    })
}
