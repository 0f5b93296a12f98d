//! What can be wrong with a metadata record or its place in the log.

use plimsoll_wire::types::{NodeId, PartitionIndex};
use thiserror::Error;
use uuid::Uuid;

/// A metadata record that cannot be read or does not fit the image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClusterError {
    /// The record ended before its fields did.
    #[error("metadata record: {field} needs {needed} bytes, {left} are left")]
    Truncated {
        /// The field being read.
        field: &'static str,
        /// Bytes the field needs.
        needed: usize,
        /// Bytes that were left.
        left: usize,
    },
    /// A field holds bytes that its type does not allow.
    #[error("metadata record: {field} is not valid: {reason}")]
    Malformed {
        /// The field being read.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A frame version other than the one in use.
    #[error("metadata record: frame version {0} is unknown, 1 is accepted")]
    UnknownFrame(u32),
    /// A record type this version of the engine does not know.
    #[error("metadata record: type {api_key} version {version} is unknown")]
    UnknownRecord {
        /// The record's type number.
        api_key: u32,
        /// The record's version.
        version: u32,
    },
    /// A record names a topic id that does not exist.
    #[error("metadata record: topic id {0} does not exist")]
    UnknownTopic(Uuid),
    /// A record names a partition that does not exist.
    #[error("metadata record: partition {partition} of topic id {topic} does not exist")]
    UnknownPartition {
        /// The topic.
        topic: Uuid,
        /// The partition's number.
        partition: PartitionIndex,
    },
    /// A record names a broker that is not registered.
    #[error("metadata record: broker {0} is not registered")]
    UnknownBroker(NodeId),
    /// A record ends an access control entry that does not exist.
    #[error("metadata record: access control entry {0} does not exist")]
    UnknownEntry(Uuid),
    /// A topic record repeats a name or an id that is in use.
    #[error("metadata record: topic {0} exists already")]
    TopicExists(String),
    /// A batch of metadata records cannot be built or read.
    #[error("metadata batch: {0}")]
    Batch(String),
    /// This node is to vote and is not among the voters.
    #[error("controller.quorum.voters: node {0} is not among them")]
    NotAVoter(NodeId),
    /// The consensus library refused its settings or state.
    #[error("metadata quorum: {0}")]
    Quorum(String),
}
