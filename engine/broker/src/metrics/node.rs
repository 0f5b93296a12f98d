//! Replicas on this node and the cluster as the metadata shows it.

use super::counter::Counter;
use super::family::Family;
use crate::broker::Broker;
use plimsoll_cluster::{PartitionImage, TopicImage};
use plimsoll_wire::types::{NodeId, PartitionIndex};

/// How often the ISRs of partitions led here became smaller and larger.
#[derive(Debug, Default)]
pub(crate) struct IsrMoves {
    shrinks: Counter,
    expands: Counter,
}

impl IsrMoves {
    /// A partition had so many in sync, and has so many now.
    pub(crate) fn count(&self, before: i32, now: i32) {
        self.shrinks.add(u64::from(now < before));
        self.expands.add(u64::from(now > before));
    }
}

impl Broker {
    /// The partitions that this node leads or follows.
    pub(super) fn replica_families(&self) -> Vec<Family> {
        let image = self.image();
        let node = self.node();
        let (mut replicas, mut led, mut offline) = (0.0, 0.0, 0.0);
        let (mut under_replicated, mut under_min, mut at_min) = (0.0, 0.0, 0.0);
        let catalog = self.catalog();
        for (topic, index, partition) in all(&image) {
            if !partition.replicas.contains(&node) {
                continue;
            }
            replicas += 1.0;
            let own = catalog.partition(&topic.name, index);
            if own.is_ok_and(|own| own.is_offline()) {
                offline += 1.0;
            } else if partition.leader == node {
                led += 1.0;
                let in_sync = partition.isr.len();
                let settings = catalog.topic(&topic.name).map(|t| t.settings.load());
                let min = settings.map_or(1, |settings| settings.in_sync_min);
                let min = usize::try_from(min).unwrap_or(1);
                under_replicated += f64::from(u8::from(in_sync < partition.replicas.len()));
                under_min += f64::from(u8::from(in_sync < min));
                at_min += f64::from(u8::from(in_sync == min));
            }
        }
        vec![
            Family::level(
                "kafka_server_ReplicaManager_UnderReplicatedPartitions",
                "kafka.server:type=ReplicaManager,name=UnderReplicatedPartitions: led here, with \
                 replicas that are not in sync.",
                under_replicated,
            ),
            Family::level(
                "kafka_server_ReplicaManager_UnderMinIsrPartitionCount",
                "kafka.server:type=ReplicaManager,name=UnderMinIsrPartitionCount",
                under_min,
            ),
            Family::level(
                "kafka_server_ReplicaManager_AtMinIsrPartitionCount",
                "kafka.server:type=ReplicaManager,name=AtMinIsrPartitionCount",
                at_min,
            ),
            Family::level(
                "kafka_server_ReplicaManager_PartitionCount",
                "kafka.server:type=ReplicaManager,name=PartitionCount",
                replicas,
            ),
            Family::level(
                "kafka_server_ReplicaManager_LeaderCount",
                "kafka.server:type=ReplicaManager,name=LeaderCount",
                led,
            ),
            Family::level(
                "kafka_server_ReplicaManager_OfflineReplicaCount",
                "kafka.server:type=ReplicaManager,name=OfflineReplicaCount: replicas here whose \
                 log cannot be used.",
                offline,
            ),
            Family::count(
                "kafka_server_ReplicaManager_IsrShrinksPerSec",
                "kafka.server:type=ReplicaManager,name=IsrShrinksPerSec: partitions led here of \
                 which fewer replicas were in sync.",
                self.isr_moves.shrinks.get(),
            ),
            Family::count(
                "kafka_server_ReplicaManager_IsrExpandsPerSec",
                "kafka.server:type=ReplicaManager,name=IsrExpandsPerSec: partitions led here of \
                 which more replicas were in sync.",
                self.isr_moves.expands.get(),
            ),
        ]
    }

    /// The whole cluster, as this node knows it.
    pub(super) fn controller_families(&self) -> Vec<Family> {
        let image = self.image();
        let catalog = self.catalog();
        let failed_here = |topic: &TopicImage, index| {
            let own = catalog.partition(&topic.name, index);
            own.is_ok_and(|own| own.is_offline())
        };
        let (mut partitions, mut offline) = (0.0, 0.0);
        for (topic, index, partition) in all(&image) {
            partitions += 1.0;
            let leader = partition.leader;
            let lost = leader == self.node() && failed_here(topic, index);
            offline += f64::from(u8::from(leader == NodeId::NONE || lost));
        }
        let fenced = image.brokers().values().filter(|b| b.fenced).count();
        let active = image.brokers().len() - fenced;
        vec![
            Family::level(
                "kafka_controller_KafkaController_ActiveControllerCount",
                "kafka.controller:type=KafkaController,name=ActiveControllerCount: 1 on the node \
                 that decides for the cluster, 0 on others.",
                f64::from(u8::from(self.is_active_controller())),
            ),
            Family::level(
                "kafka_controller_KafkaController_OfflinePartitionsCount",
                "kafka.controller:type=KafkaController,name=OfflinePartitionsCount: partitions \
                 without a leader that can serve them.",
                offline,
            ),
            Family::level(
                "kafka_controller_KafkaController_GlobalTopicCount",
                "kafka.controller:type=KafkaController,name=GlobalTopicCount",
                image.topic_count() as f64,
            ),
            Family::level(
                "kafka_controller_KafkaController_GlobalPartitionCount",
                "kafka.controller:type=KafkaController,name=GlobalPartitionCount",
                partitions,
            ),
            Family::level(
                "kafka_controller_KafkaController_ActiveBrokerCount",
                "kafka.controller:type=KafkaController,name=ActiveBrokerCount",
                active as f64,
            ),
            Family::level(
                "kafka_controller_KafkaController_FencedBrokerCount",
                "kafka.controller:type=KafkaController,name=FencedBrokerCount",
                fenced as f64,
            ),
        ]
    }
}

fn all(
    image: &plimsoll_cluster::Image,
) -> impl Iterator<Item = (&TopicImage, PartitionIndex, &PartitionImage)> {
    image.topics().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(move |(index, partition)| (&**topic, *index, partition))
    })
}
