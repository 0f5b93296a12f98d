//! What the machine does at best when nothing else is asked of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One floor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Floor {
    /// A stable short name: [`Floor::ROUND_TRIP_P50`] and its kin.
    pub name: String,
    /// What was measured.
    pub value: f64,
    /// The value's unit.
    pub unit: FloorUnit,
    /// What was done.
    pub how: String,
}

/// The unit of a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FloorUnit {
    /// Bytes per second, more is better.
    BytesPerSecond,
    /// Microseconds, less is better.
    Microseconds,
}

impl Floor {
    /// Writes to the end of a file that are not forced to the disk.
    pub const APPEND: &'static str = "disk append";
    /// Median of a small durable write.
    pub const FSYNC_P50: &'static str = "fsync p50";
    /// 99th percentile of the same.
    pub const FSYNC_P99: &'static str = "fsync p99";
    /// Median of a small message there and back over the loopback.
    pub const ROUND_TRIP_P50: &'static str = "round trip p50";
    /// 99th percentile of the same.
    pub const ROUND_TRIP_P99: &'static str = "round trip p99";
    /// Median of the time from a thread's call until it runs, when calls are few.
    pub const CALL_P50: &'static str = "call p50";
    /// 90th percentile of the same.
    pub const CALL_P90: &'static str = "call p90";
    /// 99th percentile of the same.
    pub const CALL_P99: &'static str = "call p99";
    /// 99.9th percentile of the same.
    pub const CALL_P999: &'static str = "call p99.9";
    /// Batches over the loopback.
    pub const LOOPBACK: &'static str = "loopback";
}
