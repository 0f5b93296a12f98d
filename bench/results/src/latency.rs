//! The distributions of latency that a cell has, in numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The distributions of one record's life, and of its transaction's end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Intended send time to acknowledgement: the headline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<LatencySummary>,
    /// Hand-off to the client until acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<LatencySummary>,
    /// Intended send time to hand-off: the load generator's own lateness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_lag: Option<LatencySummary>,
    /// The most by which `end_to_end` may be off because its two times are of
    /// different clocks; 0 where producers and consumers read the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_bound_us: Option<f64>,
    /// Intended send time to consumption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_to_end: Option<LatencySummary>,
    /// Asking for a commit, all records acknowledged, until the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<LatencySummary>,
    /// Asking for a commit until a `read_committed` consumer reads a record of
    /// the transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<LatencySummary>,
}

impl Latency {
    /// One of them.
    pub fn get(&self, kind: LatencyKind) -> Option<&LatencySummary> {
        match kind {
            LatencyKind::Response => self.response.as_ref(),
            LatencyKind::Service => self.service.as_ref(),
            LatencyKind::ScheduleLag => self.schedule_lag.as_ref(),
            LatencyKind::EndToEnd => self.end_to_end.as_ref(),
            LatencyKind::Commit => self.commit.as_ref(),
            LatencyKind::Visibility => self.visibility.as_ref(),
        }
    }
}

/// Names the distributions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LatencyKind {
    /// Intended → acknowledged.
    Response,
    /// Handed off → acknowledged.
    Service,
    /// Intended → handed off.
    ScheduleLag,
    /// Intended → consumed.
    EndToEnd,
    /// Commit asked for → answered.
    Commit,
    /// Commit asked for → record read.
    Visibility,
}

impl LatencyKind {
    /// All of them, headline first.
    pub const ALL: [Self; 6] = [
        Self::Response,
        Self::Service,
        Self::ScheduleLag,
        Self::EndToEnd,
        Self::Commit,
        Self::Visibility,
    ];

    /// The name in `result.json` and the tag in a histogram log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Service => "service",
            Self::ScheduleLag => "schedule_lag",
            Self::EndToEnd => "end_to_end",
            Self::Commit => "commit",
            Self::Visibility => "visibility",
        }
    }
}

/// One distribution in numbers. Percentiles come from one merged histogram;
/// they are never averaged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencySummary {
    /// Values recorded.
    pub count: u64,
    /// Smallest value.
    #[serde(default)]
    pub min_us: f64,
    /// Mean.
    pub mean_us: f64,
    /// Median.
    pub p50_us: f64,
    /// 90th percentile.
    pub p90_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// 99.9th percentile.
    pub p999_us: f64,
    /// Largest value.
    pub max_us: f64,
    /// Values at or below zero, which only a clock fault or a clock's
    /// resolution can produce. They are in `count`, as zero.
    #[serde(default)]
    pub not_positive: u64,
    /// Values above the histogram's range, counted at its end.
    #[serde(default)]
    pub clamped: u64,
    /// `[percentile, microseconds]` along the distribution, denser towards the
    /// tail and no finer than the count resolves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spectrum: Vec<(f64, f64)>,
}
