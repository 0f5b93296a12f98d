//! What can go wrong with a log, told apart by who must act.

use plimsoll_wire::types::{Offset, ProducerEpoch, ProducerId, Sequence};
use std::io;
use std::path::{Path, PathBuf};

/// Storage failed, or holds what no broker would have written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// A file does not hold what its name promises.
    #[error("{}: {what}", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What was found and what was expected.
        what: String,
    },
    /// An earlier write or sync failed; the log must be opened again.
    #[error("{} takes no writes since its disk failed", dir.display())]
    Offline {
        /// The partition's directory.
        dir: PathBuf,
    },
    /// Where the log lies cannot be reached, and it must not begin anew.
    #[error("the log of {partition} lies in none of the log directories that can be used")]
    Missing {
        /// The partition, as its directory is called.
        partition: String,
    },
    /// Another process uses the data directory.
    #[error("data directory {} is locked by another process", dir.display())]
    Locked {
        /// The data directory.
        dir: PathBuf,
    },
}

impl LogError {
    /// Whether the volume failed, rather than what a file holds: then nothing
    /// else on it is to be relied on either.
    pub fn is_disk_failure(&self) -> bool {
        matches!(self, Self::Io { .. })
    }

    /// What an operator is to do about it.
    pub fn remedy(&self) -> &'static str {
        use io::ErrorKind as Kind;
        match self {
            Self::Io { source, .. } => match source.kind() {
                Kind::StorageFull | Kind::QuotaExceeded => {
                    "free space on the volume or lower retention, then restart the broker"
                }
                Kind::FileTooLarge => {
                    "raise the limit on the size of files (ulimit -f) or lower segment.bytes, \
                     then restart the broker"
                }
                Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
                    "make the volume writable for the broker's user, then restart the broker"
                }
                Kind::NotFound | Kind::NotADirectory | Kind::StaleNetworkFileHandle => {
                    "mount the volume again or restore what was removed, then restart the broker"
                }
                _ if source.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
                    "raise the limit on open files (ulimit -n), then restart the broker"
                }
                _ => "check the device (dmesg), replace it if it fails, then restart the broker",
            },
            Self::Corrupt { .. } => {
                "restore the file from another replica or a backup, or delete the records up to \
                 the damage"
            }
            Self::Missing { .. } => {
                "bring the missing log directory back and restart the broker; to begin the log \
                 anew, without its records, start once with plimsoll.lost.log.dirs=recreate"
            }
            Self::Offline { .. } => "restart the broker once its disk works again",
            Self::Locked { .. } => "stop the other process or give this one another directory",
        }
    }

    pub(crate) fn corrupt(path: &Path, what: impl Into<String>) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

/// For `map_err`: what was tried on which path.
pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    move |source| LogError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Why a batch was not appended. Nothing of it is in the log, except after
/// [`AppendError::Log`], where that is unknown until the log is opened again.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The batch's first sequence does not follow the producer's last.
    #[error(
        "producer {producer_id} epoch {epoch} sent sequence {sequence} where {expected} is next"
    )]
    OutOfOrderSequence {
        /// Who sent it.
        producer_id: ProducerId,
        /// Its incarnation.
        epoch: ProducerEpoch,
        /// The first sequence of the batch.
        sequence: Sequence,
        /// The only sequence that would have been accepted.
        expected: Sequence,
    },
    /// A newer incarnation of the producer has written.
    #[error("producer {producer_id} sent epoch {epoch}, current is {current}")]
    StaleProducerEpoch {
        /// Who sent it.
        producer_id: ProducerId,
        /// The epoch of the batch.
        epoch: ProducerEpoch,
        /// The epoch the log knows.
        current: ProducerEpoch,
    },
    /// A transaction marker comes from a coordinator that has been replaced.
    #[error(
        "transaction marker of producer {producer_id} has coordinator epoch {epoch}, current is {current}"
    )]
    StaleCoordinatorEpoch {
        /// Whose transaction.
        producer_id: ProducerId,
        /// The epoch of the marker.
        epoch: i32,
        /// The epoch the log knows.
        current: i32,
    },
    /// A producer with an open transaction sent a batch outside of it.
    #[error("producer {producer_id} wrote outside its transaction open since offset {open_since}")]
    OutsideTransaction {
        /// Who sent it.
        producer_id: ProducerId,
        /// The first offset of the open transaction.
        open_since: Offset,
    },
    /// The batch would fill more than a whole segment.
    #[error("batch of {len} bytes is larger than segment.bytes {limit}")]
    LargerThanSegment {
        /// Bytes in the batch.
        len: u64,
        /// The segment's limit.
        limit: u64,
    },
    /// A follower was sent an offset that it already has.
    #[error("batch at offset {offset} does not lie at or after the log end offset {log_end}")]
    OffsetsWentBack {
        /// The base offset of the batch.
        offset: Offset,
        /// Where the log ends.
        log_end: Offset,
    },
    /// The bytes do not make a batch.
    #[error("not a batch: {0}")]
    Malformed(String),
    /// Storage failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The offset lies outside the log.
    #[error("offset {offset} lies outside the log, which holds {start} up to {end}")]
    OutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The log start offset.
        start: Offset,
        /// The log end offset.
        end: Offset,
    },
    /// Storage failed.
    #[error(transparent)]
    Log(#[from] LogError),
}
