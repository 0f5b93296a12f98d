//! The topics this node serves, by name and by id.
//!
//! The catalogue is replaced whole when topics come or go, so that the data
//! path finds a partition without a lock.

use crate::metrics::Traffic;
use crate::partition::Partition;
use crate::topic_settings::TopicSettings;
use arc_swap::ArcSwap;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::PartitionIndex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// A topic and its partitions on this node.
#[derive(Clone)]
pub(crate) struct Topic {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its id.
    pub(crate) id: Uuid,
    /// Its settings, which may change while it is in use.
    pub(crate) settings: Arc<ArcSwap<TopicSettings>>,
    /// Its partitions by number.
    pub(crate) partitions: Vec<Arc<Partition>>,
    /// What goes in and out.
    pub(crate) traffic: Arc<Traffic>,
}

impl Topic {
    /// The partition of this number.
    pub(crate) fn partition(&self, index: PartitionIndex) -> Option<&Arc<Partition>> {
        usize::try_from(index.get())
            .ok()
            .and_then(|index| self.partitions.get(index))
    }
}

/// All topics.
#[derive(Clone, Default)]
pub(crate) struct Catalog {
    by_name: BTreeMap<Arc<str>, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl Catalog {
    /// The topic of this name.
    pub(crate) fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    /// The topic of this id.
    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// The partition of a topic's name and a number.
    pub(crate) fn partition(
        &self,
        name: &str,
        index: PartitionIndex,
    ) -> Result<&Arc<Partition>, ErrorCode> {
        self.topic(name)
            .and_then(|topic| topic.partition(index))
            .ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    /// All topics, by name: background work must come in an order that a seed
    /// can name.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    /// All partitions, in the order of topics and numbers.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.topics().flat_map(|topic| &topic.partitions)
    }

    /// Adds a topic, or replaces the one of its id.
    pub(crate) fn put(&mut self, topic: Topic) {
        let topic = Arc::new(topic);
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(Arc::clone(&topic.name), topic);
    }

    /// Takes a topic out.
    pub(crate) fn remove(&mut self, id: Uuid) -> Option<Arc<Topic>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        Some(topic)
    }
}
