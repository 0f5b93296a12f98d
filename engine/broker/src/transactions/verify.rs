//! Whether a producer may write to a partition in its transaction (KIP-890).
//!
//! Older clients have added the partition before; newer ones leave that to the
//! broker. The answer holds while its guard stands (see [`super::guard`]).

use super::guard::Guard;
use crate::broker::Broker;
use crate::groups::code_of;
use crate::partition::Partition;
use crate::refusal::Refusal;
use plimsoll_coordinator::transaction::{AddPartitions, TransactionCommand, TransactionReply};
use plimsoll_coordinator::{Producer, TopicName, TransactionalId};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::PartitionIndex;

/// A producer that writes in a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transacting<'a> {
    /// Its transactional id.
    pub(crate) id: &'a str,
    /// Its producer.
    pub(crate) producer: Producer,
    /// Whether the broker adds the partition to the transaction.
    pub(crate) adds: bool,
}

impl Broker {
    /// Makes sure that a partition is in a producer's transaction. What relies
    /// on it is to be written under the guard.
    pub(crate) fn verify_transaction(
        &self,
        transacting: &Transacting<'_>,
        partition: &Partition,
        now: Now,
    ) -> Result<Guard, Refusal> {
        let producer = transacting.producer.id;
        let guard = partition.lock().guards.raise(producer);
        match self.join_transaction(transacting, &partition.topic, partition.index, now) {
            Ok(()) => Ok(guard),
            Err(refusal) => {
                partition.lock().guards.lower(producer);
                Err(refusal)
            }
        }
    }

    fn join_transaction(
        &self,
        transacting: &Transacting<'_>,
        topic: &str,
        index: PartitionIndex,
        now: Now,
    ) -> Result<(), Refusal> {
        let add = AddPartitions {
            id: TransactionalId::from(transacting.id),
            producer: transacting.producer,
            partitions: vec![(TopicName::from(topic), index)],
            client_version: if transacting.adds { 2 } else { 0 },
            verify_only: !transacting.adds,
        };
        let command = TransactionCommand::AddPartitions(add);
        let code = match self.transact(transacting.id, command, now) {
            Ok(TransactionReply::AddPartitions(Ok(missing))) if missing.is_empty() => return Ok(()),
            Ok(TransactionReply::AddPartitions(Ok(_))) => ErrorCode::InvalidTxnState,
            Ok(TransactionReply::AddPartitions(Err(why))) => code_of(why),
            Ok(_) => ErrorCode::UnknownServerError,
            Err(code) => code,
        };
        let shown = match code {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            // The client tries again after this one.
            ErrorCode::ConcurrentTransactions if transacting.adds => code,
            ErrorCode::ConcurrentTransactions
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator => ErrorCode::NotEnoughReplicas,
            code => code,
        };
        let words = format!("transactional id {}: {}", transacting.id, code.name());
        Err(Refusal::new(shown, words))
    }
}
