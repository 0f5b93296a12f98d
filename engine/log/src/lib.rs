//! A partition's log on disk, in Kafka's own format.
//!
//! [`PartitionLog`] owns one partition directory: its segments, their indexes,
//! the leader-epoch cache and the producers' state. [`LogDir`] owns the
//! directory that holds partitions: its lock, its identity and its checkpoint
//! files. Both reach storage through [`Disk`] alone, so the same code runs on
//! files ([`OsDisk`]) and on a disk that tears, loses and fills up
//! ([`MemDisk`]).
//!
//! Invariants:
//! - The `.log` files are the truth. Indexes, snapshots and the epoch file are
//!   derived from them, and opening a log rebuilds whatever does not fit.
//! - Bytes below the recovery point are durable; after a crash everything above
//!   it is scanned by checksum and cut at the first batch that is not whole.
//! - A write or sync that failed leaves the log refusing writes: what the
//!   kernel kept of it is unknown until the log is opened again.
//!
//! Nothing here reads a clock, starts a thread or waits: time is an argument
//! and scheduling belongs to the caller.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]
#![warn(missing_docs)]

mod checkpoint;
mod compact;
mod config;
mod disk;
mod entries;
mod epochs;
mod error;
mod index;
mod log_dir;
mod names;
mod partition;
mod place;
mod producers;
mod properties;
mod segment;
mod walk;

pub use checkpoint::{EpochEntry, OffsetCheckpoint, TopicPartition};
pub use compact::{CleanPlan, CleanProgress, Cleaned, CompactionLag, Dirtiness};
pub use config::{CleanupPolicy, LogConfig};
pub use disk::mem::{Fault, MemDisk};
pub use disk::os::OsDisk;
pub use disk::{
    DirEntry, Disk, DiskFile, DiskLock, FileRange, Open, Space, read_whole, replace_whole,
};
pub use epochs::EpochEnd;
pub use error::{AppendError, LogError, ReadError};
pub use index::AbortedTxn;
pub use log_dir::{Checkpoints, LogDir};
pub use names::{parse_partition_dir, partition_dir};
pub use partition::{
    AppendAs, Appended, Checkpointed, Doomed, Expired, Flush, PartitionLog, Reason, Recovered,
    Slices, TimestampedOffset,
};
pub use producers::{Origin, ProducerView, TxnEnd};
pub use properties::{Meta, decode_uuid, encode_uuid, load_topic_id, store_topic_id};
