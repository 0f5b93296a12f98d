//! The operating system's files, with a stopwatch on the syncs of logs, and a
//! brake on their writes for rehearsals.

use plimsoll_broker::metrics::Histogram;
use plimsoll_log::{DirEntry, Disk, DiskFile, DiskLock, Open, OsDisk, Space};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Files as [`OsDisk`] has them. Only a sync of a segment is timed: it is what
/// Kafka calls a flush, and nothing else here takes long.
#[derive(Clone, Debug, Default)]
pub struct MeteredDisk {
    disk: OsDisk,
    flushes: Arc<Histogram>,
    brake: Arc<Brake>,
}

/// Makes each write and each sync of a log take longer, as an ailing disk does.
#[derive(Debug, Default)]
pub struct Brake {
    micros: AtomicU64,
}

impl Brake {
    /// From now on each takes `delay` longer; none for zero.
    pub fn set(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.micros.store(micros, Ordering::Relaxed);
    }

    fn wait(&self) {
        match self.micros.load(Ordering::Relaxed) {
            0 => {}
            micros => std::thread::sleep(Duration::from_micros(micros)),
        }
    }
}

impl MeteredDisk {
    /// How long syncs of segments took.
    pub fn flushes(&self) -> &Arc<Histogram> {
        &self.flushes
    }

    /// What makes it slower.
    pub const fn brake(&self) -> &Arc<Brake> {
        &self.brake
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
            brake: Arc::clone(&self.brake),
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
    brake: Arc<Brake>,
}

impl DiskFile for MeteredFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        self.file.read_at(buf, pos)
    }

    fn write_at(&self, bytes: &[u8], pos: u64) -> io::Result<()> {
        self.brake.wait();
        self.file.write_at(bytes, pos)
    }

    fn sync(&self) -> io::Result<()> {
        let began = Instant::now();
        self.brake.wait();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brake_holds_logs_back_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = MeteredDisk::default();
        let open = |name: &str| disk.open(&dir.path().join(name), Open::Create);
        let (log, index) = (
            open("0.log").expect("a log"),
            open("0.index").expect("an index"),
        );
        let delay = Duration::from_millis(30);
        let timed = |file: &Arc<dyn DiskFile>| {
            let began = Instant::now();
            file.write_at(b"x", 0).expect("written");
            began.elapsed()
        };
        disk.brake().set(delay);
        assert!(timed(&log) >= delay);
        let braked = (0..20).map(|_| timed(&index)).min();
        assert!(braked.is_some_and(|took| took < delay));
        disk.brake().set(Duration::ZERO);
        let free = (0..20).map(|_| timed(&log)).min();
        assert!(free.is_some_and(|took| took < delay));
    }
}
