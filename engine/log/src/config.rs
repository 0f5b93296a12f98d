//! A topic's settings, as far as its logs heed them.

use plimsoll_wire::batch::TimestampType;
use std::time::Duration;

/// What `cleanup.policy` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Old segments are deleted.
    pub delete: bool,
    /// Only the latest record of each key is kept.
    pub compact: bool,
}

/// Settings of one log. Every field carries the Kafka property of its doc and
/// that property's default; the caller validates ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`, 1 GiB; 14 up to `i32::MAX`.
    pub segment_bytes: u64,
    /// `segment.ms`, 7 days.
    pub segment_ms: Duration,
    /// `segment.jitter.ms`, 0: at most this much is taken off `segment.ms`.
    pub segment_jitter_ms: Duration,
    /// `index.interval.bytes`, 4096: log bytes between two index entries.
    pub index_interval_bytes: u64,
    /// `segment.index.bytes`, 10 MiB: a full index rolls the segment.
    pub index_bytes_max: u64,
    /// `message.timestamp.type`, `CreateTime`.
    pub timestamp_type: TimestampType,
    /// `cleanup.policy`, `delete`.
    pub cleanup_policy: CleanupPolicy,
    /// `retention.ms`, 7 days; `None` (−1) keeps for ever.
    pub retention_ms: Option<Duration>,
    /// `retention.bytes`, −1, which is `None`: no limit.
    pub retention_bytes: Option<u64>,
    /// `file.delete.delay.ms`, 60 s.
    pub file_delete_delay_ms: Duration,
    /// `flush.messages`: records between two syncs; `None` leaves it to the
    /// operating system.
    pub flush_messages: Option<u64>,
    /// `flush.ms`: the longest time without a sync; `None` leaves it to the
    /// operating system.
    pub flush_ms: Option<Duration>,
    /// `min.cleanable.dirty.ratio`, 50 %, in thousandths.
    pub min_cleanable_dirty_permille: u16,
    /// `min.compaction.lag.ms`, 0.
    pub min_compaction_lag_ms: Duration,
    /// `max.compaction.lag.ms`; `None` sets no limit.
    pub max_compaction_lag_ms: Option<Duration>,
    /// `delete.retention.ms`, 24 hours: how long tombstones stay.
    pub delete_retention_ms: Duration,
    /// `producer.id.expiration.ms`, 24 hours.
    pub producer_id_expiration_ms: Duration,
}

const HOUR: Duration = Duration::from_secs(3600);

impl LogConfig {
    /// How old a segment gets: where compaction must come within a time, the
    /// segment has to end within it.
    pub(crate) fn segment_age_max(&self) -> Duration {
        match self.max_compaction_lag_ms {
            Some(lag) if self.cleanup_policy.compact => self.segment_ms.min(lag),
            _ => self.segment_ms,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: HOUR * 24 * 7,
            segment_jitter_ms: Duration::ZERO,
            index_interval_bytes: 4096,
            index_bytes_max: 10 << 20,
            timestamp_type: TimestampType::CreateTime,
            cleanup_policy: CleanupPolicy {
                delete: true,
                compact: false,
            },
            retention_ms: Some(HOUR * 24 * 7),
            retention_bytes: None,
            file_delete_delay_ms: Duration::from_secs(60),
            flush_messages: None,
            flush_ms: None,
            min_cleanable_dirty_permille: 500,
            min_compaction_lag_ms: Duration::ZERO,
            max_compaction_lag_ms: None,
            delete_retention_ms: HOUR * 24,
            producer_id_expiration_ms: HOUR * 24,
        }
    }
}
