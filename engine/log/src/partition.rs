//! One partition's log.
//!
//! The newest segment is active and takes appends; the others are sealed and
//! change no more, except that compaction replaces and retention removes them.
//!
//! Invariants:
//! - `log_start <= high_watermark <= log_end`, and `recovery_point <= log_end`.
//! - Segments are in the order of their base offsets, the first not past
//!   `log_start`, and no batch of a segment reaches the base of the next.
//! - Readers share the log, writers own it; the caller provides the lock.

mod append;
mod clean;
mod flush;
mod follow;
mod leftovers;
mod lookup;
mod open;
mod read;
mod recover;
mod replay;
mod retain;
mod truncate;
mod undecided;

pub(crate) use append::marker;
pub use append::{AppendAs, Appended};
pub use flush::Flush;
pub use lookup::TimestampedOffset;
pub use open::{Checkpointed, Recovered};
pub use read::Slices;
pub use retain::{Doomed, Expired, Reason};

use crate::checkpoint::EpochEntry;
use crate::config::LogConfig;
use crate::disk::{Disk, DiskFile};
use crate::epochs::{EpochEnd, Epochs};
use crate::error::LogError;
use crate::index::AbortedTxn;
use crate::names::Kind;
use crate::place::Home;
use crate::producers::{ProducerView, Producers};
use crate::segment::Segment;
use plimsoll_wire::types::{LeaderEpoch, Offset, ProducerId, TimestampMs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use undecided::Undecided;

/// A partition's log in its directory.
#[derive(Debug)]
pub struct PartitionLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    config: Arc<LogConfig>,
    sealed: Vec<Segment>,
    active: Segment,
    log_start: Offset,
    log_end: Offset,
    high_watermark: Offset,
    recovery_point: Offset,
    /// Below this offset compaction has been.
    cleaned_to: Offset,
    epochs: Epochs,
    producers: Producers,
    undecided: Undecided,
    /// The offsets of the snapshots on disk, rising.
    snapshots: Vec<Offset>,
    unsynced_snapshots: Vec<Arc<dyn DiskFile>>,
    /// Whether names in the directory have changed since it was synced.
    unsynced_names: bool,
    /// Whether the name of the directory itself is not known to be durable.
    unsynced_parent: bool,
    /// Whether a flush is under way.
    flushing: bool,
    /// Counts truncations, so that a flush begun before one is not believed.
    truncations: u64,
    /// When there was last nothing left to flush.
    flushed_at: TimestampMs,
    health: Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Good,
    /// A write or sync failed.
    Offline,
}

/// Runs with the partition's [`Home`] while fields of the log are borrowed.
macro_rules! home {
    ($log:expr) => {
        $crate::place::Home::live(&*$log.disk, &$log.dir)
    };
}
use home;

impl PartitionLog {
    /// The first offset that may be read.
    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    /// The offset that the next record will get.
    pub fn log_end(&self) -> Offset {
        self.log_end
    }

    /// The offset below which everything is durable.
    pub fn recovery_point(&self) -> Offset {
        self.recovery_point
    }

    /// The offset below which everything is replicated to the ISR.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Moves the high watermark, within the log. It may move back: a new
    /// leader knows less than the old one.
    pub fn set_high_watermark(&mut self, offset: Offset) {
        self.high_watermark = offset.clamp(self.log_start, self.log_end);
        self.producers.replicated_to(self.high_watermark);
    }

    /// The offset that a read_committed reader must not pass: the first of an
    /// open transaction, or of one whose marker is not replicated, and never
    /// past the high watermark.
    pub fn last_stable_offset(&self) -> Offset {
        match self.producers.first_unstable() {
            Some(first) => first.min(self.high_watermark),
            None => self.high_watermark,
        }
    }

    /// This node begins to lead in `epoch`: what it writes from now on is of
    /// that epoch, so that a follower can be told where earlier ones end.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        if self.epochs.latest().is_none_or(|latest| latest < epoch) {
            self.epochs.note(epoch, self.log_end);
        }
    }

    /// The latest leader epoch that wrote.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// Where each leader's epoch began, oldest first.
    pub fn epochs(&self) -> &[EpochEntry] {
        self.epochs.entries()
    }

    /// The epoch that wrote `offset`; −1 when the log does not know.
    pub fn epoch_of(&self, offset: Offset) -> LeaderEpoch {
        self.epochs.of(offset)
    }

    /// Where `epoch` ends: the largest known epoch at most `epoch`, and the
    /// offset after its last record. `None` when the log cannot know.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        self.epochs.end_of(epoch, self.log_end)
    }

    /// Every producer that the log knows.
    pub fn producers(&self) -> impl Iterator<Item = ProducerView> {
        self.producers.views()
    }

    /// One producer.
    pub fn producer(&self, id: ProducerId) -> Option<ProducerView> {
        self.producers.view(id)
    }

    /// Forgets producers that wrote nothing for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now: TimestampMs) {
        self.producers
            .expire(now, self.config.producer_id_expiration_ms);
    }

    /// The aborted transactions that overlap `from..upto`, in the order of
    /// their markers, as a read_committed reader of that range needs them.
    pub fn aborted_transactions(
        &self,
        from: Offset,
        upto: Offset,
    ) -> Result<Vec<AbortedTxn>, LogError> {
        let mut aborted = Vec::new();
        let mut complete = false;
        let first = self
            .sealed
            .partition_point(|segment| segment.base <= from)
            .saturating_sub(1);
        for segment in self.segments().skip(first) {
            let place = self.home().file(segment.base, Kind::TxnIndex);
            segment.txns.for_each(place, |txn| {
                if txn.last_offset >= from && txn.first_offset < upto {
                    aborted.push(txn);
                }
                complete = txn.last_stable_offset >= upto;
                !complete
            })?;
            if complete {
                break;
            }
        }
        Ok(aborted)
    }

    /// Bytes of record batches.
    pub fn size_bytes(&self) -> u64 {
        self.segments().map(|segment| segment.size).sum()
    }

    /// Bytes of record batches and indexes.
    pub fn size_bytes_with_indexes(&self) -> u64 {
        self.segments().map(Segment::bytes_with_indexes).sum()
    }

    /// How many segments there are, the active one included.
    pub fn segment_count(&self) -> usize {
        self.sealed.len() + 1
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The settings.
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Applies other settings from now on.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }

    /// Whether a write or sync failed since the log was opened. Then it takes
    /// no more of them, and what reads return is not known to be durable.
    pub fn is_offline(&self) -> bool {
        self.health == Health::Offline
    }

    /// Frees the memory and file handles that a log needs only while it is
    /// busy. They come back by themselves.
    pub fn rest(&mut self) -> Result<(), LogError> {
        self.writing(|log| {
            let home = home!(log);
            log.sealed
                .iter_mut()
                .chain([&mut log.active])
                .try_for_each(|s| s.rest(home))
        })
    }

    fn home(&self) -> Home<'_> {
        home!(self)
    }

    fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.sealed.iter().chain([&self.active])
    }

    /// Runs something that writes; once it fails the log takes no more.
    #[inline]
    fn writing<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        if self.health == Health::Offline {
            return Err(LogError::Offline {
                dir: self.dir.clone(),
            });
        }
        let outcome = write(self);
        if outcome.is_err() {
            self.health = Health::Offline;
        }
        outcome
    }
}
