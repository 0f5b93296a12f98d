//! Whether a producer may write to partitions in its transaction (KIP-890).
//!
//! Older clients have added the partitions before; newer ones leave that to the
//! broker. The coordinator is asked, on this node or another, and its answer
//! holds while its guard stands (see [`super::guard`]).

use super::guard::Guard;
use crate::broker::Broker;
use crate::convert::topic as topic_name;
use crate::groups::{Asker, code_of};
use crate::outgoing::{Errand, Lane, Peer, PeerFault};
use crate::partition::Partition;
use crate::refusal::Refusal;
use crate::replies::{Answer, Pending, Slot};
use crate::topic_name::TRANSACTIONS_TOPIC;
use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ProducerId as WireProducerId,
    TransactionalId as WireId,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use plimsoll_coordinator::transaction::{
    AddPartitions, TopicPartition, TransactionCommand, TransactionReply,
};
use plimsoll_coordinator::{Producer, TopicName, TransactionalId};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::PartitionIndex;
use std::sync::Arc;

/// The version in which nodes ask each other: the first that may only verify.
const VERSION: i16 = 4;

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

/// A question that the coordinator has been asked.
pub(crate) struct Verification {
    id: String,
    producer: Producer,
    adds: bool,
    asked: Vec<(Arc<Partition>, Guard)>,
    answer: Pending<TransactionReply>,
}

/// Where a producer may write.
#[derive(Default)]
pub(crate) struct Verified {
    of: Vec<(Producer, Arc<Partition>, Result<Guard, Refusal>)>,
}

impl Verified {
    /// The guard under which a producer may write to a partition.
    pub(crate) fn guard(
        &self,
        partition: &Partition,
        producer: Producer,
    ) -> Result<Guard, Refusal> {
        let same = |found: &Partition| {
            found.topic_id == partition.topic_id && found.index == partition.index
        };
        let found = self
            .of
            .iter()
            .find(|(by, found, _)| *by == producer && same(found));
        match found {
            Some((_, _, outcome)) => outcome.clone(),
            // It was known to be in the transaction when the request came.
            None => Err(Refusal::new(
                ErrorCode::NotEnoughReplicas,
                "the transaction must be verified anew",
            )),
        }
    }
}

impl Verification {
    /// Whether the coordinator has answered.
    pub(crate) fn is_here(&mut self) -> bool {
        self.answer.is_here()
    }

    /// What the coordinator has answered; when it has not, the client is to ask
    /// again. The question is settled once.
    pub(crate) fn settle(&mut self) -> Verified {
        let late = Pending::Here(Err(ErrorCode::CoordinatorNotAvailable));
        let answer = std::mem::replace(&mut self.answer, late).settle();
        let producer = self.producer;
        let of = std::mem::take(&mut self.asked).into_iter();
        let of = of.map(|(partition, guard)| {
            let place = (TopicName::from(&*partition.topic), partition.index);
            let outcome = self.judge(&answer, &place).map(|()| guard);
            if outcome.is_err() {
                partition.lock().guards.lower(producer.id);
            }
            (producer, partition, outcome)
        });
        Verified { of: of.collect() }
    }

    fn judge(
        &self,
        answer: &Answer<TransactionReply>,
        place: &TopicPartition,
    ) -> Result<(), Refusal> {
        let code = match answer {
            Ok(TransactionReply::AddPartitions(Ok(missing))) if !missing.contains(place) => {
                return Ok(());
            }
            Ok(TransactionReply::AddPartitions(Ok(_))) => ErrorCode::InvalidTxnState,
            Ok(TransactionReply::AddPartitions(Err(why))) => code_of(*why),
            Ok(_) => ErrorCode::UnknownServerError,
            Err(code) => *code,
        };
        let shown = match code {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            // The client tries again after this one.
            ErrorCode::ConcurrentTransactions if self.adds => code,
            ErrorCode::ConcurrentTransactions
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NetworkException
            | ErrorCode::NotCoordinator => ErrorCode::NotEnoughReplicas,
            code => code,
        };
        let words = format!("transactional id {}: {}", self.id, code.name());
        Err(Refusal::new(shown, words))
    }
}

