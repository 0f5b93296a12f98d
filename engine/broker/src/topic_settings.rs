//! A topic's settings as the data path wants them.

use crate::config::{Layers, Properties, elements};
use crate::replica::Throttled;
use plimsoll_log::{CleanupPolicy, LogConfig};
use plimsoll_wire::batch::TimestampType;
use plimsoll_wire::compression::Compression;
use std::sync::Arc;
use std::time::Duration;

/// What producing to a topic and keeping its logs depends on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TopicSettings {
    /// What the topic's logs are given.
    pub(crate) log: Arc<LogConfig>,
    /// `max.message.bytes`.
    pub(crate) batch_bytes_max: usize,
    /// `message.timestamp.before.max.ms`.
    pub(crate) timestamp_before_ms_max: i64,
    /// `message.timestamp.after.max.ms`.
    pub(crate) timestamp_after_ms_max: i64,
    /// `min.insync.replicas`.
    pub(crate) in_sync_min: i32,
    /// `compression.type` and its level; none keeps the producer's.
    pub(crate) compression: Option<(Compression, Option<i32>)>,
    /// Whose catching up is held back when they are sent records.
    pub(crate) leader_throttled: Throttled,
    /// Whose catching up is held back when they take records.
    pub(crate) follower_throttled: Throttled,
}

impl TopicSettings {
    /// The settings of a topic whose own are `own`.
    pub(crate) fn of(layers: &Layers, own: &Properties) -> Self {
        let ask = Ask { layers, own };
        Self {
            batch_bytes_max: ask.size("max.message.bytes"),
            timestamp_before_ms_max: ask.number("message.timestamp.before.max.ms"),
            timestamp_after_ms_max: ask.number("message.timestamp.after.max.ms"),
            in_sync_min: i32::try_from(ask.number("min.insync.replicas")).unwrap_or(i32::MAX),
            compression: ask.compression(),
            leader_throttled: Throttled::read(&ask.text("leader.replication.throttled.replicas")),
            follower_throttled: Throttled::read(
                &ask.text("follower.replication.throttled.replicas"),
            ),
            log: Arc::new(ask.log()),
        }
    }
}

/// Asks for one property after the other.
struct Ask<'a> {
    layers: &'a Layers,
    own: &'a Properties,
}

impl Ask<'_> {
    fn text(&self, name: &str) -> String {
        self.layers
            .topic(self.own, name)
            .map(|(value, _)| value)
            .unwrap_or_default()
    }

    fn number(&self, name: &str) -> i64 {
        self.layers.topic_number(self.own, name).unwrap_or(0)
    }

    fn size(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(0)
    }

    fn bytes(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or(0)
    }

    fn ms(&self, name: &str) -> Duration {
        Duration::from_millis(self.bytes(name))
    }

    /// A limit that is none when it is negative or the largest number.
    fn limit(&self, name: &str) -> Option<u64> {
        match self.layers.topic_number(self.own, name) {
            Some(i64::MAX) | None => None,
            Some(number) => u64::try_from(number).ok(),
        }
    }

    fn compression(&self) -> Option<(Compression, Option<i32>)> {
        let level = |name: &str| i32::try_from(self.number(name)).ok();
        match self.text("compression.type").as_str() {
            "uncompressed" => Some((Compression::None, None)),
            "gzip" => Some((
                Compression::Gzip,
                level("compression.gzip.level").filter(|l| *l > 0),
            )),
            "snappy" => Some((Compression::Snappy, None)),
            "lz4" => Some((Compression::Lz4, level("compression.lz4.level"))),
            "zstd" => Some((Compression::Zstd, level("compression.zstd.level"))),
            _ => None,
        }
    }

    fn log(&self) -> LogConfig {
        let policy = self.text("cleanup.policy");
        let has = |word: &str| elements(&policy).any(|element| element == word);
        let stamped = self.text("message.timestamp.type") == "LogAppendTime";
        let ratio: f64 = self
            .text("min.cleanable.dirty.ratio")
            .parse()
            .unwrap_or(0.5);
        LogConfig {
            segment_bytes: self.bytes("segment.bytes"),
            segment_ms: self.ms("segment.ms"),
            segment_jitter_ms: self.ms("segment.jitter.ms"),
            index_interval_bytes: self.bytes("index.interval.bytes"),
            index_bytes_max: self.bytes("segment.index.bytes"),
            timestamp_type: if stamped {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            cleanup_policy: CleanupPolicy {
                delete: has("delete"),
                compact: has("compact"),
            },
            retention_ms: self.limit("retention.ms").map(Duration::from_millis),
            retention_bytes: self.limit("retention.bytes"),
            file_delete_delay_ms: self.ms("file.delete.delay.ms"),
            flush_messages: self.limit("flush.messages"),
            flush_ms: self.limit("flush.ms").map(Duration::from_millis),
            min_cleanable_dirty_permille: (ratio.clamp(0.0, 1.0) * 1000.0).round() as u16,
            min_compaction_lag_ms: self.ms("min.compaction.lag.ms"),
            max_compaction_lag_ms: self
                .limit("max.compaction.lag.ms")
                .map(Duration::from_millis),
            delete_retention_ms: self.ms("delete.retention.ms"),
            producer_id_expiration_ms: Duration::from_millis(
                self.layers
                    .number("producer.id.expiration.ms")
                    .and_then(|ms| u64::try_from(ms).ok())
                    .unwrap_or(u64::MAX),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_logs_own() {
        let settings = TopicSettings::of(&Layers::default(), &Properties::new());
        assert_eq!(*settings.log, LogConfig::default());
        assert_eq!(settings.batch_bytes_max, 1_048_588);
        assert_eq!(settings.compression, None);
    }
}
