//! The records that make an image from nothing: what a snapshot holds.
//!
//! Everything that [`Image::replay`] keeps must be here; the test compares.

use crate::image::{Image, TopicImage};
use crate::records::{
    AccessControlEntry, ClientQuota, ConfigChange, FeatureLevel, MetadataRecord, PartitionRecord,
    ProducerIds, RegisterBroker, ScramCredential, TopicRecord,
};
use plimsoll_wire::types::{BrokerEpoch, NodeId};

impl Image {
    /// The records that replay into this image, in a fixed order.
    pub fn records(&self) -> Vec<MetadataRecord> {
        let mut out = Vec::new();
        for (name, level) in &self.features {
            let (name, level) = (name.clone(), *level);
            out.push(MetadataRecord::FeatureLevel(FeatureLevel { name, level }));
        }
        self.push_brokers(&mut out);
        let mut topics: Vec<_> = self.topics.values().collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        for topic in topics {
            push_topic(topic, &mut out);
        }
        self.push_configs(&mut out);
        for (user, credentials) in &self.scram {
            for (mechanism, credential) in credentials {
                out.push(MetadataRecord::ScramCredential(ScramCredential {
                    user: user.clone(),
                    mechanism: *mechanism,
                    credential: credential.clone(),
                }));
            }
        }
        for (id, binding) in self.acls.iter() {
            let binding = binding.clone();
            out.push(MetadataRecord::AccessControlEntry(AccessControlEntry {
                id,
                binding,
            }));
        }
        for (entity, quotas) in self.quotas.iter() {
            for (key, value) in quotas {
                out.push(MetadataRecord::ClientQuota(ClientQuota {
                    entity: entity.clone(),
                    key: *key,
                    value: Some(*value),
                }));
            }
        }
        if self.next_producer_id.get() > 0 {
            out.push(MetadataRecord::ProducerIds(ProducerIds {
                broker: NodeId::NONE,
                epoch: BrokerEpoch(-1),
                next: self.next_producer_id,
            }));
        }
        out
    }

    fn push_brokers(&self, out: &mut Vec<MetadataRecord>) {
        for (node, broker) in &self.brokers {
            out.push(MetadataRecord::RegisterBroker(RegisterBroker {
                broker: *node,
                incarnation: broker.incarnation,
                epoch: broker.epoch,
                endpoints: broker.endpoints.clone(),
                features: broker.supported.clone(),
                rack: broker.rack.clone(),
                fenced: broker.fenced,
                in_controlled_shutdown: broker.in_controlled_shutdown,
                log_dirs: broker.log_dirs.clone(),
            }));
        }
    }

    fn push_configs(&self, out: &mut Vec<MetadataRecord>) {
        let mut resources: Vec<_> = self.configs.iter().collect();
        resources.sort_by_key(|((kind, name), _)| (*kind as i8, name.as_str()));
        for ((resource, name), settings) in resources {
            for (key, value) in settings {
                out.push(MetadataRecord::Config(ConfigChange {
                    resource: *resource,
                    name: name.clone(),
                    key: key.clone(),
                    value: Some(value.clone()),
                }));
            }
        }
    }
}

fn push_topic(topic: &TopicImage, out: &mut Vec<MetadataRecord>) {
    out.push(MetadataRecord::Topic(TopicRecord {
        name: topic.name.to_string(),
        id: topic.id,
    }));
    for (index, partition) in &topic.partitions {
        out.push(MetadataRecord::Partition(PartitionRecord {
            partition: *index,
            topic: topic.id,
            replicas: partition.replicas.clone(),
            isr: partition.isr.clone(),
            removing: partition.removing.clone(),
            adding: partition.adding.clone(),
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            eligible: partition.eligible.clone(),
            last_known_eligible: partition.last_known_eligible.clone(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn an_image_is_made_again_from_its_records() {
        let mut image = Image::default();
        for record in samples() {
            // Some samples speak of what is not there.
            let _unfit = image.replay(&record);
        }
        let mut again = Image::default();
        for record in image.records() {
            assert_eq!(again.replay(&record), Ok(()), "{record:?}");
        }
        assert_eq!(again, image);
        assert_ne!(image, Image::default());
    }
}
