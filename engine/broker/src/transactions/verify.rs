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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerConfig;
    use plimsoll_coordinator::transaction::{EndTransaction, InitProducer};
    use plimsoll_log::MemDisk;
    use plimsoll_wire::time::Instant;
    use plimsoll_wire::types::TimestampMs;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    const NOW: Now = Now {
        wall: TimestampMs(1_700_000_000_000),
        mono: Instant(Duration::from_secs(100)),
    };

    fn broker() -> Broker {
        let few = [
            ("offsets.topic.num.partitions", "1"),
            ("transaction.state.log.num.partitions", "1"),
        ];
        let few = few.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (mut config, _) = BrokerConfig::from_properties(few).expect("the settings are fine");
        config.log_dirs = vec![PathBuf::from("/data")];
        let broker = Broker::new(config, Arc::new(MemDisk::new()), NOW).expect("it starts");
        broker.auto_create(NOW, &["orders"]);
        broker
    }

    fn orders(broker: &Broker) -> Arc<Partition> {
        let catalog = broker.catalog();
        let partition = catalog.partition("orders", PartitionIndex(0));
        Arc::clone(partition.expect("it was created"))
    }

    fn end(broker: &Broker, producer: Producer) -> TransactionReply {
        let end = TransactionCommand::End(EndTransaction {
            id: "pay".into(),
            producer,
            commit: true,
            client_version: 0,
        });
        broker.transact("pay", end, NOW).expect("an answer")
    }

    /// The story: a producer's last batch was verified, its transaction was
    /// ended meanwhile, and the batch began a transaction that nobody would end:
    /// readers of committed records stood still.
    #[test]
    fn what_was_verified_before_the_marker_is_not_written_after_it() {
        let broker = broker();
        let partition = orders(&broker);
        let init = TransactionCommand::Init(InitProducer {
            id: "pay".into(),
            timeout: Duration::from_secs(60),
            expected: None,
        });
        let Ok(TransactionReply::Init(Ok(producer))) = broker.transact("pay", init, NOW) else {
            panic!("expected a producer");
        };
        let pay = Transacting {
            id: "pay",
            producer,
            adds: true,
        };
        let verify = || broker.verify_transaction(&pay, &partition, NOW);
        let late = verify().expect("it is added");
        assert!(partition.lock().admits(producer, Some(late)));
        assert_eq!(end(&broker, producer), TransactionReply::End(Ok(producer)));
        assert!(!partition.lock().admits(producer, Some(late)));
        // Nor does the next transaction make room for it.
        let next = verify().expect("it is added");
        assert!(partition.lock().admits(producer, Some(next)));
        assert!(!partition.lock().admits(producer, Some(late)));
    }

    #[test]
    fn a_transaction_that_is_refused_leaves_no_guard() {
        let broker = broker();
        let partition = orders(&broker);
        let producer = Producer {
            id: plimsoll_wire::types::ProducerId(7),
            epoch: plimsoll_wire::types::ProducerEpoch(0),
        };
        let nobody = Transacting {
            id: "nobody",
            producer,
            adds: true,
        };
        let refused = broker.verify_transaction(&nobody, &partition, NOW);
        assert_eq!(
            refused.err().map(|r| r.code),
            Some(ErrorCode::InvalidProducerIdMapping)
        );
        assert!(partition.lock().guards.is_empty());
    }
}
