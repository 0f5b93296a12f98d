//! This node's data directories: whose they are, which of them a partition
//! lies in, which have failed, and the files that cover all partitions of one.
//!
//! Invariants:
//! - A directory that failed is not written again until the broker restarts:
//!   what its disk kept is unknown until then.
//! - A partition that had a log never begins a new one elsewhere while a
//!   directory is missing: its records may lie there.

mod marks;
mod opening;

use crate::error::BrokerError;
use opening::{check_owner, open_one, places_in, settle, tolerate};
use parking_lot::Mutex;
use plimsoll_log::{
    Checkpointed, Disk, LogConfig, LogDir, LogError, Meta, PartitionLog, TopicPartition,
    encode_uuid, load_topic_id, partition_dir,
};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::NodeId;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use uuid::Uuid;

pub(crate) use marks::Marks;

/// The data directories, held by this process.
pub(crate) struct LogDirs {
    dirs: Vec<Dir>,
    cluster_id: String,
    /// Where each partition lies.
    places: Mutex<Places>,
    /// A directory of an earlier start is not here.
    some_lost: AtomicBool,
    /// The partitions that were there when the directories were opened, and
    /// whose logs were not opened yet: the checkpoints speak of them.
    found: Mutex<HashSet<TopicPartition>>,
    /// The node has not caught up yet with what it held before.
    starting: AtomicBool,
    /// A log was opened that ends below its checkpointed recovery point.
    outdated: AtomicBool,
    /// Logs that were opened ahead, for their partitions to take over.
    recovered: Mutex<HashMap<TopicPartition, Result<PartitionLog, LogError>>>,
    /// Bytes that were read because logs had not been closed.
    scanned_bytes: AtomicU64,
}

/// One directory of `log.dirs`.
struct Dir {
    path: PathBuf,
    /// None when it could not be used at the start.
    held: Option<LogDir>,
    /// KIP-858's id.
    id: Option<Uuid>,
    offline: AtomicBool,
}

/// Which directory, by number, each partition lies in.
#[derive(Default)]
struct Places {
    of: HashMap<TopicPartition, usize>,
    counts: Vec<usize>,
}

/// Whether the checkpoint files speak of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// They do: the log was there when the broker stopped.
    Checkpoints,
    /// They do not: the log is new, though one of its name may have been there,
    /// or it is to be scanned whole.
    Nothing,
}

/// Who asks for the directories.
pub(crate) struct Tenant<'a> {
    /// This node.
    pub(crate) node: NodeId,
    /// The cluster it is to join; any when none.
    pub(crate) cluster_id: Option<&'a str>,
    /// The id of a new cluster; one is drawn when none.
    pub(crate) common: Option<Uuid>,
}

impl Dir {
    fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// The directory, while it works.
    fn online(&self) -> Result<&LogDir, LogError> {
        match &self.held {
            Some(held) if !self.is_offline() => Ok(held),
            _ => Err(LogError::Offline {
                dir: self.path.clone(),
            }),
        }
    }
}

impl Places {
    fn put(&mut self, partition: TopicPartition, at: usize) {
        if self.of.insert(partition, at).is_none() {
            self.counts[at] += 1;
        }
    }

    fn take(&mut self, partition: &TopicPartition) {
        if let Some(at) = self.of.remove(partition) {
            self.counts[at] -= 1;
        }
    }
}

