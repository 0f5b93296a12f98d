//! The partition and its settings: small segments, so that few records make many.

use plimsoll_log::{CleanupPolicy, LogConfig, TopicPartition};
use plimsoll_wire::types::PartitionIndex;

pub fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1500,
        index_interval_bytes: 150,
        retention_bytes: Some(5000),
        ..LogConfig::default()
    }
}

/// A compacted topic's; its records have one of a few keys.
pub fn keyed_config() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy {
            delete: false,
            compact: true,
        },
        min_cleanable_dirty_permille: 1,
        ..config()
    }
}

pub(super) fn partition() -> TopicPartition {
    TopicPartition {
        topic: "t".to_owned(),
        partition: PartitionIndex(0),
    }
}
