//! The operating system's files.

use super::{DirEntry, Disk, DiskFile, DiskLock, Open, Space};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Files of the operating system. Writes go to the page cache and are durable
/// after a sync.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OsFile {
            file: open(path, how)?,
            path: path.into(),
        }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            match entry.metadata() {
                Ok(meta) => {
                    let is_dir = meta.is_dir();
                    entries.push(DirEntry {
                        name,
                        len: if is_dir { 0 } else { meta.len() },
                        is_dir,
                    });
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(entries)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(Space {
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            usable: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let file = open(path, Open::Create)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        // Apache Kafka locks the same file with fcntl, which does not see the
        // lock above, and which in turn does not tell two holders of one
        // process apart: both are taken.
        match rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Box::new(OsLock { _file: file }))),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

fn open(path: &Path, how: Open) -> io::Result<File> {
    let write = how != Open::Read;
    OpenOptions::new()
        .read(true)
        .write(write)
        .create(matches!(how, Open::Create | Open::Truncate))
        .truncate(how == Open::Truncate)
        .open(path)
}

#[derive(Debug)]
struct OsFile {
    file: File,
    path: Box<Path>,
}

impl DiskFile for OsFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        self.file.read_at(buf, pos)
    }

    fn write_at(&self, bytes: &[u8], pos: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, pos)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn as_file(&self) -> Option<&File> {
        Some(&self.file)
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

#[derive(Debug)]
struct OsLock {
    _file: File,
}

impl DiskLock for OsLock {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let first = OsDisk.try_lock(&path).unwrap();
        assert!(first.is_some());
        assert!(OsDisk.try_lock(&path).unwrap().is_none());
        drop(first);
        assert!(OsDisk.try_lock(&path).unwrap().is_some());
    }

    #[test]
    fn a_listing_shows_lengths_and_tells_directories_apart() {
        let dir = tempfile::tempdir().unwrap();
        OsDisk.create_dir_all(&dir.path().join("d")).unwrap();
        let file = OsDisk.open(&dir.path().join("f"), Open::Create).unwrap();
        file.write_at(b"abc", 2).unwrap();
        let mut entries = OsDisk.list(dir.path()).unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let seen: Vec<_> = entries
            .iter()
            .map(|e| (e.name.as_str(), e.len, e.is_dir))
            .collect();
        assert_eq!(seen, [("d", 0, true), ("f", 5, false)]);
    }
}