impl Broker {
    /// Asks whether partitions are in a producer's transaction. What relies on
    /// the answer is to be written under its guards.
    pub(crate) fn verify_transaction(
        &self,
        transacting: &Transacting<'_>,
        partitions: Vec<Arc<Partition>>,
        asker: Asker<'_>,
    ) -> Verification {
        let producer = transacting.producer;
        let guarded = |partition: Arc<Partition>| {
            let guard = partition.lock().guards.raise(producer.id);
            (partition, guard)
        };
        let asked: Vec<_> = partitions.into_iter().map(guarded).collect();
        let place = |(partition, _): &(Arc<Partition>, Guard)| {
            (TopicName::from(&*partition.topic), partition.index)
        };
        let add = AddPartitions {
            id: TransactionalId::from(transacting.id),
            producer,
            partitions: asked.iter().map(place).collect(),
            client_version: if transacting.adds { 2 } else { 0 },
            verify_only: !transacting.adds,
        };
        Verification {
            id: transacting.id.to_owned(),
            producer,
            adds: transacting.adds,
            asked,
            answer: self.join_transaction(add, asker),
        }
    }

    fn join_transaction(&self, add: AddPartitions, asker: Asker<'_>) -> Pending<TransactionReply> {
        let coordinator = self.coordinator_of(TRANSACTIONS_TOPIC, add.id.as_str(), asker.now);
        let node = match coordinator {
            Ok(node) => node,
            Err(code) => return Pending::Here(Err(code)),
        };
        if node == self.node() {
            let id = add.id.clone();
            return self.ask_transaction(
                id.as_str(),
                TransactionCommand::AddPartitions(add),
                asker,
            );
        }
        match self.peer(node) {
            Some(peer) => self.join_elsewhere(peer, &add, asker),
            None => Pending::Here(Err(ErrorCode::CoordinatorNotAvailable)),
        }
    }

    /// Asks the coordinator on another node.
    fn join_elsewhere(
        &self,
        coordinator: Arc<Peer>,
        add: &AddPartitions,
        asker: Asker<'_>,
    ) -> Pending<TransactionReply> {
        let transaction = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(WireId(StrBytes::from_string(add.id.to_string())))
            .with_producer_id(WireProducerId(add.producer.id.get()))
            .with_producer_epoch(add.producer.epoch.get())
            .with_verify_only(add.verify_only)
            .with_topics(topics_of(&add.partitions));
        let query = AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]);
        let errand = Errand {
            to: coordinator,
            lane: Lane::Other,
            deadline: self.commit_deadline(asker.now),
        };
        let slot = Slot::new(asker.waker);
        let told = Arc::downgrade(&slot);
        let then = move |_: &Self, _, answer: Result<Bytes, PeerFault>| {
            if let Some(slot) = told.upgrade() {
                slot.fill(read_answer(answer));
            }
        };
        let api = (ApiKey::AddPartitionsToTxn, VERSION);
        if self.outbox.ask(errand, api, &query, Box::new(then)) {
            Pending::Coming(slot)
        } else {
            Pending::Here(Err(ErrorCode::CoordinatorNotAvailable))
        }
    }
}

fn topics_of(places: &[TopicPartition]) -> Vec<AddPartitionsToTxnTopic> {
    let mut topics: Vec<AddPartitionsToTxnTopic> = Vec::new();
    for (name, index) in places {
        let known = topics
            .iter_mut()
            .find(|t| t.name.0.as_str() == name.as_str());
        match known {
            Some(known) => known.partitions.push(index.get()),
            None => topics.push(
                AddPartitionsToTxnTopic::default()
                    .with_name(topic_name(name.as_str()))
                    .with_partitions(vec![index.get()]),
            ),
        }
    }
    topics
}

