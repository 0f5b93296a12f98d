//! Which machines may lose what they have not synced, and when.
//!
//! Where a broker answers from the page cache, replicas alone keep what was
//! acknowledged, so the promise has a limit. With `acks=all` and
//! `min.insync.replicas=2` a record survives though one machine after the other
//! loses its unsynced writes, as long as each time another replica that the
//! controller counts on, in sync or eligible to lead, runs or was shut down in
//! order. A machine counts again once its next process was let in and has caught
//! up.
//!
//! The controller cannot tell a killed process from a machine that lost power: it
//! takes both for a loss. So while one machine has lost power and is not back,
//! the last of the others must not be killed either, or the one that lost may be
//! all that is left to lead. Kafka's promise (KIP-966) ends there, too.

use super::node::{End, Node};
use super::{NodeIx, World};
use plimsoll_broker::Broker;
use plimsoll_cluster::{Image, PartitionImage, ResourceType};
use plimsoll_wire::types::NodeId;

impl World {
    /// The way in which a node may end, if need be a milder one than `how`.
    pub fn spared(&self, ix: NodeIx, how: End) -> End {
        let others_lost = || {
            self.nodes
                .iter()
                .any(|node| node.ix != ix && node.is_exposed())
        };
        let loses = match how {
            End::PowerLoss => true,
            End::Kill => others_lost(),
            End::Stop => false,
        };
        if self.syncs_each || !loses || self.is_spared(ix) {
            how
        } else if how == End::PowerLoss && !others_lost() {
            End::Kill
        } else {
            End::Stop
        }
    }

    /// Whether others hold all that this machine holds.
    fn is_spared(&self, ix: NodeIx) -> bool {
        // One that was deposed may not know it yet: all of them must agree.
        let mut images = self
            .nodes
            .iter()
            .filter_map(Node::broker)
            .filter(|broker| broker.is_active_controller())
            .map(Broker::image)
            .peekable();
        images.peek().is_some() && images.all(|image| self.is_spared_by(ix, &image))
    }

    fn is_spared_by(&self, ix: NodeIx, image: &Image) -> bool {
        let mut kept = image.topics().filter(|topic| keeps(image, &topic.name));
        kept.all(|topic| {
            let mut partitions = topic.partitions.values();
            partitions.all(|partition| self.has_another(ix, partition))
        })
    }

    /// Whether another replica holds what this machine holds of a partition.
    fn has_another(&self, ix: NodeIx, partition: &PartitionImage) -> bool {
        let holds = |id: &NodeId| {
            let other = NodeIx::of(*id).filter(|other| *other != ix);
            let other = other.and_then(|other| self.nodes.get(other.0));
            other.is_some_and(|node| !node.is_in_doubt())
        };
        let is_its = |id: &NodeId| NodeIx::of(*id) == Some(ix);
        !partition.replicas.iter().any(is_its)
            || partition.isr.iter().chain(&partition.eligible).any(holds)
    }
}

/// Whether what is acknowledged in a topic is on two replicas.
fn keeps(image: &Image, topic: &str) -> bool {
    let own = image.configs(ResourceType::Topic, topic);
    let least = own.and_then(|own| own.get("min.insync.replicas"));
    least.is_none_or(|least| least != "1")
}
