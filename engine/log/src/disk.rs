//! The one door to storage: a small synchronous trait.
//!
//! Durability follows POSIX and no more: a write is durable after
//! [`DiskFile::sync`], a created, renamed or removed name after
//! [`Disk::sync_dir`] of the directory that holds it. Before that a crash may
//! keep any part of it, in any order.

pub(crate) mod mem;
pub(crate) mod os;

use crate::error::{LogError, io_error};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Where a log keeps its bytes.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;
    /// The names in a directory, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    /// Creates a directory and those above it; no error when it is there.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Moves a file or a directory, replacing a file of that name atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Unlinks a file. Handles that are open keep reading it.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// The size of the volume that holds a directory.
    fn space(&self, dir: &Path) -> io::Result<Space>;
    /// Takes an exclusive lock on a file, creating it; `None` when another
    /// holder has it. The lock ends when the guard is dropped.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;
}

/// One open file. Positions are explicit, so a handle is shared freely.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads up to the length of `buf`; 0 at the end of the file.
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize>;
    /// Writes all of `bytes`, growing the file where they end past it.
    fn write_at(&self, bytes: &[u8], pos: u64) -> io::Result<()>;
    /// Makes the file's bytes and length durable.
    fn sync(&self) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts the file to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// The operating system's file, for `sendfile`, when there is one.
    fn as_file(&self) -> Option<&File>;
    /// What the file was called when it was opened.
    fn path(&self) -> &Path;
    /// Whether the file holds no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
}

/// A lock that ends when it is dropped.
pub trait DiskLock: Send + Sync + fmt::Debug {}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// To read and write, created when it is missing.
    Create,
    /// To read and write, created when it is missing and emptied when it is not.
    Truncate,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The last component of the path.
    pub name: String,
    /// Bytes in a file; 0 for a directory.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// The size of a volume in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total: u64,
    /// What an ordinary user may still write.
    pub usable: u64,
}

/// A stretch of a file, to be read or sent without looking inside.
#[derive(Clone, Debug)]
pub struct FileRange {
    /// The file. It stays readable after its name is gone.
    pub file: Arc<dyn DiskFile>,
    /// Where the stretch begins.
    pub pos: u64,
    /// Its length in bytes.
    pub len: u64,
}

impl FileRange {
    /// Appends the bytes of the stretch to `out`. Fails when the file has been
    /// cut short since the range was made.
    pub fn read_into(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let start = out.len();
        let len = usize::try_from(self.len).map_err(|_| io::ErrorKind::InvalidInput)?;
        out.resize(start.saturating_add(len), 0);
        let Some(buf) = out.get_mut(start..) else {
            return Ok(());
        };
        read_exact_at(&*self.file, buf, self.pos)
    }
}

/// Reads exactly the length of `buf`.
pub(crate) fn read_exact_at(file: &dyn DiskFile, buf: &mut [u8], pos: u64) -> io::Result<()> {
    let got = read_full_at(file, buf, pos)?;
    if got == buf.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Reads until `buf` is full or the file ends; the number of bytes read.
pub(crate) fn read_full_at(file: &dyn DiskFile, buf: &mut [u8], pos: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, pos.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(got) => done += got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// The longest small file (checkpoint, snapshot, properties) that is read
/// whole: 256 MiB, which is millions of lines.
const WHOLE_FILE_BYTES_MAX: u64 = 256 << 20;

/// A whole small file; `None` when there is none of that name.
pub fn read_whole(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, LogError> {
    let file = match disk.open(path, Open::Read) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error("open", path)(e)),
    };
    let len = file.len().map_err(io_error("measure", path))?;
    if len > WHOLE_FILE_BYTES_MAX {
        return Err(LogError::corrupt(
            path,
            format!("{len} bytes where at most {WHOLE_FILE_BYTES_MAX} are expected"),
        ));
    }
    let mut bytes = Vec::new();
    FileRange { file, pos: 0, len }
        .read_into(&mut bytes)
        .map_err(io_error("read", path))?;
    Ok(Some(bytes))
}

/// Replaces a small file so that a crash leaves the old one or the new one:
/// written beside it, synced, renamed over it, and the name synced.
pub fn replace_whole(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = Path::new(&beside);
    let file = disk
        .open(beside, Open::Truncate)
        .map_err(io_error("create", beside))?;
    file.write_at(bytes, 0).map_err(io_error("write", beside))?;
    file.sync().map_err(io_error("sync", beside))?;
    disk.rename(beside, path)
        .map_err(io_error("rename", path))?;
    sync_parent(disk, path)
}

/// Makes the name `path` durable.
pub(crate) fn sync_parent(disk: &dyn Disk, path: &Path) -> Result<(), LogError> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };

    disk.sync_dir(parent).map_err(io_error("sync", parent))
}

/// Removes a file; no error when it is already gone.
pub(crate) fn remove_if_there(disk: &dyn Disk, path: &Path) -> Result<(), LogError> {
    match disk.remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Removes a directory and all that is in it; no error when it is gone.
pub(crate) fn remove_tree(disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
    let entries = match disk.list(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io_error("list", dir)(e)),
    };
    for entry in entries {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            remove_tree(disk, &path)?;
        } else {
            remove_if_there(disk, &path)?;
        }
    }
    disk.remove_dir(dir).map_err(io_error("remove", dir))
}
