//! What keeps a broker from starting.

use crate::config::ConfigError;
use crate::topic_name::METADATA_TOPIC;
use plimsoll_cluster::ClusterError;
use plimsoll_log::LogError;
use plimsoll_wire::batch::BatchError;
use plimsoll_wire::types::{NodeId, Offset};
use std::path::PathBuf;
use thiserror::Error;

/// Why a broker cannot start.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// No directory to keep logs in was given.
    #[error("log.dirs: no directory is given")]
    NoLogDir,
    /// The settings do not fit together.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// None of the data directories can be used.
    #[error("log.dirs: none of {} can be used, see above", list(paths))]
    AllDirsFailed {
        /// The directories.
        paths: Vec<PathBuf>,
    },
    /// Two directories hold a log of the same partition.
    #[error(
        "log.dirs: both {} and {} hold {partition}; remove the one that is out of date",
        first.display(),
        second.display()
    )]
    TwoLogs {
        /// The partition, as its directory is called.
        partition: String,
        /// A directory that holds it.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// The metadata log may lie in a directory that is missing.
    #[error(
        "log.dirs: none of the directories that can be used holds the metadata log \
         ({METADATA_TOPIC}-0), though they hold others or one is missing: bring back the one that does"
    )]
    NoMetadataLog,
    /// The data directory belongs to another cluster.
    #[error("data directory {}: cluster.id is {holds}, {wanted} is wanted", path.display())]
    OtherCluster {
        /// The directory.
        path: PathBuf,
        /// The id it holds.
        holds: String,
        /// The id that was asked for.
        wanted: String,
    },
    /// The data directory belongs to another node.
    #[error("data directory {}: node.id is {holds}, {wanted} is wanted", path.display())]
    OtherNode {
        /// The directory.
        path: PathBuf,
        /// The node it belongs to.
        holds: NodeId,
        /// This node.
        wanted: NodeId,
    },
    /// A metadata record cannot be replayed.
    #[error("metadata log, offset {offset}: {source}")]
    Metadata {
        /// Where the record lies.
        offset: Offset,
        /// What is wrong with it.
        source: ClusterError,
    },
    /// A batch of a log that the broker reads itself is broken.
    #[error("{log}, offset {offset}: {source}")]
    Batch {
        /// Which log.
        log: String,
        /// Where the batch lies.
        offset: Offset,
        /// What is wrong with it.
        source: BatchError,
    },
    /// A log that the broker reads itself cannot be read.
    #[error("cannot read {log} at offset {offset}: {reason}")]
    Read {
        /// Which log.
        log: String,
        /// Where reading stopped.
        offset: Offset,
        /// What the disk or the log said.
        reason: String,
    },
    /// The broker's own records could not be written.
    #[error("cannot write the metadata log: {0}")]
    Storage(#[from] plimsoll_cluster::StorageFault),
    /// A file of the metadata quorum cannot be used.
    #[error("{}: {reason}", path.display())]
    Quorum {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// This node's part in the cluster cannot be what the settings say.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

fn list(paths: &[PathBuf]) -> String {
    let shown = paths.iter().map(|path| path.display().to_string());
    shown.collect::<Vec<_>>().join(", ")
}
