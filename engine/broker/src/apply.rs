//! Acting on metadata: logs are opened, given new settings, and removed, as
//! the records that were just written say.

use crate::broker::Broker;
use crate::catalog::{Catalog, Topic};
use crate::config::{Layers, Limits, Properties};
use crate::partition::{Orders, Partition, Watch};
use crate::topic_name::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::topic_settings::TopicSettings;
use arc_swap::ArcSwap;
use plimsoll_cluster::{Image, MetadataRecord, PartitionImage, ResourceType, TopicImage};
use plimsoll_log::{PartitionLog, TopicPartition, store_topic_id};
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{NodeId, PartitionIndex};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

impl Broker {
    /// Makes logs and settings what the image, whose last records are
    /// `records`, says.
    pub(crate) fn apply(&self, image: &Image, records: &[MetadataRecord], now: Now) {
        let mut touched = BTreeSet::new();
        let mut settings_changed = false;
        for record in records {
            match record {
                MetadataRecord::Topic(record) => drop(touched.insert(record.id)),
                MetadataRecord::Partition(record) => drop(touched.insert(record.topic)),
                MetadataRecord::PartitionChange(change) => drop(touched.insert(change.topic)),
                MetadataRecord::RemoveTopic(record) => drop(touched.insert(record.id)),
                MetadataRecord::Config(change) if change.resource == ResourceType::Topic => {
                    touched.extend(image.topic(&change.name).map(|topic| topic.id));
                }
                MetadataRecord::Config(_) => settings_changed = true,
                MetadataRecord::RegisterBroker(record) if record.broker == self.node() => {
                    touched.extend(image.topics().map(|topic| topic.id));
                }
                _ => {}
            }
        }
        if settings_changed {
            self.take_settings(image);
            touched.extend(image.topics().map(|topic| topic.id));
        }
        self.sync(image, touched, now);
    }

    /// Makes logs and settings what the image says.
    pub(crate) fn apply_all(&self, image: &Image, now: Now) {
        self.take_settings(image);
        self.recover_logs(image, now);
        let mut all: BTreeSet<Uuid> = image.topics().map(|topic| topic.id).collect();
        all.extend(self.catalog().topics().map(|topic| topic.id));
        self.sync(image, all, now);
    }

    fn take_settings(&self, image: &Image) {
        let layers = run_time_layers(self.config.layers(), image, &self.node().to_string());
        self.limits.store(Arc::new(Limits::of(&layers)));
        self.layers.store(Arc::new(layers));
    }

    fn sync(&self, image: &Image, touched: BTreeSet<Uuid>, now: Now) {
        if touched.is_empty() {
            return;
        }
        let own = image.brokers().get(&self.node());
        let registered = own.is_some_and(|own| own.incarnation == self.membership.incarnation());
        let how = (registered || self.is_alone(), now);
        let mut catalog = Catalog::clone(&self.catalog.load());
        let (present, gone): (Vec<Uuid>, Vec<Uuid>) = touched
            .into_iter()
            .partition(|id| image.topic_by_id(*id).is_some());
        let gone: Vec<_> = gone
            .into_iter()
            .filter_map(|id| catalog.remove(id))
            .collect();
        // First what goes: a new topic may have an old one's name.
        for topic in &gone {
            self.delete(topic, now);
        }
        for id in present {
            if let Some(topic) = image.topic_by_id(id) {
                let own = image.configs(ResourceType::Topic, &topic.name);
                let settings = TopicSettings::of(&self.layers(), own.unwrap_or(&Properties::new()));
                let topic = self.sync_topic(catalog.topic_by_id(id), topic, settings, how);
                catalog.put(topic);
            }
        }
        self.catalog.store(Arc::new(catalog));
    }

    /// The topic as the image has it, made from what is there of it.
    fn sync_topic(
        &self,
        present: Option<&Arc<Topic>>,
        found: &TopicImage,
        settings: TopicSettings,
        how: (bool, Now),
    ) -> Topic {
        let mut topic = present.map_or_else(
            || Topic {
                name: Arc::clone(&found.name),
                id: found.id,
                settings: Arc::new(ArcSwap::from_pointee(settings.clone())),
                partitions: Vec::with_capacity(found.partitions.len()),
                traffic: Arc::default(),
            },
            |present| Topic::clone(present),
        );
        if **topic.settings.load() != settings {
            for partition in &topic.partitions {
                if let Ok(log) = partition.lock().log_mut() {
                    log.set_config(Arc::clone(&settings.log));
                }
            }
            topic.settings.store(Arc::new(settings));
        }
        let known = topic.partitions.len();
        for (index, image) in &found.partitions {
            if usize::try_from(index.get()).is_ok_and(|index| index >= known) {
                let watch = Watch {
                    faults: Arc::clone(&self.faults),
                    traffic: Arc::clone(&topic.traffic),
                };
                let partition = Partition::new(Arc::clone(&topic.name), topic.id, *index, watch);
                topic.partitions.push(Arc::new(partition));
            }
            if let Some(partition) = topic.partition(*index) {
                self.sync_partition(&topic, partition, image, how);
            }
        }
        topic
    }

