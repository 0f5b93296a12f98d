//! The operating system's files, with a stopwatch on the syncs of logs.

use plimsoll_broker::metrics::Histogram;
use plimsoll_log::{DirEntry, Disk, DiskFile, DiskLock, Open, OsDisk, Space};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Files as [`OsDisk`] has them. Only a sync of a segment is timed: it is what
/// Kafka calls a flush, and nothing else here takes long.
#[derive(Clone, Debug, Default)]
pub struct MeteredDisk {
    disk: OsDisk,
    flushes: Arc<Histogram>,
}

impl MeteredDisk {
    /// How long syncs of segments took.
    pub fn flushes(&self) -> &Arc<Histogram> {
        &self.flushes
    }
}

impl Disk for MeteredDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(path, how)?;
        let is_written_log = how != Open::Read && path.extension().is_some_and(|e| e == "log");
        if !is_written_log {
            return Ok(file);
        }
        Ok(Arc::new(MeteredFile {
            file,
            flushes: Arc::clone(&self.flushes),
        }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.disk.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        self.disk.space(dir)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        self.disk.try_lock(path)
    }
}

#[derive(Debug)]
struct MeteredFile {
    file: Arc<dyn DiskFile>,
    flushes: Arc<Histogram>,
}

impl DiskFile for MeteredFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        self.file.read_at(buf, pos)
    }

    fn write_at(&self, bytes: &[u8], pos: u64) -> io::Result<()> {
        self.file.write_at(bytes, pos)
    }

    fn sync(&self) -> io::Result<()> {
        let began = Instant::now();
        let outcome = self.file.sync();
        self.flushes.record(began.elapsed());
        outcome
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }

    fn as_file(&self) -> Option<&File> {
        self.file.as_file()
    }

    fn path(&self) -> &Path {
        self.file.path()
    }
}
