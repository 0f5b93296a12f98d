//! The scripted broker's transactions: enough for one producer each.

use super::{Fake, Partition, next_offset};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::fetch_response::AbortedTransaction;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, EndTxnRequest, FindCoordinatorResponse,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, Producer};
use plimsoll_wire::types::{ProducerEpoch, ProducerId, Sequence, TimestampMs};
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// The transactions of one partition.
#[derive(Clone, Default)]
pub struct Transactions {
    /// First offset of each open one, by producer.
    open: BTreeMap<i64, i64>,
    /// Aborted ones: producer, first offset, offset of the marker.
    aborted: Vec<(i64, i64, i64)>,
}

impl Transactions {
    /// A batch is appended at `offset`.
    pub fn note(&mut self, batch: &Bytes, offset: i64) {
        let header = BatchHeader::parse(batch).expect("the client sends whole batches");
        if header.is_transactional() && !header.is_control() {
            self.open.entry(header.producer_id.get()).or_insert(offset);
        }
    }
}

impl Partition {
    /// The last stable offset.
    pub fn stable(&self) -> i64 {
        let first = self.transactions.open.values().min();
        first.copied().unwrap_or(self.end)
    }

    fn end_transaction(&mut self, producer: i64, commits: bool) {
        let Some(first) = self.transactions.open.remove(&producer) else {
            return;
        };
        if !commits {
            self.transactions.aborted.push((producer, first, self.end));
        }
        let marker = marker(producer, commits);
        self.append(&marker);
        assert_eq!(self.batches.last().map(next_offset), Some(self.end));
    }
}

impl Fake {
    /// Ends the transaction of a producer in every partition.
    pub fn end(&self, request: &EndTxnRequest) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for partition in &mut state.partitions {
            partition.end_transaction(request.producer_id.0, request.committed);
        }
    }

    /// The aborted transactions of a partition that end at `from` or later, as
    /// far as they are told.
    pub fn aborted(&self, partition: i32, from: i64) -> Vec<AbortedTransaction> {
        if !self.behaviour.hides_aborted {
            return Vec::new();
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(partition).unwrap_or(usize::MAX);
        let aborted = state.partitions.get(at).map(|p| &p.transactions.aborted);
        let reached = aborted
            .into_iter()
            .flatten()
            .filter(|(.., marker)| *marker >= from);
        let told = reached.map(|(producer, first, _)| {
            AbortedTransaction::default()
                .with_producer_id((*producer).into())
                .with_first_offset(*first)
        });
        told.collect()
    }
}

/// Itself.
pub fn coordinator(port: u16) -> FindCoordinatorResponse {
    FindCoordinatorResponse::default()
        .with_node_id(1.into())
        .with_host(StrBytes::from_static_str("127.0.0.1"))
        .with_port(i32::from(port))
}

/// Every partition is welcome, unless the producer's last transaction is said to be
/// on its way still.
pub fn add(request: &AddPartitionsToTxnRequest, still_ending: bool) -> AddPartitionsToTxnResponse {
    let code = match still_ending {
        true => ResponseError::ConcurrentTransactions.code(),
        false => 0,
    };
    let topics = request.v3_and_below_topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*partition)
                .with_partition_error_code(code)
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions.collect())
    });
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics.collect())
}

fn marker(producer: i64, commits: bool) -> Bytes {
    let mut builder = BatchBuilder::new(BatchSettings {
        producer: Producer {
            id: ProducerId(producer),
            epoch: ProducerEpoch(0),
            base_sequence: Sequence::NONE,
        },
        transactional: true,
        control: true,
        ..BatchSettings::default()
    });
    let key = [0, 0, 0, u8::from(commits)];
    builder.push(TimestampMs(0), Some(&key), Some(&[0; 6]));
    builder.build().expect("nothing is compressed").into()
}
