//! When a disk fails: its log directory goes offline, and the rest serve on.
//!
//! Whoever meets a failed read, write or sync notes it, often with a
//! partition's lock held; the broker acts on it once no lock is held: after the
//! request, or at the next tick. As in Kafka the whole directory goes, for what
//! failed once cannot be relied on, and it stays away until the broker
//! restarts and recovers what its disk kept.

use crate::broker::Broker;
use crate::partition::Partition;
use parking_lot::Mutex;
use plimsoll_log::LogError;
use plimsoll_wire::error_code::ErrorCode;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Failures of disks that nobody has acted on yet.
#[derive(Debug, Default)]
pub(crate) struct DiskFaults {
    any: AtomicBool,
    noted: Mutex<Vec<DiskFault>>,
}

/// The failure of one directory's disk.
#[derive(Debug)]
pub(crate) struct DiskFault {
    dir: PathBuf,
    error: String,
    remedy: &'static str,
}

impl DiskFaults {
    /// Takes note of an error that concerns a log directory; of others there is
    /// nothing to act on.
    pub(crate) fn note(&self, dir: &Path, error: &LogError) {
        if !error.is_disk_failure() {
            return;
        }
        self.noted.lock().push(DiskFault {
            dir: dir.to_owned(),
            error: error.to_string(),
            remedy: error.remedy(),
        });
        self.any.store(true, Ordering::Release);
    }

    fn take(&self) -> Vec<DiskFault> {
        if !self.any.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut self.noted.lock())
    }
}

impl Partition {
    /// An action on the log failed. Answers with what clients are told.
    pub(crate) fn storage_failed(&self, action: &str, error: &LogError) -> ErrorCode {
        let (topic, index) = (&self.topic, self.index.get());
        match error {
            // Its cause was told when it happened.
            LogError::Offline { .. } => {
                tracing::debug!(%error, %topic, partition = index, "cannot {action}");
            }
            _ => {
                let remedy = error.remedy();
                tracing::error!(%error, %topic, partition = index, "cannot {action}: {remedy}");
            }
        }
        if let Some(dir) = self.log_dir() {
            self.faults().note(&dir, error);
        }
        ErrorCode::KafkaStorageError
    }
}

impl Broker {
    /// A file of a log could not be read while its bytes were sent.
    pub fn file_failed(&self, path: &Path, error: std::io::Error) {
        let error = LogError::Io {
            action: "read",
            path: path.to_owned(),
            source: error,
        };
        if let Some(dir) = self.dirs.dir_of(path) {
            self.faults.note(dir, &error);
        }
        self.act_on_faults();
    }

    /// Takes the directories offline whose disks were found to fail. No lock
    /// may be held.
    pub(crate) fn act_on_faults(&self) {
        for fault in self.faults.take() {
            if !self.dirs.fail(&fault.dir) {
                continue;
            }
            let catalog = self.catalog();
            let lost = catalog
                .partitions()
                .filter(|partition| partition.log_dir().as_deref() == Some(&*fault.dir));
            let partitions = lost
                .inspect(|partition| {
                    partition.take_offline();
                    // Another replica is to lead what this node led.
                    self.isr_changes.want(partition);
                })
                .count();
            let DiskFault { dir, error, remedy } = fault;
            tracing::error!(
                dir = %dir.display(),
                partitions,
                "log directory is offline: {error}. Its partitions answer KAFKA_STORAGE_ERROR and \
                 the others serve on. What to do: {remedy}"
            );
            if self.dirs.paths().all(|(_, offline)| offline) {
                tracing::error!("no log directory is left: this broker serves no records");
            }
        }
    }

    /// Notes that actions on whole directories failed.
    pub(crate) fn dirs_failed(&self, failed: &[(&Path, LogError)]) {
        for (dir, error) in failed {
            self.faults.note(dir, error);
            if !error.is_disk_failure() {
                tracing::error!(%error, dir = %dir.display(), "{}", error.remedy());
            }
        }
        self.act_on_faults();
    }
}
