//! A data directory: its lock, its identity, its partitions and the checkpoint
//! files that cover all of them.
//!
//! The clean-shutdown mark is read and removed when the directory is opened,
//! so that a crash from then on is one.

use crate::checkpoint::{OffsetCheckpoint, TopicPartition, load_offsets, store_offsets};
use crate::disk::{
    Disk, DiskLock, Space, read_whole, remove_if_there, remove_tree, replace_whole, sync_parent,
};
use crate::error::{LogError, io_error};
use crate::names::{RETIRED, parse_partition_dir, partition_dir, retired_dir};
use crate::partition::Checkpointed;
use crate::properties::Meta;
use plimsoll_wire::types::Offset;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const LOCK: &str = ".lock";
const CLEAN: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const LOG_STARTS: &str = "log-start-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const CLEANED: &str = "cleaner-offset-checkpoint";

/// A data directory that this process holds.
#[derive(Debug)]
pub struct LogDir {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    was_clean: bool,
    recovery_points: OffsetCheckpoint,
    log_starts: OffsetCheckpoint,
    high_watermarks: OffsetCheckpoint,
    cleaned: OffsetCheckpoint,
    _lock: Box<dyn DiskLock>,
}

/// The offsets of all partitions of a data directory at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// Below these everything is durable.
    pub recovery_points: OffsetCheckpoint,
    /// The first offsets that may be read.
    pub log_starts: OffsetCheckpoint,
    /// The high watermarks.
    pub high_watermarks: OffsetCheckpoint,
    /// Below these compaction has been.
    pub cleaned: OffsetCheckpoint,
}

