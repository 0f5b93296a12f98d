//! The broker's settings as numbers, read once after each change.

use super::cluster_limits::ClusterLimits;
use super::layers::Layers;
use std::time::Duration;

/// How the rates that quotas bound are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaWindows {
    /// How many samples are kept.
    pub samples: u32,
    /// The span of each.
    pub span: Duration,
}

/// What handlers ask of the broker's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Whether asking for a topic may create it.
    pub auto_create_topics: bool,
    /// Whether topics may be deleted.
    pub delete_topics: bool,
    /// The partitions of a topic that asks for the default.
    pub default_partitions: i32,
    /// The replicas of a topic that asks for the default.
    pub default_replication_factor: i16,
    /// The most bytes one fetch answers with.
    pub fetch_bytes_max: usize,
    /// How many fetch sessions are kept.
    pub fetch_sessions_max: usize,
    /// The most partitions one page of a topic description holds.
    pub described_partitions_max: usize,
    /// How often retention is checked.
    pub retention_check_interval: Duration,
    /// How often recovery points, log starts and high watermarks are written.
    pub checkpoint_interval: Duration,
    /// Whether produce requests are answered only once they are synced.
    pub durable: bool,
    /// How many logs of one directory are opened at once at a start.
    pub recovery_threads: usize,
    /// Whether compacted topics are compacted.
    pub compacts: bool,
    /// How long the cleaner rests when there was nothing to do.
    pub clean_backoff: Duration,
    /// How many logs are compacted at once.
    pub clean_threads: usize,
    /// The memory of one thread's map of keys.
    pub clean_map_bytes: usize,
    /// How many bytes a second compaction reads and writes.
    pub clean_bytes_per_second: f64,
    /// The partitions of the offsets topic.
    pub offsets_partitions: i32,
    /// How long what a coordinator writes may take to be replicated.
    pub offsets_commit_timeout: Duration,
    /// The partitions of the transactions topic.
    pub transaction_partitions: i32,
    /// How the rates that quotas bound are measured.
    pub quota_windows: QuotaWindows,
    /// What replication and membership ask.
    pub cluster: ClusterLimits,
}

impl Limits {
    /// Reads the settings.
    pub fn of(layers: &Layers) -> Self {
        let size = |name: &str| {
            layers
                .number(name)
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or(0)
        };
        let count = |name: &str| {
            layers
                .number(name)
                .and_then(|number| i32::try_from(number).ok())
                .unwrap_or(1)
        };
        let period = |name: &str| {
            let ms = layers
                .number(name)
                .and_then(|number| u64::try_from(number).ok());
            Duration::from_millis(ms.unwrap_or(u64::MAX))
        };
        let replicas = count("default.replication.factor");
        Self {
            auto_create_topics: layers.flag("auto.create.topics.enable"),
            delete_topics: layers.flag("delete.topic.enable"),
            default_partitions: count("num.partitions"),
            default_replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
            fetch_bytes_max: size("fetch.max.bytes"),
            fetch_sessions_max: size("max.incremental.fetch.session.cache.slots"),
            described_partitions_max: size("max.request.partition.size.limit"),
            retention_check_interval: period("log.retention.check.interval.ms"),
            checkpoint_interval: period("log.flush.offset.checkpoint.interval.ms"),
            durable: layers.flag("plimsoll.durable"),
            recovery_threads: size("num.recovery.threads.per.data.dir"),
            compacts: layers.flag("log.cleaner.enable"),
            clean_backoff: period("log.cleaner.backoff.ms"),
            clean_threads: size("log.cleaner.threads"),
            clean_map_bytes: map_bytes(layers) / size("log.cleaner.threads").max(1),
            clean_bytes_per_second: layers
                .broker("log.cleaner.io.max.bytes.per.second")
                .and_then(|rate| rate.parse().ok())
                .unwrap_or(f64::MAX),
            offsets_partitions: count("offsets.topic.num.partitions"),
            offsets_commit_timeout: period("offsets.commit.timeout.ms"),
            transaction_partitions: count("transaction.state.log.num.partitions"),
            quota_windows: quota_windows(layers),
            cluster: ClusterLimits::of(layers),
        }
    }
}

fn quota_windows(layers: &Layers) -> QuotaWindows {
    let positive = |name| {
        layers
            .number(name)
            .and_then(|number| u32::try_from(number).ok())
    };
    let seconds = positive("quota.window.size.seconds").unwrap_or(1);
    QuotaWindows {
        samples: positive("quota.window.num").unwrap_or(1),
        span: Duration::from_secs(seconds.into()),
    }
}

/// The part of the cleaner's buffer that its map may fill.
fn map_bytes(layers: &Layers) -> usize {
    let buffer = layers.number("log.cleaner.dedupe.buffer.size").unwrap_or(0);
    let factor = layers.broker("log.cleaner.io.buffer.load.factor");
    let factor: f64 = factor.and_then(|factor| factor.parse().ok()).unwrap_or(1.0);
    let tenths = (factor * 10.0).round().clamp(0.0, 10.0) as i64;
    usize::try_from(buffer / 10 * tenths).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_kafkas() {
        let limits = Limits::of(&Layers::default());
        let expected = Limits {
            auto_create_topics: true,
            delete_topics: true,
            default_partitions: 1,
            default_replication_factor: 1,
            fetch_bytes_max: 55 << 20,
            fetch_sessions_max: 1000,
            described_partitions_max: 2000,
            retention_check_interval: Duration::from_secs(300),
            checkpoint_interval: Duration::from_secs(60),
            durable: false,
            recovery_threads: 2,
            compacts: true,
            clean_backoff: Duration::from_secs(15),
            clean_threads: 1,
            clean_map_bytes: (128 << 20) / 10 * 9,
            clean_bytes_per_second: f64::MAX,
            offsets_partitions: 50,
            offsets_commit_timeout: Duration::from_secs(5),
            transaction_partitions: 50,
            quota_windows: QuotaWindows {
                samples: 11,
                span: Duration::from_secs(1),
            },
            cluster: ClusterLimits {
                heartbeat_interval: Duration::from_secs(2),
                session_timeout: Duration::from_secs(9),
                election_timeout: Duration::from_secs(2),
                lag_max: Duration::from_secs(30),
                fetch_wait: Duration::from_millis(500),
                fetch_bytes_min: 1,
                fetch_partition_bytes_max: 1 << 20,
                fetch_bytes_max: 10 << 20,
                fetch_backoff: Duration::from_secs(1),
                request_timeout: Duration::from_secs(30),
                rebalances_leaders: true,
                imbalance_check: Duration::from_secs(300),
                controlled_shutdown: true,
                selects_by_rack: false,
                leader_throttle: None,
                follower_throttle: None,
            },
        };
        assert_eq!(limits, expected);
    }
}
