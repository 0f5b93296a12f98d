//! A disk in memory that fails on demand.
//!
//! Fault model:
//! - *Crash*: at the n-th changing operation the power goes. That operation and
//!   every later one fails. [`MemDisk::after_crash`] gives the disk as the next
//!   process finds it: of each file the bytes as of its last sync plus any
//!   subset of the 512-byte sectors written since, in any order; of each
//!   directory the names as of its last sync plus any prefix of the changes
//!   since (file systems journal names in order), chosen per directory.
//! - *Fault*: the next write, sync or read fails, or all of them do from then
//!   on, everywhere or under one directory. A failed write may have written a
//!   part.
//! - *Full*: writes that need more than the capacity fail.
//! - *Rot*: a byte flipped or a file cut, by [`MemDisk::flip`] and
//!   [`MemDisk::cut`].
//!
//! The same seed gives the same disk.

mod fault;
mod inode;
mod names;

use super::{DirEntry, Disk, DiskFile, DiskLock, Open, Space};
pub use fault::Fault;
use inode::{Inode, InodeId, Random};
use names::{NameChange, Names, drop_orphans};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    names: Names,
    durable_names: Names,
    pending_names: Vec<NameChange>,
    inodes: BTreeMap<InodeId, Inode>,
    next_inode: InodeId,
    locks: BTreeSet<PathBuf>,
    operations: u64,
    crash_at: Option<u64>,
    crashed: bool,
    /// What goes wrong, and under which directory.
    faults: Vec<(Fault, PathBuf)>,
    capacity: Option<u64>,
    /// What is done before the names in a directory are synced.
    before_sync: Option<(PathBuf, Action)>,
}

type Action = Box<dyn FnOnce() + Send>;

impl MemDisk {
    /// An empty disk that never fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many changing operations (write, sync, truncate, create, rename,
    /// remove) there have been.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the power go at the changing operation number `n`, counted from 1.
    pub fn crash_at(&self, n: u64) {
        self.state().crash_at = Some(n);
    }

    /// Injects a fault, wherever it may strike.
    pub fn fail(&self, fault: Fault) {
        self.fail_under(Path::new(""), fault);
    }

    /// Injects a fault that strikes under `dir` only.
    pub fn fail_under(&self, dir: &Path, fault: Fault) {
        self.state().faults.push((fault, dir.to_owned()));
    }

    /// Heals every fault that lasts or has not struck yet.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Does something once, when the names in `dir` are about to be synced and
    /// whoever asked for that waits: what can happen during a slow sync.
    pub fn before_sync_of(&self, dir: &Path, action: impl FnOnce() + Send + 'static) {
        self.state().before_sync = Some((dir.to_owned(), Box::new(action)));
    }

    /// Limits the bytes in all files together.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Leaves so many bytes free; `None` sets no limit.
    pub fn set_room(&self, bytes: Option<u64>) {
        let mut state = self.state();
        let used = state.used();
        state.capacity = bytes.map(|room| used.saturating_add(room));
    }

    /// The disk as the next process finds it after the power went.
    pub fn after_crash(&self, seed: u64) -> Self {
        let state = self.state();
        let mut random = Random::new(seed);
        let mut names = state.durable_names.clone();
        let mut stopped: BTreeMap<PathBuf, bool> = BTreeMap::new();
        for change in &state.pending_names {
            let stop = stopped.entry(change.directory()).or_default();
            *stop = *stop || random.one_in(8);
            if !*stop {
                change.apply(&mut names);
            }
        }
        drop_orphans(&mut names);
        let mut next = State {
            next_inode: state.next_inode,
            ..State::default()
        };
        for id in names.values().flatten() {
            if let Some(inode) = state.inodes.get(id) {
                next.inodes.insert(*id, inode.after_crash(&mut random));
            }
        }
        next.durable_names = names.clone();
        next.names = names;
        Self {
            state: Arc::new(Mutex::new(next)),
        }
    }

