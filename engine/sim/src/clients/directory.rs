//! Who leads which partition, and who coordinates what, as a client knows it.

use super::Client;
use crate::facts::Partition;
use crate::world::NodeIx;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::NodeId;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The metadata version that clients ask in.
const METADATA: i16 = 12;
/// The version of coordinator look-ups.
const FIND_COORDINATOR: i16 = 4;

/// What a coordinator coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A group.
    Group,
    /// A transactional id.
    Transaction,
}

/// A client's knowledge of the cluster.
#[derive(Debug)]
pub struct Directory {
    nodes: usize,
    /// Whom to ask next: another one after each failure.
    next: usize,
    leaders: BTreeMap<(String, i32), NodeIx>,
    /// The newest epoch that was heard of each partition. Who tells of an older
    /// one is behind, and is not believed (KIP-320).
    epochs: BTreeMap<(String, i32), i32>,
    ids: BTreeMap<String, Uuid>,
    coordinators: BTreeMap<(Kind, String), NodeIx>,
}

impl Directory {
    /// No knowledge of a cluster of so many nodes.
    pub const fn new(nodes: usize) -> Self {
        Self {
            nodes,
            next: 0,
            leaders: BTreeMap::new(),
            epochs: BTreeMap::new(),
            ids: BTreeMap::new(),
            coordinators: BTreeMap::new(),
        }
    }

    /// Somebody to ask.
    pub const fn anyone(&mut self) -> NodeIx {
        self.next = (self.next + 1) % self.nodes;
        NodeIx(self.next)
    }
}

/// The node of an id on the wire.
pub fn node_of(id: i32) -> Option<NodeIx> {
    NodeIx::of(NodeId(id))
}

/// A name on the wire.
pub fn text(words: &str) -> StrBytes {
    StrBytes::from_string(words.to_owned())
}

/// A topic's name on the wire.
pub fn topic_name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

impl Client {
    /// Who leads a partition; none when nobody says so at the moment.
    pub async fn leader(&mut self, topic: &str, partition: i32) -> Option<NodeIx> {
        let known = |client: &Self| {
            let key = (topic.to_owned(), partition);
            client.directory.leaders.get(&key).copied()
        };
        if let Some(node) = known(self) {
            return Some(node);
        }
        self.refresh(topic).await;
        let found = known(self);
        if found.is_none() {
            self.back_off().await;
        }
        found
    }

    /// A topic's id, once the client has seen its metadata.
    pub fn topic_id(&self, topic: &str) -> Option<Uuid> {
        self.directory.ids.get(topic).copied()
    }

    /// Asks one node about a partition, whoever leads it.
    pub fn pin_leader(&mut self, of: &Partition, node: NodeIx) {
        let key = (of.topic.to_owned(), of.index);
        self.directory.leaders.insert(key, node);
    }

    /// The leader was not who we thought.
    pub fn forget_leader(&mut self, topic: &str, partition: i32) {
        self.directory
            .leaders
            .remove(&(topic.to_owned(), partition));
    }

    /// Asks anybody about a topic.
    pub async fn refresh(&mut self, topic: &str) -> bool {
        let node = self.directory.anyone();
        let wanted = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
        let query = MetadataRequest::default()
            .with_topics(Some(vec![wanted]))
            .with_allow_auto_topic_creation(false);
        let asked = self.ask(node, (ApiKey::Metadata, METADATA), &query).await;
        let Ok(response): Result<MetadataResponse, _> = asked else {
            return false;
        };
        for found in response.topics {
            if ErrorCode::from_wire(found.error_code).is_error() {
                continue;
            }
            self.directory.ids.insert(topic.to_owned(), found.topic_id);
            for partition in found.partitions {
                let key = (topic.to_owned(), partition.partition_index);
                let newest = self.directory.epochs.entry(key.clone()).or_insert(-1);
                if partition.leader_epoch < *newest {
                    continue;
                }
                *newest = partition.leader_epoch;
                match node_of(partition.leader_id.0) {
                    Some(leader) => self.directory.leaders.insert(key, leader),
                    None => self.directory.leaders.remove(&key),
                };
            }
        }
        true
    }

    /// Who coordinates a group or a transactional id.
    pub async fn coordinator(&mut self, kind: Kind, id: &str) -> Option<NodeIx> {
        let key = (kind, id.to_owned());
        if let Some(node) = self.directory.coordinators.get(&key) {
            return Some(*node);
        }
        let query = FindCoordinatorRequest::default()
            .with_key_type(match kind {
                Kind::Group => 0,
                Kind::Transaction => 1,
            })
            .with_coordinator_keys(vec![text(id)]);
        let node = self.directory.anyone();
        let api = (ApiKey::FindCoordinator, FIND_COORDINATOR);
        let response: FindCoordinatorResponse = self.ask(node, api, &query).await.ok()?;
        let found = response.coordinators.first()?;
        if ErrorCode::from_wire(found.error_code).is_error() {
            self.back_off().await;
            return None;
        }
        let node = node_of(found.node_id.0)?;
        self.directory.coordinators.insert(key, node);
        Some(node)
    }

    /// The coordinator was not who we thought.
    pub fn forget_coordinator(&mut self, kind: Kind, id: &str) {
        self.directory.coordinators.remove(&(kind, id.to_owned()));
    }
}
