//! The image: all that the metadata log says, as of its last replayed record.
//!
//! [`Image::replay`] is the only way to change it. Topics are shared behind
//! `Arc`, so that a copy of the image costs its maps alone and a published
//! image never changes under its readers.

use crate::acls::Acls;
use crate::error::ClusterError;
use crate::quotas::ClientQuotas;
use crate::records::{
    BrokerEndpoint, BrokerFeature, ConfigChange, MetadataRecord, PartitionChange, PartitionRecord,
    RegisterBroker, RemoveScramCredential, ResourceType, TopicRecord,
};
use plimsoll_wire::scram::{Credential, ScramMechanism};
use plimsoll_wire::types::{BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex, ProducerId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionImage {
    /// The nodes that hold it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// The replicas in sync with the leader.
    pub isr: Vec<NodeId>,
    /// The replicas a reassignment takes away.
    pub removing: Vec<NodeId>,
    /// The replicas a reassignment adds.
    pub adding: Vec<NodeId>,
    /// The leader, or none.
    pub leader: NodeId,
    /// The leader's term.
    pub leader_epoch: LeaderEpoch,
    /// Counts the changes of this partition.
    pub partition_epoch: i32,
    /// The replicas outside the ISR that hold all committed records (KIP-966).
    pub eligible: Vec<NodeId>,
    /// The replicas that were eligible before they stopped uncleanly.
    pub last_known_eligible: Vec<NodeId>,
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicImage {
    /// The topic's name.
    pub name: Arc<str>,
    /// The topic's id.
    pub id: Uuid,
    /// Its partitions by number.
    pub partitions: BTreeMap<PartitionIndex, PartitionImage>,
}

/// One registered broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerImage {
    /// Names the run of its process.
    pub incarnation: Uuid,
    /// Its registration.
    pub epoch: BrokerEpoch,
    /// Where clients reach it.
    pub endpoints: Vec<BrokerEndpoint>,
    /// The features it supports.
    pub supported: Vec<BrokerFeature>,
    /// The rack it stands in.
    pub rack: Option<String>,
    /// Whether it may not lead.
    pub fenced: bool,
    /// Whether it is about to leave.
    pub in_controlled_shutdown: bool,
    /// The ids of its log directories (KIP-858).
    pub log_dirs: Vec<Uuid>,
}

impl BrokerImage {
    /// Where clients of the listener `name` reach the broker; the first
    /// address when it has no such listener.
    pub fn endpoint(&self, name: &str) -> Option<&BrokerEndpoint> {
        let named = self.endpoints.iter().find(|one| one.name == name);
        named.or_else(|| self.endpoints.first())
    }
}

/// What a setting belongs to: a kind of thing and its name.
pub type ConfigResource = (ResourceType, String);

/// The cluster's metadata at one point of its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub(crate) topics: BTreeMap<Arc<str>, Arc<TopicImage>>,
    names: HashMap<Uuid, Arc<str>>,
    pub(crate) configs: BTreeMap<ConfigResource, BTreeMap<String, String>>,
    pub(crate) brokers: BTreeMap<NodeId, BrokerImage>,
    pub(crate) features: BTreeMap<String, i16>,
    pub(crate) scram: BTreeMap<String, BTreeMap<ScramMechanism, Credential>>,
    pub(crate) acls: Arc<Acls>,
    pub(crate) quotas: Arc<ClientQuotas>,
    pub(crate) next_producer_id: ProducerId,
}