/// What another node's coordinator says: the partitions that are not in the
/// transaction, or the error that concerns all of them.
fn read_answer(answer: Result<Bytes, PeerFault>) -> Answer<TransactionReply> {
    let mut body = answer.map_err(|_| ErrorCode::NetworkException)?;
    let response = AddPartitionsToTxnResponse::decode(&mut body, VERSION)
        .map_err(|_| ErrorCode::UnknownServerError)?;
    match ErrorCode::from_wire(response.error_code) {
        ErrorCode::None => {}
        code => return Err(code),
    }
    let mut missing = Vec::new();
    let results = response.results_by_transaction.iter();
    for topic in results.flat_map(|result| &result.topic_results) {
        for partition in &topic.results_by_partition {
            match ErrorCode::from_wire(partition.partition_error_code) {
                ErrorCode::None => {}
                ErrorCode::InvalidTxnState | ErrorCode::TransactionAbortable => missing.push((
                    TopicName::from(topic.name.0.as_str()),
                    PartitionIndex(partition.partition_index),
                )),
                // It has not heard of the topic yet.
                ErrorCode::UnknownTopicOrPartition | ErrorCode::OperationNotAttempted => {
                    return Err(ErrorCode::CoordinatorNotAvailable);
                }
                code => return Err(code),
            }
        }
    }
    Ok(TransactionReply::AddPartitions(Ok(missing)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerConfig;
    use crate::outcome::Wake;
    use plimsoll_coordinator::transaction::{EndTransaction, InitProducer};
    use plimsoll_log::MemDisk;
    use plimsoll_wire::time::{Instant, Now};
    use plimsoll_wire::types::{ProducerEpoch, ProducerId, TimestampMs};
    use std::path::PathBuf;
    use std::time::Duration;

    const NOW: Now = Now {
        wall: TimestampMs(1_700_000_000_000),
        mono: Instant(Duration::from_secs(100)),
    };

    /// A node that is alone answers at once.
    struct Deaf;

    impl Wake for Deaf {
        fn wake(&self) {}
    }

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

    fn ask(broker: &Broker, command: TransactionCommand) -> TransactionReply {
        let waker: Arc<dyn Wake> = Arc::new(Deaf);
        let asker = Asker {
            waker: &waker,
            now: NOW,
        };
        let pending = broker.ask_transaction("pay", command, asker);
        pending.settle().expect("an answer")
    }

    fn end(broker: &Broker, producer: Producer) -> TransactionReply {
        let end = TransactionCommand::End(EndTransaction {
            id: "pay".into(),
            producer,
            commit: true,
            client_version: 0,
        });
        ask(broker, end)
    }

    fn verify(
        broker: &Broker,
        transacting: &Transacting<'_>,
        partition: &Arc<Partition>,
    ) -> Result<Guard, Refusal> {
        let waker: Arc<dyn Wake> = Arc::new(Deaf);
        let asker = Asker {
            waker: &waker,
            now: NOW,
        };
        let partitions = vec![Arc::clone(partition)];
        let mut verification = broker.verify_transaction(transacting, partitions, asker);
        assert!(verification.is_here());
        let verified = verification.settle();
        verified.guard(partition, transacting.producer)
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
        let TransactionReply::Init(Ok(producer)) = ask(&broker, init) else {
            panic!("expected a producer");
        };
        let pay = Transacting {
            id: "pay",
            producer,
            adds: true,
        };
        let late = verify(&broker, &pay, &partition).expect("it is added");
        assert!(partition.lock().admits(producer, Some(late)));
        assert_eq!(end(&broker, producer), TransactionReply::End(Ok(producer)));
        assert!(!partition.lock().admits(producer, Some(late)));
        let refused = partition.lock().admit(producer, Some(late));
        assert_eq!(refused, Err(ErrorCode::InvalidTxnState));
        // Nor does the next transaction make room for it.
        let next = verify(&broker, &pay, &partition).expect("it is added");
        assert!(partition.lock().admits(producer, Some(next)));
        assert!(!partition.lock().admits(producer, Some(late)));
    }

    #[test]
    fn a_transaction_that_is_refused_leaves_no_guard() {
        let broker = broker();
        let partition = orders(&broker);
        let producer = Producer {
            id: ProducerId(7),
            epoch: ProducerEpoch(0),
        };
        let nobody = Transacting {
            id: "nobody",
            producer,
            adds: true,
        };
        let refused = verify(&broker, &nobody, &partition);
        assert_eq!(
            refused.err().map(|r| r.code),
            Some(ErrorCode::InvalidProducerIdMapping)
        );
        assert!(partition.lock().guards.is_empty());
    }
}