impl LogDir {
    /// Locks the directory, made when it is missing, and reads its
    /// checkpoints. [`LogError::Locked`] when another process has it.
    pub fn open(disk: Arc<dyn Disk>, path: PathBuf) -> Result<Self, LogError> {
        create_durably(&*disk, &path)?;
        let lock = disk
            .try_lock(&path.join(LOCK))
            .map_err(io_error("lock", &path))?;
        let Some(lock) = lock else {
            return Err(LogError::Locked { dir: path });
        };
        let mark = path.join(CLEAN);
        let was_clean = read_whole(&*disk, &mark)?.is_some();
        if was_clean {
            remove_if_there(&*disk, &mark)?;
            sync_parent(&*disk, &mark)?;
        }
        Ok(Self {
            was_clean,
            recovery_points: load_or_none(&*disk, &path.join(RECOVERY_POINTS))?,
            log_starts: load_or_none(&*disk, &path.join(LOG_STARTS))?,
            high_watermarks: load_or_none(&*disk, &path.join(HIGH_WATERMARKS))?,
            cleaned: load_or_none(&*disk, &path.join(CLEANED))?,
            _lock: lock,
            disk,
            path,
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whether the last process left it cleanly.
    pub fn was_clean(&self) -> bool {
        self.was_clean
    }

    /// Whose directory it is; `None` when it is new.
    pub fn meta(&self) -> Result<Option<Meta>, LogError> {
        Meta::load(&*self.disk, &self.path.join(Meta::FILE))
    }

    /// Makes it someone's directory.
    pub fn set_meta(&self, meta: &Meta) -> Result<(), LogError> {
        meta.store(&*self.disk, &self.path.join(Meta::FILE))
    }

    /// The partitions in it.
    pub fn partitions(&self) -> Result<Vec<TopicPartition>, LogError> {
        let names = self
            .disk
            .list(&self.path)
            .map_err(io_error("list", &self.path))?;
        let dirs = names.iter().filter(|entry| entry.is_dir);
        let mut partitions: Vec<_> = dirs
            .filter_map(|entry| parse_partition_dir(&entry.name))
            .collect();
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// Where a partition's log lies.
    pub fn partition_path(&self, partition: &TopicPartition) -> PathBuf {
        self.path.join(partition_dir(partition))
    }

    /// What the checkpoints said of a partition when the directory was opened.
    pub fn checkpointed(&self, partition: &TopicPartition) -> Checkpointed {
        let of = |offsets: &OffsetCheckpoint| offsets.get(partition).copied();
        Checkpointed {
            clean: self.was_clean,
            recovery_point: of(&self.recovery_points).unwrap_or(Offset(0)),
            log_start: of(&self.log_starts),
            high_watermark: of(&self.high_watermarks).unwrap_or(Offset(0)),
            cleaned_to: of(&self.cleaned).unwrap_or(Offset(0)),
        }
    }

    /// Adds to new checkpoints what the old ones said of a partition.
    pub fn keep(&self, partition: &TopicPartition, checkpoints: &mut Checkpoints) {
        let keep = |from: &OffsetCheckpoint, to: &mut OffsetCheckpoint| {
            if let Some(offset) = from.get(partition) {
                to.insert(partition.clone(), *offset);
            }
        };
        keep(&self.recovery_points, &mut checkpoints.recovery_points);
        keep(&self.log_starts, &mut checkpoints.log_starts);
        keep(&self.high_watermarks, &mut checkpoints.high_watermarks);
        keep(&self.cleaned, &mut checkpoints.cleaned);
    }

    /// Writes the checkpoint files. What they say must already hold on disk.
    pub fn store(&self, checkpoints: &Checkpoints) -> Result<(), LogError> {
        let disk = &*self.disk;
        store_offsets(disk, &self.path.join(LOG_STARTS), &checkpoints.log_starts)?;
        store_offsets(
            disk,
            &self.path.join(HIGH_WATERMARKS),
            &checkpoints.high_watermarks,
        )?;
        store_offsets(disk, &self.path.join(CLEANED), &checkpoints.cleaned)?;
        store_offsets(
            disk,
            &self.path.join(RECOVERY_POINTS),
            &checkpoints.recovery_points,
        )
    }

    /// Leaves the clean-shutdown mark; the last thing done to a directory, once
    /// every log is closed clean and the checkpoints are stored.
    pub fn mark_clean(&self) -> Result<(), LogError> {
        let mark = br#"{"version":0,"brokerEpoch":-1}"#;
        replace_whole(&*self.disk, &self.path.join(CLEAN), mark)
    }

    /// Takes a partition's directory out of use, durably: renamed, so that a
    /// new partition of that name may begin. Its log must have been dropped.
    /// The path is for [`Self::purge`].
    pub fn retire(&self, partition: &TopicPartition, unique: u128) -> Result<PathBuf, LogError> {
        let from = self.partition_path(partition);
        let to = self.path.join(retired_dir(partition, unique));
        self.disk
            .rename(&from, &to)
            .map_err(io_error("rename", &from))?;
        sync_parent(&*self.disk, &to)?;
        Ok(to)
    }

    /// The directories that were taken out of use and not removed yet.
    pub fn retired(&self) -> Result<Vec<PathBuf>, LogError> {
        let names = self
            .disk
            .list(&self.path)
            .map_err(io_error("list", &self.path))?;
        let retired = names
            .iter()
            .filter(|entry| entry.is_dir && entry.name.ends_with(RETIRED));
        Ok(retired.map(|entry| self.path.join(&entry.name)).collect())
    }

    /// Removes a directory that was taken out of use.
    pub fn purge(&self, retired: &Path) -> Result<(), LogError> {
        remove_tree(&*self.disk, retired)
    }

    /// The size of the volume.
    pub fn space(&self) -> Result<Space, LogError> {
        self.disk
            .space(&self.path)
            .map_err(io_error("measure", &self.path))
    }
}

/// Makes a directory and those above it, and their names durable.
fn create_durably(disk: &dyn Disk, path: &Path) -> Result<(), LogError> {
    let missing: Vec<&Path> = path
        .ancestors()
        .filter(|dir| !dir.as_os_str().is_empty())
        .take_while(|dir| {
            disk.list(dir)
                .is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
        })
        .collect();
    disk.create_dir_all(path)
        .map_err(io_error("create", path))?;
    missing
        .into_iter()
        .rev()
        .try_for_each(|dir| sync_parent(disk, dir))
}

/// A checkpoint that cannot be read says nothing: recovery then scans more.
fn load_or_none(disk: &dyn Disk, path: &Path) -> Result<OffsetCheckpoint, LogError> {
    match load_offsets(disk, path) {
        Err(LogError::Corrupt { path, what }) => {
            tracing::warn!(path = %path.display(), what, "ignoring a damaged checkpoint");
            Ok(OffsetCheckpoint::new())
        }
        loaded => loaded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemDisk;
    use plimsoll_wire::types::PartitionIndex;

    fn orders(partition: i32) -> TopicPartition {
        TopicPartition {
            topic: "orders".to_owned(),
            partition: PartitionIndex(partition),
        }
    }

    fn open(disk: &MemDisk) -> Result<LogDir, LogError> {
        LogDir::open(Arc::new(disk.clone()), PathBuf::from("/data"))
    }

    #[test]
    fn checkpoints_and_the_clean_mark_outlive_the_process() {
        let disk = MemDisk::new();
        let dir = open(&disk).unwrap();
        assert!(!dir.was_clean());
        assert!(matches!(open(&disk), Err(LogError::Locked { .. })));
        let offsets = |offset| OffsetCheckpoint::from([(orders(0), Offset(offset))]);
        dir.store(&Checkpoints {
            recovery_points: offsets(7),
            log_starts: offsets(2),
            high_watermarks: offsets(6),
            cleaned: offsets(1),
        })
        .unwrap();
        dir.mark_clean().unwrap();
        drop(dir);
        let dir = open(&disk).unwrap();
        let expected = Checkpointed {
            clean: true,
            recovery_point: Offset(7),
            log_start: Some(Offset(2)),
            high_watermark: Offset(6),
            cleaned_to: Offset(1),
        };
        assert_eq!(dir.checkpointed(&orders(0)), expected);
        assert_eq!(dir.checkpointed(&orders(1)).recovery_point, Offset(0));
        drop(dir);
        assert!(!open(&disk).unwrap().was_clean());
    }

    #[test]
    fn a_retired_partition_is_out_of_sight_until_it_is_purged() {
        let disk = MemDisk::new();
        let dir = open(&disk).unwrap();
        for partition in [orders(0), orders(1)] {
            disk.create_dir_all(&dir.partition_path(&partition))
                .unwrap();
        }
        let retired = dir.retire(&orders(0), 7).unwrap();
        assert_eq!(dir.partitions().unwrap(), [orders(1)]);
        assert_eq!(dir.retired().unwrap(), std::slice::from_ref(&retired));
        dir.purge(&retired).unwrap();
        assert!(dir.retired().unwrap().is_empty());
    }
}