impl Image {
    /// The topic of this name.
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.get(name)
    }

    /// The topic of this id.
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<TopicImage>> {
        self.names.get(&id).and_then(|name| self.topics.get(name))
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.topics.values()
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// The settings of one thing, when it has any.
    pub fn configs(&self, resource: ResourceType, name: &str) -> Option<&BTreeMap<String, String>> {
        self.configs.get(&(resource, name.to_owned()))
    }

    /// Everything that has settings.
    pub fn configured(&self) -> impl Iterator<Item = (&ConfigResource, &BTreeMap<String, String>)> {
        self.configs.iter()
    }

    /// The registered brokers by node id.
    pub const fn brokers(&self) -> &BTreeMap<NodeId, BrokerImage> {
        &self.brokers
    }

    /// The features in force and their levels.
    pub const fn features(&self) -> &BTreeMap<String, i16> {
        &self.features
    }

    /// The users that can prove a password, and what it is checked against.
    pub const fn scram(&self) -> &BTreeMap<String, BTreeMap<ScramMechanism, Credential>> {
        &self.scram
    }

    /// The access control entries.
    pub fn acls(&self) -> &Acls {
        &self.acls
    }

    /// The client quotas.
    pub fn quotas(&self) -> &ClientQuotas {
        &self.quotas
    }

    /// The first producer id that no broker has taken.
    pub const fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id
    }

    /// Applies one record.
    ///
    /// # Errors
    /// When the record does not fit the image. The image is unchanged then.
    pub fn replay(&mut self, record: &MetadataRecord) -> Result<(), ClusterError> {
        match record {
            MetadataRecord::Topic(record) => self.add_topic(record)?,
            MetadataRecord::Partition(record) => self.set_partition(record)?,
            MetadataRecord::PartitionChange(change) => self.change_partition(change)?,
            MetadataRecord::RemoveTopic(record) => self.remove_topic(record.id)?,
            MetadataRecord::Config(change) => self.set_config(change),
            MetadataRecord::RegisterBroker(record) => self.register(record),
            MetadataRecord::UnregisterBroker(record) => {
                if self.brokers.remove(&record.broker).is_none() {
                    return Err(ClusterError::UnknownBroker(record.broker));
                }
            }
            MetadataRecord::BrokerRegistrationChange(change) => {
                let Some(broker) = self.brokers.get_mut(&change.broker) else {
                    return Err(ClusterError::UnknownBroker(change.broker));
                };
                broker.fenced = change.fenced.unwrap_or(broker.fenced);
                broker.in_controlled_shutdown = change
                    .in_controlled_shutdown
                    .unwrap_or(broker.in_controlled_shutdown);
            }
            MetadataRecord::FeatureLevel(record) if record.level == 0 => {
                self.features.remove(&record.name);
            }
            MetadataRecord::FeatureLevel(record) => {
                self.features.insert(record.name.clone(), record.level);
            }
            MetadataRecord::ProducerIds(record) => self.next_producer_id = record.next,
            MetadataRecord::ScramCredential(record) => {
                self.scram
                    .entry(record.user.clone())
                    .or_default()
                    .insert(record.mechanism, record.credential.clone());
            }
            MetadataRecord::RemoveScramCredential(record) => self.remove_scram(record),
            MetadataRecord::AccessControlEntry(entry) => {
                Arc::make_mut(&mut self.acls).insert(entry);
            }
            MetadataRecord::RemoveAccessControlEntry(gone) => {
                if !Arc::make_mut(&mut self.acls).remove(gone.id) {
                    return Err(ClusterError::UnknownEntry(gone.id));
                }
            }
            MetadataRecord::ClientQuota(quota) => Arc::make_mut(&mut self.quotas).set(quota),
            MetadataRecord::NoOp => {}
        }
        Ok(())
    }

    fn add_topic(&mut self, record: &TopicRecord) -> Result<(), ClusterError> {
        if self.topics.contains_key(record.name.as_str()) || self.names.contains_key(&record.id) {
            return Err(ClusterError::TopicExists(record.name.clone()));
        }
        let name: Arc<str> = Arc::from(record.name.as_str());
        let topic = TopicImage {
            name: Arc::clone(&name),
            id: record.id,
            partitions: BTreeMap::new(),
        };
        self.names.insert(record.id, Arc::clone(&name));
        self.topics.insert(name, Arc::new(topic));
        Ok(())
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut TopicImage, ClusterError> {
        self.names
            .get(&id)
            .and_then(|name| self.topics.get_mut(name))
            .map(Arc::make_mut)
            .ok_or(ClusterError::UnknownTopic(id))
    }

    fn set_partition(&mut self, record: &PartitionRecord) -> Result<(), ClusterError> {
        let partition = PartitionImage {
            replicas: record.replicas.clone(),
            isr: record.isr.clone(),
            removing: record.removing.clone(),
            adding: record.adding.clone(),
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
            eligible: record.eligible.clone(),
            last_known_eligible: record.last_known_eligible.clone(),
        };
        self.topic_mut(record.topic)?
            .partitions
            .insert(record.partition, partition);
        Ok(())
    }

    fn change_partition(&mut self, change: &PartitionChange) -> Result<(), ClusterError> {
        let unknown = ClusterError::UnknownPartition {
            topic: change.topic,
            partition: change.partition,
        };
        let topic = self.topic_mut(change.topic)?;
        let partition = topic.partitions.get_mut(&change.partition).ok_or(unknown)?;
        let set = |field: &mut Vec<NodeId>, new: &Option<Vec<NodeId>>| {
            if let Some(new) = new {
                field.clone_from(new);
            }
        };
        set(&mut partition.isr, &change.isr);
        set(&mut partition.replicas, &change.replicas);
        set(&mut partition.removing, &change.removing);
        set(&mut partition.adding, &change.adding);
        set(&mut partition.eligible, &change.eligible);
        set(
            &mut partition.last_known_eligible,
            &change.last_known_eligible,
        );
        if let Some(leader) = change.leader {
            partition.leader = leader;
            partition.leader_epoch = LeaderEpoch(partition.leader_epoch.get().saturating_add(1));
        }
        partition.partition_epoch = partition.partition_epoch.saturating_add(1);
        Ok(())
    }

    /// A topic takes its settings with it.
    fn remove_topic(&mut self, id: Uuid) -> Result<(), ClusterError> {
        let name = self
            .names
            .remove(&id)
            .ok_or(ClusterError::UnknownTopic(id))?;
        self.topics.remove(&name);
        self.configs
            .remove(&(ResourceType::Topic, name.to_string()));
        Ok(())
    }

    fn set_config(&mut self, change: &ConfigChange) {
        let resource = (change.resource, change.name.clone());
        if let Some(value) = &change.value {
            self.configs
                .entry(resource)
                .or_default()
                .insert(change.key.clone(), value.clone());
        } else if let Some(settings) = self.configs.get_mut(&resource) {
            settings.remove(&change.key);
            if settings.is_empty() {
                self.configs.remove(&resource);
            }
        }
    }

    fn remove_scram(&mut self, record: &RemoveScramCredential) {
        if let Some(mechanisms) = self.scram.get_mut(&record.user) {
            mechanisms.remove(&record.mechanism);
            if mechanisms.is_empty() {
                self.scram.remove(&record.user);
            }
        }
    }

    fn register(&mut self, record: &RegisterBroker) {
        let broker = BrokerImage {
            incarnation: record.incarnation,
            epoch: record.epoch,
            endpoints: record.endpoints.clone(),
            supported: record.features.clone(),
            log_dirs: record.log_dirs.clone(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
        };
        self.brokers.insert(record.broker, broker);
    }
}

#[cfg(test)]
mod tests;
