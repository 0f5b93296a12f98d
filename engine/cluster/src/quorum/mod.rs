//! Agreement on the metadata log among its voters.
//!
//! [`Quorum`] is the small door to consensus: it is ticked, stepped with the
//! messages of other voters, and asked to append; what became of it is
//! collected as [`Effects`]. It reads no clock and does no I/O but through a
//! [`QuorumStore`], so that the same code runs on files and in a simulated
//! world. [`RaftQuorum`] fills it with the `raft` crate. A node without a vote
//! has an [`Observer`] in its place, which asks the active controller for
//! [`News`].
//!
//! An entry of the log is one batch of metadata records in Kafka's format. Its
//! base offset and leader epoch, the term it was proposed in, are part of its
//! bytes. Entries are counted from 1 without a gap; offsets count records.
//!
//! Invariants:
//! - Nothing is sent before what it promises is durable.
//! - A committed batch is never taken back, and all voters commit the same.

mod batches;
mod messages;
mod mirror;
mod news;
mod observer;
mod raft_quorum;

pub use batches::{decode_batch, encode_batch};
pub use messages::{MessageError, QuorumMessage};
pub use news::{After, LogPlace, News};
pub use observer::Observer;
pub use raft_quorum::{RaftQuorum, RaftSettings, Recovered};

use crate::log::StorageFault;
use crate::records::MetadataRecord;
use bytes::Bytes;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset};

/// One entry of the log: a batch and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number, from 1.
    pub index: u64,
    /// The term it was proposed in.
    pub term: LeaderEpoch,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// The batch.
    pub batch: Bytes,
}

/// What a voter promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vote {
    /// The latest term it knows.
    pub term: LeaderEpoch,
    /// Whom it voted for in that term.
    pub voted: Option<NodeId>,
}

/// The image as of a committed entry, which stands for all entries up to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSnapshot {
    /// The entry.
    pub index: u64,
    /// Its term.
    pub term: LeaderEpoch,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// The image's records, as one batch.
    pub records: Bytes,
}

/// Where a voter keeps what must outlive its process. Every call returns only
/// when its effect is durable.
pub trait QuorumStore: Send {
    /// Appends entries that follow each other. Whatever the log holds at or
    /// after the first one's place is given up.
    ///
    /// # Errors
    /// When they could not be made durable.
    fn append(&mut self, entries: &[LogEntry], now: Now) -> Result<(), StorageFault>;

    /// Keeps what this voter promised.
    ///
    /// # Errors
    /// When it could not be made durable.
    fn keep_vote(&mut self, vote: Vote) -> Result<(), StorageFault>;

    /// Keeps a snapshot. Entries up to it may be forgotten; when `replaces` is
    /// set, all entries are, and the log goes on after the snapshot.
    ///
    /// # Errors
    /// When it could not be made durable.
    fn keep_snapshot(
        &mut self,
        snapshot: &LogSnapshot,
        replaces: bool,
        now: Now,
    ) -> Result<(), StorageFault>;
}

/// A committed batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Its term.
    pub term: LeaderEpoch,
    /// Its records.
    pub records: Vec<MetadataRecord>,
}

/// What a call to a quorum left to be done, in this order.
#[derive(Debug, Default)]
pub struct Effects {
    /// A snapshot took the place of everything committed before.
    pub snapshot: Option<LogSnapshot>,
    /// Newly committed batches, in order.
    pub committed: Vec<Committed>,
    /// Messages for other voters.
    pub messages: Vec<(NodeId, QuorumMessage)>,
}

/// This voter's place in the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The latest term it knows.
    pub term: LeaderEpoch,
    /// The leader of that term, when it knows one.
    pub leader: Option<NodeId>,
    /// Whether it leads, and everything of earlier terms is committed, so that
    /// what it has replayed is all there is.
    pub active: bool,
    /// The offset of the last committed record, −1 when there is none.
    pub committed: Offset,
    /// The offset of the last record of its log.
    pub end: Offset,
}

/// How far another voter's log is known to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoterState {
    /// The voter.
    pub node: NodeId,
    /// The offset of the last record it is known to have; −1 when unknown.
    pub end: Offset,
}

/// Why a batch was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendRefused {
    /// This voter does not lead the quorum.
    #[error("this node is not the active controller")]
    NotLeader,
    /// More is waiting to be committed than the quorum keeps in flight.
    #[error("too many metadata changes wait to be committed")]
    Busy,
    /// The batch cannot be built.
    #[error("{0}")]
    Malformed(String),
    /// The log could not be written. This voter takes no further part.
    #[error(transparent)]
    Storage(#[from] StorageFault),
}

/// Agreement on one log.
pub trait Quorum: Send {
    /// One tick of time has passed.
    ///
    /// # Errors
    /// When the store failed. The voter takes no further part then.
    fn tick(&mut self, now: Now) -> Result<Effects, StorageFault>;

    /// A message of another voter has arrived.
    ///
    /// # Errors
    /// As [`Quorum::tick`]. A message that does not fit is ignored.
    fn step(&mut self, message: QuorumMessage, now: Now) -> Result<Effects, StorageFault>;

    /// A voter could not be reached.
    fn unreachable(&mut self, node: NodeId);

    /// Appends records as one batch. Answers with the offset of the last one;
    /// they count once that is committed.
    ///
    /// # Errors
    /// When this voter does not lead, or its store failed.
    fn append(
        &mut self,
        records: &[MetadataRecord],
        now: Now,
    ) -> Result<(Offset, Effects), AppendRefused>;

    /// Stands for election at once.
    ///
    /// # Errors
    /// As [`Quorum::tick`].
    fn campaign(&mut self, now: Now) -> Result<Effects, StorageFault>;

    /// Where its log ends.
    fn place(&self) -> LogPlace;

    /// What an observer whose log ends at `place` is to be told.
    fn news_after(&self, place: LogPlace) -> News;

    /// An observer was told this. A voter learns from voters alone, and ignores it.
    ///
    /// # Errors
    /// When the store failed, or the news contradict what was committed. The
    /// observer takes no further part then.
    fn learn(&mut self, news: News, now: Now) -> Result<Effects, StorageFault>;

    /// Where this voter stands.
    fn standing(&self) -> Standing;

    /// The voters as this one, when it leads, knows them.
    fn voters(&self) -> Vec<VoterState>;

    /// How many bytes of entries were kept since the last snapshot.
    fn bytes_since_snapshot(&self) -> u64;

    /// Keeps a snapshot of all up to the committed record at `last_offset`.
    ///
    /// # Errors
    /// When it could not be kept; the log is unchanged then.
    fn snapshot(
        &mut self,
        last_offset: Offset,
        records: Bytes,
        now: Now,
    ) -> Result<(), StorageFault>;
}
