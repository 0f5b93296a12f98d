//! This node's data directories: whose they are, which of them a partition
//! lies in, and the files that cover all partitions of one.

use crate::error::BrokerError;
use plimsoll_log::{
    Checkpointed, Checkpoints, Disk, LogConfig, LogDir, LogError, Meta, PartitionLog,
    TopicPartition, encode_uuid, load_topic_id, store_topic_id,
};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{NodeId, Offset};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// The data directories, held by this process.
pub(crate) struct LogDirs {
    dirs: Vec<LogDir>,
    cluster_id: String,
    /// A log was opened that ends below its checkpointed recovery point.
    outdated: AtomicBool,
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
}

impl LogDirs {
    /// Locks the directories and makes them this node's. New ones are given the
    /// cluster id, which is drawn when nobody says it.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        paths: &[PathBuf],
        tenant: &Tenant<'_>,
        mut draw: impl FnMut() -> Uuid,
    ) -> Result<Self, BrokerError> {
        if paths.is_empty() {
            return Err(BrokerError::NoLogDir);
        }
        let open = |path: &PathBuf| LogDir::open(Arc::clone(disk), path.clone());
        let dirs = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let metas = dirs
            .iter()
            .map(LogDir::meta)
            .collect::<Result<Vec<_>, _>>()?;
        let known = metas
            .iter()
            .flatten()
            .map(|meta| meta.cluster_id.as_str())
            .next();
        let cluster_id = tenant
            .cluster_id
            .or(known)
            .map_or_else(|| encode_uuid(draw()), str::to_owned);
        for (dir, meta) in dirs.iter().zip(&metas) {
            if let Some(meta) = meta {
                check_owner(dir.path(), meta, tenant.node, &cluster_id)?;
            } else {
                let (cluster_id, directory_id) = (cluster_id.clone(), draw());
                dir.set_meta(&Meta {
                    cluster_id,
                    node_id: tenant.node,
                    directory_id,
                })?;
            }
            for retired in dir.retired()? {
                dir.purge(&retired)?;
            }
        }
        Ok(Self {
            dirs,
            cluster_id,
            outdated: AtomicBool::new(false),
        })
    }

    /// The cluster's id.
    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The directories' paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.dirs.iter().map(LogDir::path)
    }

    /// The ids of the directories.
    pub(crate) fn ids(&self) -> Result<Vec<Uuid>, LogError> {
        let metas = self
            .dirs
            .iter()
            .map(LogDir::meta)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(metas
            .into_iter()
            .flatten()
            .map(|meta| meta.directory_id)
            .collect())
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
        let Some(dir) = self.dir_for(partition)? else {
            return Err(LogError::Offline {
                dir: PathBuf::from(&partition.topic),
            });
        };
        let path = dir.partition_path(partition);
        let from = match trust {
            Trust::Checkpoints => dir.checkpointed(partition),
            Trust::Nothing => Checkpointed::default(),
        };
        let (disk, config) = (Arc::clone(dir.disk()), Arc::clone(config));
        let (log, recovered) = PartitionLog::open(disk, path.clone(), config, from, now.wall)?;
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

    /// Whether the checkpoint files speak of records that a log no longer has.
    /// They must be written before anything is appended in their place.
    pub(crate) fn take_outdated(&self) -> bool {
        self.outdated.swap(false, Ordering::Relaxed)
    }

    /// Writes which topic the partition of a log belongs to, unless it is known.
    pub(crate) fn name_log(&self, disk: &dyn Disk, dir: &Path, id: Uuid) -> Result<(), LogError> {
        if load_topic_id(disk, dir)?.is_none() {
            store_topic_id(disk, dir, id)?;
        }
        Ok(())
    }

    fn dir_for(&self, partition: &TopicPartition) -> Result<Option<&LogDir>, LogError> {
        if let [only] = self.dirs.as_slice() {
            return Ok(Some(only));
        }
        let mut emptiest = None;
        for dir in &self.dirs {
            let held = dir.partitions()?;
            if held.contains(partition) {
                return Ok(Some(dir));
            }
            if emptiest.is_none_or(|(count, _)| held.len() < count) {
                emptiest = Some((held.len(), dir));
            }
        }
        Ok(emptiest.map(|(_, dir)| dir))
    }

    /// Takes a deleted partition's directory out of use. Its log was dropped.
    pub(crate) fn retire(
        &self,
        path: &Path,
        partition: &TopicPartition,
        unique: Uuid,
    ) -> Result<PathBuf, LogError> {
        let dir = self.dirs.iter().find(|dir| path.starts_with(dir.path()));
        match dir {
            Some(dir) => dir.retire(partition, unique.as_u128()),
            None => Err(LogError::Offline {
                dir: path.to_owned(),
            }),
        }
    }

    /// Removes a directory that was taken out of use.
    pub(crate) fn purge(&self, retired: &Path) -> Result<(), LogError> {
        match self.dirs.iter().find(|dir| retired.starts_with(dir.path())) {
            Some(dir) => dir.purge(retired),
            None => Ok(()),
        }
    }

    /// Writes the checkpoint files, each directory's from its own logs.
    pub(crate) fn store(&self, marks: &Marks) -> Result<(), LogError> {
        let none = Checkpoints::default();
        self.dirs
            .iter()
            .try_for_each(|dir| dir.store(marks.by_dir.get(dir.path()).unwrap_or(&none)))
    }

    /// Leaves the mark of a clean shutdown in every directory.
    pub(crate) fn mark_clean(&self) -> Result<(), LogError> {
        self.dirs.iter().try_for_each(LogDir::mark_clean)
    }
}

/// The offsets of all logs at one time, by data directory.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    by_dir: HashMap<PathBuf, Checkpoints>,
}

impl Marks {
    /// The recovery point that was noted for a partition.
    pub(crate) fn recovery_point(&self, partition: &TopicPartition) -> Option<Offset> {
        self.by_dir
            .values()
            .find_map(|marks| marks.recovery_points.get(partition).copied())
    }

    /// Takes note of one log.
    pub(crate) fn add(&mut self, partition: TopicPartition, log: &PartitionLog) {
        let Some(dir) = log.dir().parent() else {
            return;
        };
        let marks = self.by_dir.entry(dir.to_owned()).or_default();
        marks
            .recovery_points
            .insert(partition.clone(), log.recovery_point());
        marks.log_starts.insert(partition.clone(), log.log_start());
        marks
            .high_watermarks
            .insert(partition, log.high_watermark());
    }
}

fn check_owner(
    path: &Path,
    meta: &Meta,
    node: NodeId,
    cluster_id: &str,
) -> Result<(), BrokerError> {
    let path = path.to_owned();
    if meta.cluster_id != cluster_id {
        let (holds, wanted) = (meta.cluster_id.clone(), cluster_id.to_owned());
        return Err(BrokerError::OtherCluster {
            path,
            holds,
            wanted,
        });
    }
    if meta.node_id != node {
        return Err(BrokerError::OtherNode {
            path,
            holds: meta.node_id,
            wanted: node,
        });
    }
    Ok(())
}