    /// Flips the bits of `mask` in one byte; no effect past the end.
    pub fn flip(&self, path: &Path, pos: u64, mask: u8) {
        self.with_file(path, |inode| inode.flip(pos, mask));
    }

    /// Cuts a file.
    pub fn cut(&self, path: &Path, len: u64) {
        self.with_file(path, |inode| inode.cut(len));
    }

    /// A copy that shares nothing, faults left behind.
    pub fn fork(&self) -> Self {
        let state = self.state();
        let fork = State {
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            pending_names: state.pending_names.clone(),
            inodes: state.inodes.clone(),
            next_inode: state.next_inode,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(fork)),
        }
    }

    fn with_file(&self, path: &Path, change: impl FnOnce(&mut Inode)) {
        let mut state = self.state();
        let id = state.names.get(path).copied().flatten();
        if let Some(inode) = id.and_then(|id| state.inodes.get_mut(&id)) {
            change(inode);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemDisk({} names)", self.state().names.len())
    }
}

impl State {
    /// Counts a changing operation; the error when the power goes with it.
    fn operate(&mut self, path: &Path) -> io::Result<()> {
        self.alive(path)?;
        self.operations += 1;
        if self.crash_at == Some(self.operations) {
            self.crashed = true;
            return Err(power_gone());
        }
        Ok(())
    }

    fn alive(&self, path: &Path) -> io::Result<()> {
        if self.crashed {
            return Err(power_gone());
        }
        if self.lies_under(Fault::Everything, path).is_some() {
            return Err(io::Error::other("injected: volume is gone"));
        }
        Ok(())
    }

    /// Which of the faults is this one and concerns the path.
    fn lies_under(&self, fault: Fault, path: &Path) -> Option<usize> {
        self.faults
            .iter()
            .position(|(kind, dir)| *kind == fault && path.starts_with(dir))
    }

    fn strikes(&mut self, fault: Fault, path: &Path) -> bool {
        let found = self.lies_under(fault, path);
        if let Some(at) = found {
            self.faults.remove(at);
        }
        found.is_some()
    }

    /// Changes a name; the change may survive even when the power goes now.
    fn rename_names(&mut self, change: NameChange) -> io::Result<()> {
        let dir = change.directory();
        self.alive(&dir)?;
        self.pending_names.push(change.clone());
        self.operate(&dir)?;
        change.apply(&mut self.names);
        Ok(())
    }

    fn dir_exists(&self, dir: &Path) -> bool {
        dir.parent().is_none() || dir.as_os_str().is_empty() || self.names.get(dir) == Some(&None)
    }

    fn used(&self) -> u64 {
        self.inodes.values().map(Inode::len).sum()
    }
}

