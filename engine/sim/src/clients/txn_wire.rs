//! The requests of a transaction, in the older flow, where the producer names
//! its partitions first, and in the newer (KIP-890), where the broker adds
//! them and every transaction has an epoch of its own.

use super::Client;
use super::directory::{Kind, text, topic_name};
use super::once::Identity;
use super::transactional::is_fatal;
use crate::facts::Partition;
use crate::world::Broken;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, GroupId, InitProducerIdRequest,
    InitProducerIdResponse, ProducerId as WireProducerId, TransactionalId, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{ProducerEpoch, ProducerId};

/// How long a transaction may take before its coordinator aborts it.
const TXN_TIMEOUT_MS: i32 = 8000;

/// Which flow a producer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Partitions are added before they are written to.
    Explicit,
    /// The broker adds them.
    Implicit,
}

impl Flow {
    /// The version of produce requests.
    pub const fn produce_version(self) -> i16 {
        match self {
            Self::Explicit => 11,
            Self::Implicit => 12,
        }
    }
}

/// A transactional id and the flow of its producer.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The transactional id.
    pub id: String,
    /// The flow.
    pub flow: Flow,
}

impl Wire {
    fn name(&self) -> TransactionalId {
        TransactionalId(text(&self.id))
    }

    /// Asks the coordinator until it gives a definite answer: the response, or
    /// the error that it names.
    async fn insist<Q: Encodable, R: Decodable>(
        &self,
        client: &mut Client,
        (kind, key): (Kind, &str),
        api: (ApiKey, i16),
        query: &Q,
        code_of: impl Fn(&R) -> i16,
    ) -> Result<R, ErrorCode> {
        loop {
            let Some(node) = client.coordinator(kind, key).await else {
                continue;
            };
            let answer: Result<R, Broken> = client.ask(node, api, query).await;
            let Ok(response) = answer else {
                client.forget_coordinator(kind, key);
                continue;
            };
            match ErrorCode::from_wire(code_of(&response)) {
                ErrorCode::None => return Ok(response),
                code if is_fatal(code) || !code.is_retriable() => return Err(code),
                _ => {
                    client.forget_coordinator(kind, key);
                    client.back_off().await;
                }
            }
        }
    }

    /// Takes the transactional id; none when that cannot be done yet.
    pub async fn init(&self, client: &mut Client) -> Option<Identity> {
        let query = InitProducerIdRequest::default()
            .with_transactional_id(Some(self.name()))
            .with_transaction_timeout_ms(TXN_TIMEOUT_MS);
        let version = match self.flow {
            Flow::Explicit => 4,
            Flow::Implicit => 5,
        };
        let api = (ApiKey::InitProducerId, version);
        let key = (Kind::Transaction, self.id.as_str());
        let code = |response: &InitProducerIdResponse| response.error_code;
        match self.insist(client, key, api, &query, code).await {
            Ok(response) => Some(Identity {
                id: ProducerId(response.producer_id.0),
                epoch: ProducerEpoch(response.producer_epoch),
            }),
            Err(_) => {
                client.back_off().await;
                None
            }
        }
    }

    /// Adds partitions to the transaction.
    pub async fn add_partitions(
        &self,
        client: &mut Client,
        by: Identity,
        topic: &str,
        partitions: &[i32],
    ) -> Result<(), ErrorCode> {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(partitions.to_vec());
        let query = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.name())
            .with_v3_and_below_producer_id(WireProducerId(by.id.get()))
            .with_v3_and_below_producer_epoch(by.epoch.get())
            .with_v3_and_below_topics(vec![topic]);
        let code = |response: &AddPartitionsToTxnResponse| {
            let topic = response.results_by_topic_v3_and_below.first();
            let of = |partition: &kafka_protocol::messages::add_partitions_to_txn_response::AddPartitionsToTxnPartitionResult| partition.partition_error_code;
            let mut codes = topic
                .into_iter()
                .flat_map(|t| t.results_by_partition.iter().map(of));
            codes.find(|code| *code != 0).unwrap_or(0)
        };
        let key = (Kind::Transaction, self.id.as_str());
        let api = (ApiKey::AddPartitionsToTxn, 3);
        self.insist(client, key, api, &query, code)
            .await
            .map(|_| ())
    }

    /// Commits an input's offset within the transaction.
    pub async fn commit_offset(
        &self,
        client: &mut Client,
        by: Identity,
        group: &str,
        (of, offset): (&Partition, i64),
    ) -> Result<(), ErrorCode> {
        if self.flow == Flow::Explicit {
            let query = AddOffsetsToTxnRequest::default()
                .with_transactional_id(self.name())
                .with_producer_id(WireProducerId(by.id.get()))
                .with_producer_epoch(by.epoch.get())
                .with_group_id(GroupId(text(group)));
            let key = (Kind::Transaction, self.id.as_str());
            let code = |response: &AddOffsetsToTxnResponse| response.error_code;
            self.insist(client, key, (ApiKey::AddOffsetsToTxn, 3), &query, code)
                .await?;
        }
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(of.index)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name(of.topic))
            .with_partitions(vec![partition]);
        let query = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.name())
            .with_group_id(GroupId(text(group)))
            .with_producer_id(WireProducerId(by.id.get()))
            .with_producer_epoch(by.epoch.get())
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        let version = match self.flow {
            Flow::Explicit => 4,
            Flow::Implicit => 5,
        };
        let code = |response: &TxnOffsetCommitResponse| {
            let topic = response.topics.first();
            topic
                .and_then(|t| t.partitions.first())
                .map_or(-1, |p| p.error_code)
        };
        let api = (ApiKey::TxnOffsetCommit, version);
        self.insist(client, (Kind::Group, group), api, &query, code)
            .await
            .map(|_| ())
    }

    /// Ends the transaction. Answers with the identity of the next one.
    pub async fn end(
        &self,
        client: &mut Client,
        by: Identity,
        commit: bool,
    ) -> Result<Identity, ErrorCode> {
        let query = EndTxnRequest::default()
            .with_transactional_id(self.name())
            .with_producer_id(WireProducerId(by.id.get()))
            .with_producer_epoch(by.epoch.get())
            .with_committed(commit);
        let version = match self.flow {
            Flow::Explicit => 4,
            Flow::Implicit => 5,
        };
        let key = (Kind::Transaction, self.id.as_str());
        let code = |response: &EndTxnResponse| response.error_code;
        let response = self
            .insist(client, key, (ApiKey::EndTxn, version), &query, code)
            .await?;
        Ok(match self.flow {
            Flow::Explicit => by,
            Flow::Implicit => Identity {
                id: ProducerId(response.producer_id.0),
                epoch: ProducerEpoch(response.producer_epoch),
            },
        })
    }
}
