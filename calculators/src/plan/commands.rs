//! Command lines for Kafka's own tool.

use super::TopicPlan;
use std::fmt::Write as _;

/// The `kafka-topics` line that creates `topic`.
pub(super) fn create(topic: &TopicPlan, bootstrap: &str) -> String {
    let mut line = format!(
        "kafka-topics.sh --bootstrap-server {bootstrap} --create --topic {} --partitions {} \
         --replication-factor {}",
        topic.name, topic.partitions, topic.replication
    );
    for (name, value) in &topic.settings {
        let _ = write!(line, " --config {name}={value}");
    }
    line
}
