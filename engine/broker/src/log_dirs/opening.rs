//! What a start finds in each data directory, and what it makes of it.

use super::{Dir, Places};
use crate::error::BrokerError;
use plimsoll_log::{Disk, LogDir, LogError, Meta, partition_dir};
use plimsoll_wire::types::NodeId;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

pub(super) fn open_one(
    disk: &Arc<dyn Disk>,
    path: &Path,
) -> Result<(LogDir, Option<Meta>), LogError> {
    let dir = LogDir::open(Arc::clone(disk), path.to_owned())?;
    let meta = dir.meta()?;
    Ok((dir, meta))
}

/// Makes a directory this node's and tidies it. Answers with its id.
pub(super) fn settle(
    dir: LogDir,
    meta: Option<Meta>,
    fresh: Meta,
) -> Result<(LogDir, Uuid), LogError> {
    let id = match meta {
        Some(meta) => meta.directory_id,
        None => {
            dir.set_meta(&fresh)?;
            fresh.directory_id
        }
    };
    for retired in dir.retired()? {
        dir.purge(&retired)?;
    }
    Ok((dir, id))
}

/// Lets the broker start without a directory whose disk fails.
pub(super) fn tolerate<T>(
    path: &Path,
    outcome: Result<T, LogError>,
) -> Result<Option<T>, BrokerError> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.is_disk_failure() => {
            let remedy = error.remedy();
            tracing::error!(%error, dir = %path.display(), "log directory is offline: {remedy}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn places_in(dirs: &[Dir]) -> Result<Places, BrokerError> {
    let mut places = Places {
        of: HashMap::new(),
        counts: vec![0; dirs.len()],
    };
    for (at, dir) in dirs.iter().enumerate() {
        let Some(held) = &dir.held else { continue };
        for partition in held.partitions()? {
            if let Some(other) = places.of.get(&partition) {
                return Err(BrokerError::TwoLogs {
                    partition: partition_dir(&partition),
                    first: dirs[*other].path.clone(),
                    second: dir.path.clone(),
                });
            }
            places.put(partition, at);
        }
    }
    Ok(places)
}

pub(super) fn check_owner(
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
