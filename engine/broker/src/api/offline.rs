//! Replicas that cannot serve, as metadata shows them.

use crate::broker::Broker;
use plimsoll_cluster::{Image, PartitionImage, TopicImage};
use plimsoll_wire::types::{NodeId, PartitionIndex};

/// The leader that clients are told of, and the replicas that are offline: on
/// nodes that are not there, or here with a log whose disk has failed.
pub(crate) fn leader_and_offline(
    broker: &Broker,
    image: &Image,
    (topic, index): (&TopicImage, PartitionIndex),
    partition: &PartitionImage,
) -> (NodeId, Vec<NodeId>) {
    let catalog = broker.catalog();
    let own = catalog.partition(&topic.name, index);
    let failed_here = own.is_ok_and(|own| own.is_offline());
    let is_offline = |node: &&NodeId| {
        (failed_here && **node == broker.node())
            || image.brokers().get(node).is_none_or(|there| there.fenced)
    };
    let offline = partition
        .replicas
        .iter()
        .filter(is_offline)
        .copied()
        .collect();
    let leader = if failed_here && partition.leader == broker.node() {
        NodeId::NONE
    } else {
        partition.leader
    };
    (leader, offline)
}