fn power_gone() -> io::Error {
    io::Error::other("injected: power is gone")
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for MemDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.alive(path)?;
        let id = match state.names.get(path) {
            Some(None) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Some(id)) => *id,
            None if matches!(how, Open::Read | Open::Write) => return Err(not_found()),
            None => {
                if !path.parent().is_some_and(|dir| state.dir_exists(dir)) {
                    return Err(not_found());
                }
                let id = state.next_inode;
                state.next_inode = id.next();
                state.inodes.insert(id, Inode::default());
                state.rename_names(NameChange::Add(path.to_owned(), Some(id)))?;
                id
            }
        };
        if how == Open::Truncate {
            state.operate(path)?;
            if let Some(inode) = state.inodes.get_mut(&id) {
                inode.truncate(0);
            }
        }
        drop(state);
        Ok(Arc::new(MemFile {
            disk: self.clone(),
            path: path.to_owned(),
            id,
        }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.state();
        state.alive(dir)?;
        if !state.dir_exists(dir) {
            return Err(not_found());
        }
        let entries = state
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(dir));
        Ok(entries
            .filter_map(|(path, id)| {
                let len = id
                    .and_then(|id| state.inodes.get(&id))
                    .map_or(0, Inode::len);
                let name = path.file_name()?.to_str()?.to_owned();
                Some(DirEntry {
                    name,
                    len,
                    is_dir: id.is_none(),
                })
            })
            .collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        let mut missing: Vec<_> = dir
            .ancestors()
            .take_while(|dir| !state.dir_exists(dir))
            .map(Path::to_owned)
            .collect();
        missing.reverse();
        for dir in missing {
            state.rename_names(NameChange::Add(dir, None))?;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.names.contains_key(from) {
            return Err(not_found());
        }
        state.rename_names(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        match state.names.get(path) {
            Some(Some(_)) => state.rename_names(NameChange::Remove(path.to_owned())),
            Some(None) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(not_found()),
        }
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.names.get(dir) != Some(&None) {
            return Err(not_found());
        }
        if state.names.keys().any(|path| path.parent() == Some(dir)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.rename_names(NameChange::Remove(dir.to_owned()))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let planned = self.state().before_sync.take_if(|(at, _)| at == dir);
        if let Some((_, action)) = planned {
            action();
        }
        let mut state = self.state();
        state.operate(dir)?;
        if !state.dir_exists(dir) {
            return Err(not_found());
        }
        let (kept, pending) = std::mem::take(&mut state.pending_names)
            .into_iter()
            .partition(|c| c.directory() == dir);
        state.pending_names = pending;
        let kept: Vec<NameChange> = kept;
        for change in kept {
            change.apply(&mut state.durable_names);
        }
        Ok(())
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let state = self.state();
        state.alive(dir)?;
        let total = state.capacity.unwrap_or(u64::MAX);
        Ok(Space {
            total,
            usable: total.saturating_sub(state.used()),
        })
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let mut state = self.state();
        state.alive(path)?;
        if !state.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        drop(state);
        Ok(Some(Box::new(MemLock {
            disk: self.clone(),
            path: path.to_owned(),
        })))
    }
}

#[derive(Debug)]
struct MemFile {
    disk: MemDisk,
    /// Its name when it was opened.
    path: PathBuf,
    id: InodeId,
}

impl DiskFile for MemFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.alive(&self.path)?;
        if state.strikes(Fault::Read, &self.path) {
            return Err(io::Error::other("injected: read failed"));
        }
        Ok(state
            .inodes
            .get(&self.id)
            .map_or(0, |inode| inode.read(buf, pos)))
    }

    fn write_at(&self, bytes: &[u8], pos: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.alive(&self.path)?;
        let fails = state.strikes(Fault::Write, &self.path);
        let outcome = state.operate(&self.path);
        let full = state.lies_under(Fault::Full, &self.path).is_some();
        let used = state.used();
        let room = state
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(used));
        let Some(inode) = state.inodes.get_mut(&self.id) else {
            return outcome;
        };
        let grows = pos
            .saturating_add(bytes.len() as u64)
            .saturating_sub(inode.len());
        if fails || grows > room || (full && grows > 0) {
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
            inode.write(half, pos);
            return Err(io::ErrorKind::StorageFull.into());
        }
        inode.write(bytes, pos);
        outcome
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let fails = state.strikes(Fault::Sync, &self.path);
        state.operate(&self.path)?;
        let Some(inode) = state.inodes.get_mut(&self.id) else {
            return Ok(());
        };
        if fails {
            inode.forget_unsynced();
            return Err(io::Error::other("injected: sync failed"));
        }
        inode.sync();
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive(&self.path)?;
        Ok(state.inodes.get(&self.id).map_or(0, Inode::len))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate(&self.path)?;
        if let Some(inode) = state.inodes.get_mut(&self.id) {
            inode.truncate(len);
        }
        Ok(())
    }

    fn as_file(&self) -> Option<&File> {
        None
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

#[derive(Debug)]
struct MemLock {
    disk: MemDisk,
    path: PathBuf,
}

impl DiskLock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}
