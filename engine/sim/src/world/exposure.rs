//! Which machine may lose what it has not synced.
//!
//! Where a broker answers from the page cache, replicas alone keep what was
//! acknowledged, so the promise has a limit: with `acks=all` and
//! `min.insync.replicas=2` a record survives the loss of any one machine's
//! unsynced writes, as often as that happens, when each time some other replica
//! that the controller counts on (in sync, or eligible to lead) has what it had.
//! A machine that lost power counts again once its new process was let in and
//! has caught up. Two machines that lose power at once may take the only copies
//! with them, in Kafka too.

use super::{NodeIx, World};
use plimsoll_broker::Broker;
use plimsoll_cluster::{Image, PartitionImage, ResourceType};
use plimsoll_wire::types::NodeId;

impl World {
    /// Whether a machine may lose what it has not synced, now or while its disk
    /// is damaged.
    pub fn may_lose(&self, ix: NodeIx) -> bool {
        if self.syncs_each {
            return true;
        }
        // One that was deposed may not know it yet: all of them must agree.
        let mut images = self
            .nodes
            .iter()
            .filter_map(|node| node.broker())
            .filter(|broker| broker.is_active_controller())
            .map(Broker::image)
            .peekable();
        images.peek().is_some() && images.all(|image| self.is_spared_by(ix, &image))
    }

    fn is_spared_by(&self, ix: NodeIx, image: &Image) -> bool {
        image
            .topics()
            .filter(|topic| keeps(image, &topic.name))
            .all(|topic| {
                topic
                    .partitions
                    .values()
                    .all(|partition| self.has_another(ix, partition))
            })
    }

    /// Whether another replica holds what this machine holds of a partition.
    fn has_another(&self, ix: NodeIx, partition: &PartitionImage) -> bool {
        let holds = |id: &NodeId| {
            let other = NodeIx::of(*id).filter(|other| *other != ix);
            let other = other.and_then(|other| self.nodes.get(other.0));
            other.is_some_and(|node| !node.is_exposed())
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
