//! The settings of replication and of the metadata quorum, as numbers.

use super::layers::Layers;
use std::time::Duration;

/// What replication, membership and the quorum ask of the broker's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterLimits {
    /// How often a broker tells the controller that it lives.
    pub heartbeat_interval: Duration,
    /// How long a broker may be silent before it is fenced.
    pub session_timeout: Duration,
    /// How long a controller may be cut off before another is elected.
    pub election_timeout: Duration,
    /// How long a follower may lag before it leaves the ISR.
    pub lag_max: Duration,
    /// How long a follower's fetch waits at the leader.
    pub fetch_wait: Duration,
    /// How many bytes are worth an answer before that.
    pub fetch_bytes_min: i32,
    /// The bytes of one partition in a fetch.
    pub fetch_partition_bytes_max: i32,
    /// The bytes of a whole fetch.
    pub fetch_bytes_max: i32,
    /// How long a follower rests after a fetch that failed.
    pub fetch_backoff: Duration,
    /// How long a request to another node may take.
    pub request_timeout: Duration,
    /// Whether preferred leaders take over again.
    pub rebalances_leaders: bool,
    /// How often that is looked at.
    pub imbalance_check: Duration,
    /// Whether a stopping broker hands its partitions over first.
    pub controlled_shutdown: bool,
    /// Whether consumers are sent to the replica in their rack.
    pub selects_by_rack: bool,
    /// Bytes a second to replicas that are held back, when there is a limit.
    pub leader_throttle: Option<u64>,
    /// Bytes a second that such replicas here take.
    pub follower_throttle: Option<u64>,
}

/// The selector that knows racks, by Kafka's name.
const BY_RACK: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

impl ClusterLimits {
    /// Reads the settings.
    pub fn of(layers: &Layers) -> Self {
        let number = |name: &str| layers.number(name).unwrap_or(0);
        let ms = |name: &str| Duration::from_millis(u64::try_from(number(name)).unwrap_or(0));
        let int = |name: &str| i32::try_from(number(name)).unwrap_or(i32::MAX);
        let rate = |name: &str| match layers.number(name) {
            Some(i64::MAX) | None => None,
            Some(rate) => u64::try_from(rate).ok(),
        };
        let seconds = u64::try_from(number("leader.imbalance.check.interval.seconds"));
        Self {
            heartbeat_interval: ms("broker.heartbeat.interval.ms"),
            session_timeout: ms("broker.session.timeout.ms"),
            election_timeout: ms("controller.quorum.fetch.timeout.ms"),
            lag_max: ms("replica.lag.time.max.ms"),
            fetch_wait: ms("replica.fetch.wait.max.ms"),
            fetch_bytes_min: int("replica.fetch.min.bytes"),
            fetch_partition_bytes_max: int("replica.fetch.max.bytes"),
            fetch_bytes_max: int("replica.fetch.response.max.bytes"),
            fetch_backoff: ms("replica.fetch.backoff.ms"),
            request_timeout: ms("request.timeout.ms"),
            rebalances_leaders: layers.flag("auto.leader.rebalance.enable"),
            imbalance_check: Duration::from_secs(seconds.unwrap_or(300)),
            controlled_shutdown: layers.flag("controlled.shutdown.enable"),
            selects_by_rack: layers.broker("replica.selector.class") == Some(BY_RACK),
            leader_throttle: rate("leader.replication.throttled.rate"),
            follower_throttle: rate("follower.replication.throttled.rate"),
        }
    }
}
