//! Creating topics: what a request asks for becomes records of a change.

use crate::config::{Properties, check_topic};
use crate::metadata::Change;
use crate::placement;
use crate::refusal::Refusal;
use crate::topic_name::{self, METADATA_TOPIC};
use plimsoll_cluster::{
    ConfigChange, Image, MetadataRecord, PartitionRecord, ResourceType, TopicRecord,
};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{LeaderEpoch, NodeId, PartitionIndex};
use uuid::Uuid;

/// Who holds the partitions of a new topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// So many partitions with so many replicas each, placed by the broker.
    Counted {
        /// The partitions.
        partitions: i32,
        /// The replicas of each.
        replicas: i16,
    },
    /// The replicas of each partition, chosen by the client.
    Chosen(Vec<Vec<NodeId>>),
}

/// A topic that someone wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewTopic {
    /// Its name.
    pub(crate) name: String,
    /// Its partitions.
    pub(crate) layout: Layout,
    /// Its own settings.
    pub(crate) settings: Properties,
}

/// Adds a topic to the change, with the id `id`.
pub(crate) fn create(change: &mut Change, new: &NewTopic, id: Uuid) -> Result<(), Refusal> {
    check_name(change.image(), &new.name)?;
    for (name, value) in &new.settings {
        check_topic(name, value)?;
    }
    let replicas = place(change.image(), &new.layout)?;
    change.push(MetadataRecord::Topic(TopicRecord {
        name: new.name.clone(),
        id,
    }));
    for (key, value) in &new.settings {
        change.push(MetadataRecord::Config(ConfigChange {
            resource: ResourceType::Topic,
            name: new.name.clone(),
            key: key.clone(),
            value: Some(value.clone()),
        }));
    }
    push_partitions(change, id, 0, replicas);
    Ok(())
}

/// Adds partitions with these replicas to the change, numbered from `first`.
pub(crate) fn push_partitions(
    change: &mut Change,
    topic: Uuid,
    first: i32,
    replicas: Vec<Vec<NodeId>>,
) {
    for (partition, nodes) in (first..).map(PartitionIndex).zip(replicas) {
        change.push(MetadataRecord::Partition(PartitionRecord {
            partition,
            topic,
            leader: nodes.first().copied().unwrap_or(NodeId::NONE),
            isr: nodes.clone(),
            replicas: nodes,
            removing: Vec::new(),
            adding: Vec::new(),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            eligible: Vec::new(),
            last_known_eligible: Vec::new(),
        }));
    }
}

fn check_name(image: &Image, name: &str) -> Result<(), Refusal> {
    let invalid = |words: String| Refusal::new(ErrorCode::InvalidTopicException, words);
    if name == METADATA_TOPIC {
        let words = format!("topic name: {name} is the metadata log's");
        return Err(Refusal::new(ErrorCode::InvalidRequest, words));
    }
    topic_name::check(name).map_err(|bad| invalid(bad.to_string()))?;
    if image.topic(name).is_some() {
        let words = format!("topic name: {name} exists already");
        return Err(Refusal::new(ErrorCode::TopicAlreadyExists, words));
    }
    match topic_name::collision(image, name) {
        Some(other) => Err(invalid(format!(
            "topic name: {name} collides with {other}, which differs in '.' and '_' only"
        ))),
        None => Ok(()),
    }
}

fn place(image: &Image, layout: &Layout) -> Result<Vec<Vec<NodeId>>, Refusal> {
    match layout {
        Layout::Counted { partitions, .. } if *partitions <= 0 => Err(Refusal::new(
            ErrorCode::InvalidPartitions,
            format!("partitions: {partitions}, at least 1 or -1 for the default is accepted"),
        )),
        Layout::Counted { replicas, .. } if *replicas <= 0 => Err(Refusal::new(
            ErrorCode::InvalidReplicationFactor,
            format!("replication factor: {replicas}, at least 1 or -1 for the default is accepted"),
        )),
        Layout::Counted {
            partitions,
            replicas,
        } => placement::spread(image, *partitions, *replicas, image.topic_count()),
        Layout::Chosen(chosen) => {
            for replicas in chosen {
                placement::check_chosen(image, replicas)?;
            }
            let mut counts = chosen.iter().map(Vec::len);
            let first = counts.next();
            if counts.any(|count| Some(count) != first) {
                return Err(Refusal::new(
                    ErrorCode::InvalidReplicaAssignment,
                    "replica assignment: partitions differ in how many replicas they have",
                ));
            }
            Ok(chosen.clone())
        }
    }
}
