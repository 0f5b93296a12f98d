//! What keeps a broker from starting.

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
    /// The data directory cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
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
}
