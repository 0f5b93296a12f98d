//! From the engine's types to those of the message library.

use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::types::NodeId;

/// Text of the library's.
pub(crate) fn text(words: impl Into<String>) -> StrBytes {
    StrBytes::from_string(words.into())
}

/// A topic's name.
pub(crate) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A node's number.
pub(crate) const fn broker_id(node: NodeId) -> BrokerId {
    BrokerId(node.get())
}

/// Nodes' numbers.
pub(crate) fn broker_ids(nodes: &[NodeId]) -> Vec<BrokerId> {
    nodes.iter().copied().map(broker_id).collect()
}
