//! The settings of the coordinators, each under the name of its Kafka
//! property. Ranges are checked where the properties are parsed.

use std::time::Duration;

/// Settings of the group coordinator.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// `group.initial.rebalance.delay.ms`: how long a new group waits for more
    /// members; default 3 s.
    pub initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`: default 6 s.
    pub session_timeout_min: Duration,
    /// `group.max.session.timeout.ms`: default 30 min.
    pub session_timeout_max: Duration,
    /// `group.max.size`: members a classic group may have; default 2³¹ − 1.
    pub max_size: usize,
    /// How long a member may wait in its first join before it counts as gone;
    /// 5 min, as in Kafka.
    pub new_member_join_timeout: Duration,
    /// `offsets.retention.minutes`: how long offsets outlive their use;
    /// default 7 d.
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`: default 10 min.
    pub offsets_check_interval: Duration,
    /// `offset.metadata.max.bytes`: default 4096.
    pub offset_metadata_max: usize,
    /// `group.consumer.session.timeout.ms`: default 45 s.
    pub consumer_session_timeout: Duration,
    /// `group.consumer.heartbeat.interval.ms`: default 5 s.
    pub consumer_heartbeat_interval: Duration,
    /// `group.consumer.max.size`: default 2³¹ − 1.
    pub consumer_max_size: usize,
    /// `group.consumer.migration.policy`: default bidirectional.
    pub migration: MigrationPolicy,
}

/// Which way a group may change its protocol while it has members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationPolicy {
    /// Both ways.
    Bidirectional,
    /// From classic to consumer only.
    Upgrade,
    /// From consumer to classic only.
    Downgrade,
    /// Neither.
    Disabled,
}

impl MigrationPolicy {
    /// Whether a classic group with members may become a consumer group.
    pub const fn upgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    /// Whether a consumer group may become classic when its last member of the
    /// consumer protocol leaves.
    pub const fn downgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            initial_rebalance_delay: Duration::from_secs(3),
            session_timeout_min: Duration::from_secs(6),
            session_timeout_max: Duration::from_secs(30 * 60),
            max_size: i32::MAX as usize,
            new_member_join_timeout: Duration::from_secs(5 * 60),
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            offsets_check_interval: Duration::from_secs(10 * 60),
            offset_metadata_max: 4096,
            consumer_session_timeout: Duration::from_secs(45),
            consumer_heartbeat_interval: Duration::from_secs(5),
            consumer_max_size: i32::MAX as usize,
            migration: MigrationPolicy::Bidirectional,
        }
    }
}

/// Settings of the transaction coordinator.
#[derive(Clone, Debug)]
pub struct TransactionConfig {
    /// `transaction.max.timeout.ms`: default 15 min.
    pub timeout_max: Duration,
    /// `transactional.id.expiration.ms`: how long an id is kept after its last
    /// use; default 7 d.
    pub id_expiration: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`: default
    /// 1 h.
    pub id_check_interval: Duration,
    /// How long to wait before markers that failed are sent again; 100 ms.
    pub marker_retry: Duration,
}

impl Default for TransactionConfig {
    fn default() -> Self {
        Self {
            timeout_max: Duration::from_secs(15 * 60),
            id_expiration: Duration::from_secs(7 * 24 * 60 * 60),
            id_check_interval: Duration::from_secs(60 * 60),
            marker_retry: Duration::from_millis(100),
        }
    }
}
