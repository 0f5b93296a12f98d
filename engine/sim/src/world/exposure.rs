//! Which machines may lose what they have not synced, and when.
//!
//! Where a broker answers from the page cache, replicas alone keep what was
//! acknowledged, so the promise has a limit. With `acks=all` and
//! `min.insync.replicas=2` a record survives though machines lose their unsynced
//! writes again and again, one at a time: from a loss until the machine's next
//! process is let in, no other ends without a word, and another replica that the
//! controller counts on, in sync or eligible to lead, has what it had.
//!
//! The controller cannot tell a killed process from a machine that lost power: it
//! takes both for a loss. So two may not even be killed then, or the one that
//! lost may be all that is left to lead. Shutting down in order is always safe.
//! Kafka's promise (KIP-966) ends there, too.

use super::node::{End, Node};
use super::{NodeIx, World};
use plimsoll_broker::Broker;
use plimsoll_cluster::{Image, PartitionImage, ResourceType};
use plimsoll_wire::types::NodeId;

impl World {
    /// The way in which a node may end, if need be a milder one than `how`.
    pub fn spared(&self, ix: NodeIx, how: End) -> End {
        let another = |is: fn(&Node) -> bool| {
            let mut others = self.nodes.iter().filter(|node| node.ix != ix);
            others.any(is)
        };
        if self.syncs_each || how == End::Stop {
            how
        } else if another(Node::is_exposed) {
            End::Stop
        } else if how == End::PowerLoss && (another(Node::is_in_doubt) || !self.is_spared(ix)) {
            End::Kill
        } else {
            how
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
        images.peek().is_some() && images.all(|image| has_others(&image, ix))
    }
}

/// Whether every partition of a machine whose records are kept has another
/// replica that holds them.
fn has_others(image: &Image, ix: NodeIx) -> bool {
    let is_its = |id: &NodeId| NodeIx::of(*id) == Some(ix);
    let has_another = |partition: &PartitionImage| {
        let mut holders = partition.isr.iter().chain(&partition.eligible);
        !partition.replicas.iter().any(is_its) || holders.any(|id| !is_its(id))
    };
    let mut kept = image.topics().filter(|topic| keeps(image, &topic.name));
    kept.all(|topic| topic.partitions.values().all(has_another))
}

/// Whether what is acknowledged in a topic is on two replicas.
fn keeps(image: &Image, topic: &str) -> bool {
    let own = image.configs(ResourceType::Topic, topic);
    let least = own.and_then(|own| own.get("min.insync.replicas"));
    least.is_none_or(|least| least != "1")
}
