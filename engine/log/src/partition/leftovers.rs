//! What lies in a partition's directory when it is opened.
//!
//! Files that an earlier process had begun or given up are removed. A segment
//! that compaction had finished (`.swap`) takes the place of those it was made
//! from: it holds all that they did, so it does not matter which of them are
//! already gone.

use crate::disk::{DirEntry, remove_if_there};
use crate::error::{LogError, io_error};
use crate::names::{Kind, Stage, parse_segment_file, segment_path};
use crate::place::{Home, Place, Slot};
use crate::walk::Headers;
use plimsoll_wire::types::Offset;
use std::collections::BTreeMap;
use std::io;

/// The files of one segment, by length.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Files {
    pub(super) log: Option<u64>,
    pub(super) index: Option<u64>,
    pub(super) times: Option<u64>,
    pub(super) txns: Option<u64>,
}

/// The segments and snapshots of a directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) segments: BTreeMap<Offset, Files>,
    pub(super) snapshots: Vec<Offset>,
    /// Whether the directory has just been made.
    pub(super) created: bool,
    /// Whether anything was removed or renamed.
    pub(super) tidied: bool,
}

/// Lists the directory, made when it is missing, and tidies it.
pub(super) fn settle(home: Home<'_>) -> Result<Listing, LogError> {
    let mut created = false;
    let mut names = match home.disk.list(home.dir) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            home.disk
                .create_dir_all(home.dir)
                .map_err(io_error("create", home.dir))?;
            created = true;
            Vec::new()
        }
        Err(e) => return Err(io_error("list", home.dir)(e)),
    };
    let tidied = tidy(home, &names)?;
    if tidied {
        names = home
            .disk
            .list(home.dir)
            .map_err(io_error("list", home.dir))?;
    }
    let mut listing = Listing {
        created,
        tidied,
        ..Listing::default()
    };
    for name in &names {
        note(&mut listing, name);
    }
    listing.snapshots.sort_unstable();
    drop_orphans(home, &mut listing)?;
    Ok(listing)
}

fn note(listing: &mut Listing, entry: &DirEntry) {
    let Some((base, kind, Stage::Live)) = parse_segment_file(&entry.name) else {
        return;
    };
    if kind == Kind::Snapshot {
        listing.snapshots.push(base);
        return;
    }
    let files = listing.segments.entry(base).or_default();
    let len = match kind {
        Kind::Log => &mut files.log,
        Kind::Index => &mut files.index,
        Kind::TimeIndex => &mut files.times,
        Kind::TxnIndex | Kind::Snapshot => &mut files.txns,
    };
    *len = Some(entry.len);
}

/// Indexes without a log serve nobody.
fn drop_orphans(home: Home<'_>, listing: &mut Listing) -> Result<(), LogError> {
    let orphans: Vec<Offset> = listing
        .segments
        .iter()
        .filter(|(_, f)| f.log.is_none())
        .map(|(base, _)| *base)
        .collect();
    for base in orphans {
        for kind in [Kind::Index, Kind::TimeIndex, Kind::TxnIndex] {
            remove_if_there(home.disk, &segment_path(home.dir, base, kind, Stage::Live))?;
        }
        listing.segments.remove(&base);
    }
    Ok(())
}

/// Removes what is half-done and finishes what is nearly done.
fn tidy(home: Home<'_>, names: &[DirEntry]) -> Result<bool, LogError> {
    let mut swaps: Vec<(Offset, u64)> = Vec::new();
    let mut stray_swaps: Vec<Place<'_>> = Vec::new();
    let mut tidied = false;
    for entry in names {
        match parse_segment_file(&entry.name) {
            Some((base, Kind::Log, Stage::Swap)) => swaps.push((base, entry.len)),
            Some((base, kind, Stage::Swap)) => {
                stray_swaps.push(
                    Home {
                        stage: Stage::Swap,
                        ..home
                    }
                    .file(base, kind),
                );
            }
            Some((_, _, Stage::Cleaned | Stage::Deleted)) => {
                remove_if_there(home.disk, &home.dir.join(&entry.name))?;
                tidied = true;
            }
            None if entry.name.ends_with(".tmp") => {
                remove_if_there(home.disk, &home.dir.join(&entry.name))?;
                tidied = true;
            }
            _ => {}
        }
    }
    for (base, len) in &swaps {
        finish_swap(home, names, *base, *len)?;
        tidied = true;
    }
    // Indexes are renamed before their log, so one that is left behind has lost
    // its log, and is rebuilt if it was the other way round.
    for place in stray_swaps
        .iter()
        .filter(|p| !swaps.iter().any(|(base, _)| *base == p.base))
    {
        remove_if_there(home.disk, &place.path())?;
        tidied = true;
    }
    Ok(tidied)
}

fn finish_swap(home: Home<'_>, names: &[DirEntry], base: Offset, len: u64) -> Result<(), LogError> {
    let end = swap_end(home, base, len)?;
    for entry in names {
        if let Some((old, kind, Stage::Live)) = parse_segment_file(&entry.name)
            && old >= base
            && old < end
            && kind != Kind::Snapshot
        {
            remove_if_there(home.disk, &home.dir.join(&entry.name))?;
        }
    }
    for kind in [Kind::Index, Kind::TimeIndex, Kind::TxnIndex, Kind::Log] {
        let from = segment_path(home.dir, base, kind, Stage::Swap);
        let to = segment_path(home.dir, base, kind, Stage::Live);
        match home.disk.rename(&from, &to) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("rename", &from)(e));
            }
            _ => {}
        }
    }
    home.disk
        .sync_dir(home.dir)
        .map_err(io_error("sync", home.dir))
}

/// The offset after the last batch of a swapped-in segment, at least past its
/// base, so that the segment of that name is replaced even by an empty one.
fn swap_end(home: Home<'_>, base: Offset, len: u64) -> Result<Offset, LogError> {
    let place = Home {
        stage: Stage::Swap,
        ..home
    }
    .file(base, Kind::Log);
    let slot = Slot::default();
    let mut walk = Headers::new(&**slot.get(place)?, 0, len);
    let mut end = base.plus(1);
    while let Ok(Some(found)) = walk.next() {
        end = found.header.next_offset();
    }
    Ok(end)
}
