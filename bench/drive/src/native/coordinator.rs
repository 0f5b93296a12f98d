//! The connection to a transaction's coordinator, and what is asked of it.
//!
//! Speaks the protocol of every broker from 0.11 on: partitions and offsets are
//! added explicitly, and the end is a request of its own. The transactional id
//! keeps its identity through every reconnection, so a request may be repeated.

use super::conn::Conn;
use super::control::{Control, ProducerIdentity};
use crate::access::Bootstrap;
use crate::clock::{Mono, sleep_until};
use crate::driver::GroupOffsets;
use crate::error::{DriveError, is_retriable};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, EndTxnRequest,
    GroupId, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::time::Duration;

const RETRY_GAP_NANOS: u64 = 1_000_000;

/// The versions spoken here: the last ones of clients, before a broker adds
/// partitions on behalf of its clients.
pub const ADD_PARTITIONS_VERSIONS: (i16, i16) = (0, 3);
/// The versions of EndTxn spoken here.
pub const END_VERSIONS: (i16, i16) = (0, 3);

/// A transactional id at its coordinator.
#[derive(Debug)]
pub struct Coordinator {
    /// The connection.
    pub conn: Conn,
    id: TransactionalId,
    identity: ProducerIdentity,
    bootstrap: Bootstrap,
    /// The connection to the group's coordinator, once it is needed.
    groups: Option<Conn>,
}

impl Coordinator {
    /// Finds the coordinator of `id` and takes the id over.
    pub fn join(bootstrap: &Bootstrap, id: &str, timeout: Duration) -> Result<Self, DriveError> {
        let id = TransactionalId(StrBytes::from_string(id.to_owned()));
        let mut control = Control::reach(bootstrap)?;
        let mut found = control.coordinator(&id)?;
        let identity = found.transactional_identity(&id, timeout)?;
        Ok(Self {
            conn: found.into_conn(),
            id,
            identity,
            bootstrap: bootstrap.clone(),
            groups: None,
        })
    }

    /// Who this producer is.
    pub const fn identity(&self) -> ProducerIdentity {
        self.identity
    }

    /// The transactional id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Connects again, to whoever is the coordinator now.
    pub fn find_again(&mut self, deadline: Mono) -> Result<(), DriveError> {
        let mut control = Control::reach_by(&self.bootstrap, deadline)?;
        self.conn = control.coordinator(&self.id)?.into_conn();
        Ok(())
    }

    /// The request that makes `partitions` of `topic` part of the transaction.
    pub fn add_partitions(&self, topic: &str, partitions: &[u32]) -> AddPartitionsToTxnRequest {
        let partitions = partitions.iter().map(|partition| partition.cast_signed());
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partitions(partitions.collect());
        AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id.clone())
            .with_v3_and_below_producer_id(self.identity.id.get().into())
            .with_v3_and_below_producer_epoch(self.identity.epoch.get())
            .with_v3_and_below_topics(vec![topic])
    }

    /// Adds the offsets of a group to the transaction and commits them in it.
    pub fn commit_offsets(
        &mut self,
        reads: &GroupOffsets,
        next: &BTreeMap<u32, i64>,
        deadline: Mono,
    ) -> Result<(), DriveError> {
        let group = GroupId(StrBytes::from_string(reads.group.clone()));
        let add = AddOffsetsToTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(self.identity.id.get().into())
            .with_producer_epoch(self.identity.epoch.get())
            .with_group_id(group.clone());
        retried(deadline, "AddOffsetsToTxn", || {
            let response = self.conn.call(&add, (0, 3), deadline)?;
            Ok(response.error_code)
        })?;
        let partitions = next.iter().map(|(partition, offset)| {
            TxnOffsetCommitRequestPartition::default()
                .with_partition_index(partition.cast_signed())
                .with_committed_offset(*offset)
                .with_committed_leader_epoch(-1)
        });
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(StrBytes::from_string(reads.topic.clone())))
            .with_partitions(partitions.collect());
        let commit = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id.clone())
            .with_group_id(group)
            .with_producer_id(self.identity.id.get().into())
            .with_producer_epoch(self.identity.epoch.get())
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        let bootstrap = self.bootstrap.clone();
        retried(deadline, "TxnOffsetCommit", || {
            let conn = match &mut self.groups {
                Some(conn) => conn,
                None => {
                    let mut control = Control::reach_by(&bootstrap, deadline)?;
                    self.groups
                        .insert(control.group_coordinator(&reads.group)?.into_conn())
                }
            };
            let response = conn.call(&commit, (0, 3), deadline)?;
            let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            let mut codes = partitions.map(|partition| partition.error_code);
            Ok(codes.find(|code| *code != 0).unwrap_or(0))
        })
    }

    /// The request that ends the transaction.
    pub fn end(&self, aborts: bool) -> EndTxnRequest {
        EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(self.identity.id.get().into())
            .with_producer_epoch(self.identity.epoch.get())
            .with_committed(!aborts)
    }
}

/// Asks again while the answer says that it may yet succeed.
fn retried(
    deadline: Mono,
    request: &str,
    mut ask: impl FnMut() -> Result<i16, DriveError>,
) -> Result<(), DriveError> {
    loop {
        let code = ask()?;
        if !is_retriable(code) || Mono::now() >= deadline {
            return DriveError::check(code, request, None);
        }
        sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
    }
}

/// The first error of a response; 0 when there is none.
pub fn worst_code(response: &AddPartitionsToTxnResponse) -> i16 {
    let topics = &response.results_by_topic_v3_and_below;
    let results = topics.iter().flat_map(|topic| &topic.results_by_partition);
    let mut codes = results.map(|result| result.partition_error_code);
    codes.find(|code| *code != 0).unwrap_or(response.error_code)
}
