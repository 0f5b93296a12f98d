//! A transaction coordinator: everything of one partition of
//! `__transaction_state`.
//!
//! A transactional id goes Empty → Ongoing → PrepareCommit or PrepareAbort →
//! CompleteCommit or CompleteAbort, and round again. The decision is made when
//! the Prepare record is committed: from then on the coordinator asks for
//! markers in every partition, again and again, until each is written, and
//! only then records Complete. A crash at any point resumes from the record.
//!
//! Fencing: a newer producer, or the transaction's time-out, aborts with a
//! raised epoch. Clients that follow KIP-890 (`client_version` 2) get a raised
//! epoch with every end, so that nothing of one transaction leaks into the
//! next. An epoch that would overflow takes a new producer id instead.
//!
//! Invariants: hard state is `Entry::value` and changes in `apply` alone; while
//! a change is appended but not committed (`in_flux`) every other change of
//! that id is refused with CONCURRENT_TRANSACTIONS; no transaction is both
//! committed and aborted.

mod deadlines;
mod end;
mod init;
mod lookup;
mod partitions;
mod shard;

pub use lookup::{DescribedTransaction, ListedTransaction, TransactionFilter};
pub use shard::{TransactionShard, TransactionStep, TransactionWorld};

use crate::names::{TopicName, TransactionalId};
use crate::refusal::Refusal;
use crate::schema::{TransactionState, TransactionValue};
use crate::step::{Producer, Token};
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};
use std::collections::BTreeSet;
use std::time::Duration;

/// A partition of a topic.
pub type TopicPartition = (TopicName, PartitionIndex);

/// A request to the coordinator of the transactional id it names.
#[derive(Clone, Debug)]
pub enum TransactionCommand {
    /// InitProducerId with a transactional id.
    Init(InitProducer),
    /// AddPartitionsToTxn; AddOffsetsToTxn is the same with the partition of
    /// `__consumer_offsets` that the group lives in.
    AddPartitions(AddPartitions),
    /// EndTxn.
    End(EndTransaction),
}

/// A producer begins, or begins anew.
#[derive(Clone, Debug)]
pub struct InitProducer {
    /// Its transactional id.
    pub id: TransactionalId,
    /// After how long its open transactions are aborted.
    pub timeout: Duration,
    /// What it believes its id and epoch to be, when it does.
    pub expected: Option<Producer>,
}

/// A transaction reaches further partitions.
#[derive(Clone, Debug)]
pub struct AddPartitions {
    /// Whose transaction.
    pub id: TransactionalId,
    /// Its producer.
    pub producer: Producer,
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
    /// 2 when the client leaves adding to the broker (KIP-890), else 0.
    pub client_version: i16,
    /// Change nothing, only say which of the partitions are missing.
    pub verify_only: bool,
}

/// A transaction is to end.
#[derive(Clone, Debug)]
pub struct EndTransaction {
    /// Whose transaction.
    pub id: TransactionalId,
    /// Its producer.
    pub producer: Producer,
    /// Commit, or abort.
    pub commit: bool,
    /// 2 when the client expects a raised epoch (EndTxn version 5), else 0.
    pub client_version: i16,
}

/// The answer to a [`TransactionCommand`], by the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionReply {
    /// The producer to go on with.
    Init(Result<Producer, Refusal>),
    /// With `verify_only`, the partitions that are not in the transaction
    /// (`TransactionAbortable`, or `InvalidTxnState` for older clients); else
    /// none.
    AddPartitions(Result<Vec<TopicPartition>, Refusal>),
    /// The producer to go on with.
    End(Result<Producer, Refusal>),
}

/// Markers that are to be written, as WriteTxnMarkers does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markers {
    /// Whose transaction.
    pub id: TransactionalId,
    /// Its producer, with the epoch the markers carry.
    pub producer: Producer,
    /// Commit, or abort.
    pub commit: bool,
    /// The epoch of the coordinator, which markers carry too.
    pub coordinator_epoch: i32,
    /// Where they are missing.
    pub partitions: Vec<TopicPartition>,
}

/// One transactional id.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What is stored.
    value: TransactionValue,
    /// The epoch before the present one, for retries; forgotten on failover.
    last_epoch: ProducerEpoch,
    /// A change is appended and not yet committed.
    in_flux: bool,
    /// Where markers are missing, while state is Prepare….
    unwritten: BTreeSet<TopicPartition>,
}

/// The last epoch a client may have: one is kept back for fencing.
const EPOCH_MAX: i16 = i16::MAX - 1;

/// The client version from which every end raises the epoch.
const BUMPS_EPOCH: i16 = 2;

impl Entry {
    fn new(value: TransactionValue) -> Self {
        Self {
            value,
            last_epoch: ProducerEpoch::NONE,
            in_flux: false,
            unwritten: BTreeSet::new(),
        }
    }

    const fn is_exhausted(&self) -> bool {
        self.value.epoch.get() >= EPOCH_MAX
    }

    const fn is_preparing(&self) -> bool {
        matches!(
            self.value.state,
            TransactionState::PrepareCommit | TransactionState::PrepareAbort
        )
    }

    const fn producer(&self) -> Producer {
        Producer {
            id: self.value.producer,
            epoch: self.value.epoch,
        }
    }

    /// The value with every mark of a transaction taken off.
    fn cleared(&self) -> TransactionValue {
        TransactionValue {
            previous_producer: self.value.producer,
            next_producer: ProducerId::NONE,
            next_epoch: ProducerEpoch::NONE,
            ..self.value.clone()
        }
    }
}

/// What a handler has decided about one id: a change, and what to say once it
/// is stored; or no change and what to say at once.
#[derive(Debug)]
enum Decision {
    /// No change.
    Say(TransactionReply),
    /// A change.
    Store {
        value: Box<TransactionValue>,
        last_epoch: ProducerEpoch,
        reply: TransactionReply,
        refused: fn(Refusal) -> TransactionReply,
    },
}

/// A reply that waits for a change to be committed.
#[derive(Debug)]
struct Answer {
    token: Token,
    reply: TransactionReply,
    refused: fn(Refusal) -> TransactionReply,
}

const fn bumped(epoch: ProducerEpoch) -> ProducerEpoch {
    ProducerEpoch(epoch.get().saturating_add(1))
}
