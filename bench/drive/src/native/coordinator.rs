//! The connection to a transaction's coordinator, and what is asked of it.
//!
//! Speaks the protocol of every broker from 0.11 on: partitions and offsets are
//! added explicitly, and the end is a request of its own. The transactional id
//! keeps its identity through every reconnection, so a request may be repeated.

use super::conn::Conn;
use super::control::{Control, ProducerIdentity};
use crate::access::Bootstrap;
use crate::clock::Mono;
use crate::error::DriveError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, EndTxnRequest, TopicName,
    TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

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

    /// The request that ends the transaction.
    pub fn end(&self, aborts: bool) -> EndTxnRequest {
        EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(self.identity.id.get().into())
            .with_producer_epoch(self.identity.epoch.get())
            .with_committed(!aborts)
    }
}

/// The first error of a response; 0 when there is none.
pub fn worst_code(response: &AddPartitionsToTxnResponse) -> i16 {
    let topics = &response.results_by_topic_v3_and_below;
    let results = topics.iter().flat_map(|topic| &topic.results_by_partition);
    let mut codes = results.map(|result| result.partition_error_code);
    codes.find(|code| *code != 0).unwrap_or(response.error_code)
}
