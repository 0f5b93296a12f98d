//! The cluster's topics, as assignors of groups ask for them.

use plimsoll_cluster::{Image, TopicImage};
use plimsoll_coordinator::{TopicId, TopicInfo, TopicName, Topics};
use std::sync::Arc;

/// The topics, as assignors see them.
pub(super) struct ImageTopics {
    image: Arc<Image>,
    version: i64,
}

impl ImageTopics {
    /// The topics of an image of this version.
    pub(super) const fn new(image: Arc<Image>, version: i64) -> Self {
        Self { image, version }
    }
}

impl Topics for ImageTopics {
    fn by_name(&self, name: &str) -> Option<TopicInfo> {
        self.image.topic(name).map(|topic| info(topic))
    }

    fn name_of(&self, id: TopicId) -> Option<TopicName> {
        self.image
            .topic_by_id(id)
            .map(|topic| TopicName::from(&*topic.name))
    }

    fn each(&self, show: &mut dyn FnMut(&TopicName, TopicInfo)) {
        for topic in self.image.topics() {
            show(&TopicName::from(&*topic.name), info(topic));
        }
    }

    fn version(&self) -> i64 {
        self.version
    }
}

fn info(topic: &TopicImage) -> TopicInfo {
    let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    TopicInfo {
        id: topic.id,
        partitions,
    }
}
