//! A group coordinator's settings from the broker's properties.

use crate::config::Layers;
use plimsoll_coordinator::{GroupConfig, MigrationPolicy};
use std::time::Duration;

const MINUTE_MS: u64 = 60_000;

/// The settings of group coordinators.
pub(crate) fn group_config(layers: &Layers) -> GroupConfig {
    let number = |name: &str| {
        layers
            .number(name)
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0)
    };
    let ms = |name: &str| Duration::from_millis(number(name));
    let size = |name: &str| usize::try_from(number(name)).unwrap_or(usize::MAX);
    GroupConfig {
        initial_rebalance_delay: ms("group.initial.rebalance.delay.ms"),
        session_timeout_min: ms("group.min.session.timeout.ms"),
        session_timeout_max: ms("group.max.session.timeout.ms"),
        max_size: size("group.max.size"),
        offsets_retention: Duration::from_millis(
            number("offsets.retention.minutes").saturating_mul(MINUTE_MS),
        ),
        offsets_check_interval: ms("offsets.retention.check.interval.ms"),
        offset_metadata_max: size("offset.metadata.max.bytes"),
        consumer_session_timeout: ms("group.consumer.session.timeout.ms"),
        consumer_heartbeat_interval: ms("group.consumer.heartbeat.interval.ms"),
        consumer_max_size: size("group.consumer.max.size"),
        migration: match layers.broker("group.consumer.migration.policy") {
            Some("upgrade") => MigrationPolicy::Upgrade,
            Some("downgrade") => MigrationPolicy::Downgrade,
            Some("disabled") => MigrationPolicy::Disabled,
            _ => MigrationPolicy::Bidirectional,
        },
        ..GroupConfig::default()
    }
}
