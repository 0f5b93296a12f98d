//! What actors did and saw: the only thing that checkers judge by.

use crate::moment::Moment;
use crate::world::NodeIx;
use crate::world::node::End;
use std::fmt;

/// A record, known by the writer that made it and its number there. It is in
/// the record's value, so that whoever reads it knows which it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// Whose.
    pub writer: u32,
    /// The writer's how-manieth.
    pub number: u32,
}

impl RecordId {
    /// Bytes of an id in a record's value.
    pub const BYTES: usize = 8;

    /// The bytes at the front of the record's value.
    pub fn bytes(self) -> [u8; Self::BYTES] {
        (u64::from(self.writer) << 32 | u64::from(self.number)).to_be_bytes()
    }

    /// The id in a record's value.
    pub fn of(value: &[u8]) -> Option<Self> {
        let raw = u64::from_be_bytes(*value.first_chunk()?);
        Some(Self {
            writer: u32::try_from(raw >> 32).ok()?,
            number: u32::try_from(raw & u64::from(u32::MAX)).ok()?,
        })
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}#{}", self.writer, self.number)
    }
}

/// A partition of one of the world's topics.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Its topic.
    pub topic: &'static str,
    /// Its number.
    pub index: i32,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

/// What a writer was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Promise {
    /// Nothing: acks=0, or acks=1, where the leader may be lost with the record.
    None,
    /// The record survives, but a retry may have written it twice.
    Kept,
    /// The record survives and is there once, in the writer's order.
    Once,
}

/// Who reads how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reader {
    /// Which.
    pub id: usize,
    /// Whether only decided transactions are seen.
    pub committed_only: bool,
}

impl Reader {
    /// The last to read everything, aborted records included.
    pub const AUDIT: Self = Self {
        id: usize::MAX,
        committed_only: false,
    };
    /// The last to read everything that was committed.
    pub const AUDIT_COMMITTED: Self = Self {
        id: usize::MAX,
        committed_only: true,
    };

    /// The last to read what one node holds.
    pub fn replica(node: NodeIx) -> Self {
        Self {
            id: usize::MAX - 1 - node.0,
            committed_only: false,
        }
    }

    /// Whether it reads what one node holds.
    pub fn is_replica(self) -> bool {
        self.id > usize::MAX / 2 && !self.is_last()
    }

    /// Whether it reads after everything has ended.
    pub fn is_last(self) -> bool {
        self == Self::AUDIT || self == Self::AUDIT_COMMITTED
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Where it lies.
    pub offset: i64,
    /// Its key.
    pub key: Option<u32>,
    /// Which it is; none for a tombstone.
    pub id: Option<RecordId>,
    /// The epoch of the leader that took it.
    pub epoch: i32,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was committed, and the coordinator said so.
    Committed,
    /// It was aborted: by its producer, or by a producer that took over.
    Aborted,
    /// The answer never came: it may be either.
    Unknown,
}

/// Which transaction: a producer's how-manieth.
pub type Txn = (u32, u32);

/// Something that an actor did or saw, or that happened to a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// A node's process began.
    Started { node: NodeIx },
    /// A node's process could not begin.
    CannotStart { node: NodeIx, error: String },
    /// A node's process ended.
    Ended { node: NodeIx, how: End },
    /// A writer is about to send a record for the first time.
    Sent {
        id: RecordId,
        to: Partition,
        key: Option<u32>,
        promise: Promise,
        txn: Option<Txn>,
    },
    /// A record was acknowledged.
    Acknowledged {
        id: RecordId,
        to: Partition,
        offset: i64,
    },
    /// A record without a value was acknowledged.
    Tombstone {
        to: Partition,
        key: u32,
        offset: i64,
    },
    /// An idempotent writer was told that its sequence is broken.
    SequenceBroken {
        writer: u32,
        to: Partition,
        error: String,
    },
    /// A poll brought records, up to but without `next`.
    Polled {
        reader: Reader,
        from: Partition,
        offset: i64,
        next: i64,
        records: Vec<Seen>,
        /// Offsets between two batches that no batch covers.
        hole: Option<(i64, i64)>,
    },
    /// A reader had to begin elsewhere: its offset was out of range.
    Repositioned {
        reader: Reader,
        from: Partition,
        offset: i64,
        to: i64,
    },
    /// The final reader is through with a partition.
    ReadToEnd {
        from: Partition,
        end: i64,
        committed_only: bool,
    },
    /// A transaction begins.
    TxnBegins { txn: Txn },
    /// A transaction read an input record to write its output.
    TxnConsumes {
        txn: Txn,
        id: RecordId,
        output: RecordId,
    },
    /// A transaction ended, as far as its producer knows.
    TxnEnds { txn: Txn, outcome: Outcome },
    /// A member was given partitions for good.
    Owns {
        group: &'static str,
        member: usize,
        epoch: i32,
        partitions: Vec<Partition>,
        /// When it stops by itself unless it is heard before.
        until: Moment,
    },
    /// A member stopped working on everything.
    Disowns { group: &'static str, member: usize },
    /// A member is about to commit an offset.
    Commits {
        group: &'static str,
        of: Partition,
        offset: i64,
    },
    /// A commit was acknowledged.
    Committed {
        group: &'static str,
        of: Partition,
        offset: i64,
    },
    /// A group's committed offset was read; −1 when there is none.
    CommitSeen {
        group: &'static str,
        of: Partition,
        offset: i64,
    },
    /// A topic's change was acknowledged.
    TopicMade { topic: String },
    /// A topic was looked for in vain.
    TopicMissing { topic: String },
    /// A partition's last move was accepted.
    Moves { of: Partition, to: Vec<i32> },
    /// Where a partition is, once its last move has arrived or had its time.
    Placed {
        of: Partition,
        replicas: Vec<i32>,
        in_sync: Vec<i32>,
    },
    /// A node leads a partition.
    Leads {
        node: NodeIx,
        of: Partition,
        epoch: i32,
    },
    /// What a leader lets consumers read up to.
    HighWatermark {
        node: NodeIx,
        of: Partition,
        epoch: i32,
        at: i64,
    },
    /// What a leader lets consumers read up to, and where the logs of those
    /// whom it takes to be in sync end.
    InSync {
        of: Partition,
        high_watermark: i64,
        ends: Vec<(NodeIx, i64)>,
    },
    /// Clients did not finish in time after the last fault.
    Stuck { who: String },
    /// Something that can only be a fault of a node.
    Nonsense { what: String },
}