    /// Plays the part in a partition that the image gives this node.
    fn sync_partition(
        &self,
        topic: &Topic,
        partition: &Arc<Partition>,
        image: &PartitionImage,
        (registered, now): (bool, Now),
    ) {
        let me = self.node();
        let is_replica = image.replicas.contains(&me) && self.config.roles.broker;
        let is_here = partition.lock().is_here();
        if is_replica && !is_here {
            let alone = image.replicas.len() == 1;
            let log = self.open(topic, partition.index, alone, now);
            partition.settle_in(log);
        }
        let orders = Orders {
            me,
            may_lead: registered || mutation::is(Mutation::LeadUnregistered),
            image,
            in_sync_min: topic.settings.load().in_sync_min,
            now: now.mono,
        };
        let in_sync = partition.in_sync();
        if partition.follow(orders) {
            self.leadership_changed(partition);
        } else if image.leader == me {
            self.isr_moves.count(in_sync, partition.in_sync());
        }
        if !is_replica && is_here {
            self.remove_replica(topic, partition, now);
        }
        // Before this run is registered the image may be older than what the last
        // one knew: a leader that was replaced since would take its fetches for
        // those of a replica in sync.
        let follows = (registered || mutation::is(Mutation::FollowUnregistered))
            && is_replica
            && image.leader != me
            && image.leader != NodeId::NONE;
        if image.replicas.len() > 1 || !is_replica {
            self.fetchers
                .assign(partition, follows.then_some(image.leader), now);
        }
    }

    /// A partition with its log. When that cannot be opened the partition is
    /// offline and the rest of the node goes on.
    fn open(
        &self,
        topic: &Topic,
        index: PartitionIndex,
        alone: bool,
        now: Now,
    ) -> Option<PartitionLog> {
        let name = TopicPartition {
            topic: topic.name.to_string(),
            partition: index,
        };
        let config = Arc::clone(&topic.settings.load().log);
        let opened = self.dirs.topic_of(&name).and_then(|known| {
            if let Some(other) = known.filter(|known| *known != topic.id)
                && let Some(stray) = self.dirs.retire(&name, other)?
            {
                // A topic was deleted while its log could not be.
                self.timers.purge_at(now.mono, stray);
            }
            let trust = self.dirs.trust(&name);
            let log = self.dirs.open_log(&name, trust, &config, now)?;
            if known != Some(topic.id) {
                store_topic_id(self.disk(), log.dir(), topic.id)?;
            }
            Ok(log)
        });
        match opened {
            Ok(mut log) => {
                if alone {
                    // The only replica: all that is in the log is replicated.
                    let end = log.log_end();
                    log.set_high_watermark(end);
                }
                Some(log)
            }
            Err(error) => {
                let (partition, remedy) = (index.get(), error.remedy());
                tracing::error!(
                    %error, topic = %topic.name, partition, "partition is offline: {remedy}"
                );
                if let Some(dir) = self.dirs.place_of(&name) {
                    self.faults.note(dir, &error);
                }
                None
            }
        }
    }

    /// Closes a deleted topic's logs and takes their directories out of use.
    fn delete(&self, topic: &Topic, now: Now) {
        for partition in &topic.partitions {
            self.fetchers.assign(partition, None, now);
            self.leadership_changed(partition);
            drop(partition.lock().delete(true));
            self.retire(topic, partition, now);
        }
    }

    /// This node began or ceased to lead a partition, or leads in another term.
    fn leadership_changed(&self, partition: &Partition) {
        match &*partition.topic {
            OFFSETS_TOPIC => self.resign_groups(partition.index),
            TRANSACTIONS_TOPIC => self.resign_transactions(partition.index),
            _ => {}
        }
    }

    /// A partition's replica leaves this node.
    fn remove_replica(&self, topic: &Topic, partition: &Partition, now: Now) {
        drop(partition.lock().delete(false));
        self.retire(topic, partition, now);
    }

    /// Takes the directory of a log that was dropped out of use.
    fn retire(&self, topic: &Topic, partition: &Partition, now: Now) {
        let delay = topic.settings.load().log.file_delete_delay_ms;
        let name = TopicPartition {
            topic: topic.name.to_string(),
            partition: partition.index,
        };
        match self.dirs.retire(&name, topic.id) {
            Ok(Some(retired)) => self.timers.purge_at(now.mono.after(delay), retired),
            Ok(None) => {}
            Err(error) => drop(partition.storage_failed("remove a log", &error)),
        }
    }
}

/// The settings given at start with those made at run time over them.
pub(crate) fn run_time_layers(start: Layers, image: &Image, node: &str) -> Layers {
    let of = |name: &str| {
        image
            .configs(ResourceType::Broker, name)
            .cloned()
            .unwrap_or_default()
    };
    Layers {
        cluster: of(""),
        node: of(node),
        ..start
    }
}