impl LogDirs {
    /// Locks the directories and makes them this node's. New ones are given the
    /// cluster id, which is drawn when nobody says it. One whose disk fails is
    /// left out as long as another works.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        paths: &[PathBuf],
        tenant: &Tenant<'_>,
        mut draw: impl FnMut() -> Uuid,
    ) -> Result<Self, BrokerError> {
        if paths.is_empty() {
            return Err(BrokerError::NoLogDir);
        }
        let mut opened = Vec::with_capacity(paths.len());
        for path in paths {
            opened.push(tolerate(path, open_one(disk, path))?);
        }
        let known = opened
            .iter()
            .flatten()
            .find_map(|(_, meta)| meta.as_ref().map(|meta| meta.cluster_id.clone()));
        let cluster_id = match tenant.cluster_id.map(str::to_owned).or(known) {
            Some(id) => id,
            None => encode_uuid(tenant.common.unwrap_or_else(&mut draw)),
        };
        let mut dirs = Vec::with_capacity(paths.len());
        for (path, found) in paths.iter().zip(opened) {
            let settled = match found {
                Some((held, meta)) => {
                    if let Some(meta) = &meta {
                        check_owner(path, meta, tenant.node, &cluster_id)?;
                    }
                    let fresh = Meta {
                        cluster_id: cluster_id.clone(),
                        node_id: tenant.node,
                        directory_id: draw(),
                    };
                    tolerate(path, settle(held, meta, fresh))?
                }
                None => None,
            };
            dirs.push(Dir {
                path: path.clone(),
                offline: AtomicBool::new(settled.is_none()),
                id: settled.as_ref().map(|(_, id)| *id),
                held: settled.map(|(held, _)| held),
            });
        }
        if dirs.iter().all(Dir::is_offline) {
            return Err(BrokerError::AllDirsFailed {
                paths: paths.to_vec(),
            });
        }
        let places = places_in(&dirs)?;
        let found = places.of.keys().cloned().collect();
        Ok(Self {
            dirs,
            cluster_id,
            places: Mutex::new(places),
            found: Mutex::new(found),
            starting: AtomicBool::new(true),
            some_lost: AtomicBool::new(false),
            outdated: AtomicBool::new(false),
            recovered: Mutex::default(),
            scanned_bytes: AtomicU64::new(0),
        })
    }

    /// The cluster's id.
    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The directories' paths, and whether each has failed.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&Path, bool)> {
        self.dirs
            .iter()
            .map(|dir| (dir.path.as_path(), dir.is_offline()))
    }

    /// The ids of the directories that work.
    pub(crate) fn ids(&self) -> Vec<Uuid> {
        let online = self.dirs.iter().filter(|dir| !dir.is_offline());
        online.filter_map(|dir| dir.id).collect()
    }

    /// Compares the directories with those of an earlier start. Answers with
    /// the ids of those that are not here: logs may lie in them.
    pub(crate) fn note_lost(&self, before: &[Uuid]) -> Vec<Uuid> {
        let here = self.ids();
        let lost: Vec<Uuid> = before
            .iter()
            .filter(|id| !here.contains(id))
            .copied()
            .collect();
        self.some_lost.store(!lost.is_empty(), Ordering::Release);
        lost
    }

    /// Whether a log of this name lies in one of the directories.
    pub(crate) fn holds(&self, partition: &TopicPartition) -> bool {
        self.places.lock().of.contains_key(partition)
    }

    /// The directory that a partition's log lies in.
    pub(crate) fn place_of(&self, partition: &TopicPartition) -> Option<&Path> {
        let at = self.places.lock().of.get(partition).copied()?;
        Some(self.dirs[at].path.as_path())
    }

    /// Whether any log lies here, or could lie in a directory that is missing.
    pub(crate) fn may_hold_logs(&self) -> bool {
        !self.places.lock().of.is_empty() || self.is_one_missing()
    }

    fn is_one_missing(&self) -> bool {
        self.some_lost.load(Ordering::Acquire) || self.dirs.iter().any(Dir::is_offline)
    }

    /// Takes a directory out of service. Answers whether it was in service.
    pub(crate) fn fail(&self, path: &Path) -> bool {
        let dir = self.dirs.iter().find(|dir| dir.path == path);
        dir.is_some_and(|dir| !dir.offline.swap(true, Ordering::AcqRel))
    }

    /// Opens a log that was there when the broker stopped, for
    /// [`Self::open_log`] to hand out.
    pub(crate) fn recover(&self, partition: TopicPartition, config: &Arc<LogConfig>, now: Now) {
        let opened = self.open_now(&partition, Trust::Checkpoints, config, now);
        self.recovered.lock().insert(partition, opened);
    }

    /// Whether the checkpoints speak of a partition's log. Once it was asked
    /// for they do not any more: a log of its name would be another.
    pub(crate) fn trust(&self, partition: &TopicPartition) -> Trust {
        let found = self.found.lock().remove(partition);
        if found || (self.is_starting() && self.is_one_missing()) {
            Trust::Checkpoints
        } else {
            Trust::Nothing
        }
    }

    /// Whether a log lies here that nobody has asked for since the start.
    pub(crate) fn awaits(&self, partition: &TopicPartition) -> bool {
        self.found.lock().contains(partition)
    }

    /// Whether the node has yet to catch up with what it held before: a log
    /// that is not here may then lie in a directory that is missing.
    pub(crate) fn is_starting(&self) -> bool {
        self.starting.load(Ordering::Acquire)
    }

    /// The node has caught up.
    pub(crate) fn started(&self) {
        self.starting.store(false, Ordering::Release);
    }

    /// Opens a partition's log where it lies, or makes one in the directory
    /// that holds the fewest partitions.
    pub(crate) fn open_log(
        &self,
        partition: &TopicPartition,
        trust: Trust,
        config: &Arc<LogConfig>,
        now: Now,
    ) -> Result<PartitionLog, LogError> {
        let ahead = self.recovered.lock().remove(partition);
        match ahead.filter(|_| trust == Trust::Checkpoints) {
            Some(opened) => opened,
            None => self.open_now(partition, trust, config, now),
        }
    }

    fn open_now(
        &self,
        partition: &TopicPartition,
        trust: Trust,
        config: &Arc<LogConfig>,
        now: Now,
    ) -> Result<PartitionLog, LogError> {
        let dir = self.dir_for(partition, trust)?;
        let path = dir.partition_path(partition);
        let from = match trust {
            Trust::Checkpoints => dir.checkpointed(partition),
            Trust::Nothing => Checkpointed::default(),
        };
        let (disk, config) = (Arc::clone(dir.disk()), Arc::clone(config));
        let (log, recovered) = PartitionLog::open(disk, path.clone(), config, from, now.wall)?;
        if trust == Trust::Checkpoints {
            self.scanned_bytes
                .fetch_add(recovered.scanned_bytes, Ordering::Relaxed);
        }
        if recovered.recovery_point_lowered {
            self.outdated.store(true, Ordering::Relaxed);
        }
        if recovered.truncated_bytes > 0 {
            tracing::warn!(
                path = %path.display(),
                bytes = recovered.truncated_bytes,
                because = recovered.cut_because.as_deref().unwrap_or(""),
                "cut the end off a log that was not closed"
            );
        }
        Ok(log)
    }

    /// How many bytes were read because logs had not been closed.
    pub(crate) fn scanned_bytes(&self) -> u64 {
        self.scanned_bytes.load(Ordering::Relaxed)
    }

    /// Whether the checkpoint files speak of records that a log no longer has.
    /// They must be written before anything is appended in their place.
    pub(crate) fn take_outdated(&self) -> bool {
        self.outdated.swap(false, Ordering::Relaxed)
    }

    /// Which topic the log of this name belongs to; none when there is no log
    /// or it was never written.
    pub(crate) fn topic_of(&self, partition: &TopicPartition) -> Result<Option<Uuid>, LogError> {
        let Some(at) = self.places.lock().of.get(partition).copied() else {
            return Ok(None);
        };
        let dir = self.dirs[at].online()?;
        load_topic_id(&**dir.disk(), &dir.partition_path(partition))
    }

    fn dir_for(&self, partition: &TopicPartition, trust: Trust) -> Result<&LogDir, LogError> {
        let mut places = self.places.lock();
        if let Some(at) = places.of.get(partition) {
            return self.dirs[*at].online();
        }
        if trust == Trust::Checkpoints && self.is_one_missing() {
            return Err(LogError::Missing {
                partition: partition_dir(partition),
            });
        }
        let online = |at: &usize| !self.dirs[*at].is_offline();
        let emptiest = (0..self.dirs.len())
            .filter(online)
            .min_by_key(|at| places.counts[*at]);
        match emptiest {
            Some(at) => {
                places.put(partition.clone(), at);
                self.dirs[at].online()
            }
            None => Err(LogError::Missing {
                partition: partition_dir(partition),
            }),
        }
    }

    /// Takes a deleted partition's directory out of use. Its log was dropped.
    pub(crate) fn retire(
        &self,
        partition: &TopicPartition,
        unique: Uuid,
    ) -> Result<Option<PathBuf>, LogError> {
        drop(self.recovered.lock().remove(partition));
        self.found.lock().remove(partition);
        let mut places = self.places.lock();
        let Some(at) = places.of.get(partition).copied() else {
            return Ok(None);
        };
        let retired = self.dirs[at]
            .online()?
            .retire(partition, unique.as_u128())?;
        places.take(partition);
        Ok(Some(retired))
    }

    /// Removes a directory that was taken out of use.
    pub(crate) fn purge(&self, retired: &Path) -> Result<(), LogError> {
        let dir = self.dirs.iter().find(|dir| retired.starts_with(&dir.path));
        match dir.map(Dir::online) {
            // One that failed is tidied when it is opened again.
            Some(Ok(dir)) => dir.purge(retired),
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// The directory that a path lies in.
    pub(crate) fn dir_of(&self, path: &Path) -> Option<&Path> {
        let found = self.dirs.iter().find(|dir| path.starts_with(&dir.path));
        found.map(|dir| dir.path.as_path())
    }

    /// Writes the checkpoint files of every directory that works, each from its
    /// own logs. Answers with the directories where that failed.
    pub(crate) fn store(&self, marks: &Marks) -> Vec<(&Path, LogError)> {
        self.each_online(|dir| {
            let mut own = marks.of(dir.path());
            for partition in marks.unopened() {
                dir.keep(partition, &mut own);
            }
            dir.store(&own)
        })
    }

    /// Marks in which the files keep what they say of the logs that this run has
    /// yet to open.
    pub(crate) fn unopened_marks(&self) -> Marks {
        let mut marks = Marks::default();
        if self.is_starting() {
            let found = self.found.lock();
            found
                .iter()
                .for_each(|partition| marks.keep(partition.clone()));
        }
        marks
    }

    /// Leaves the mark of a clean shutdown in every directory that works, unless
    /// this run has not come to open what a crash left there. Answers with the
    /// directories where that failed.
    pub(crate) fn mark_clean(&self) -> Vec<(&Path, LogError)> {
        self.each_online(|dir| match self.is_starting() && !dir.was_clean() {
            true => Ok(()),
            false => dir.mark_clean(),
        })
    }

    fn each_online(&self, act: impl Fn(&LogDir) -> Result<(), LogError>) -> Vec<(&Path, LogError)> {
        let mut failed = Vec::new();
        for dir in &self.dirs {
            if let Ok(held) = dir.online()
                && let Err(error) = act(held)
            {
                failed.push((dir.path.as_path(), error));
            }
        }
        failed
    }
}
