//! One measured cell: one point of the sweep, run once.

use crate::{Fault, Latency, LatencySummary, WorkloadResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The parameters of a cell by their path in the workload file
/// (`producer.acks`, `topic.partitions`), with the values as written there.
pub type Params = BTreeMap<String, serde_json::Value>;

/// What one run of one cell measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellResult {
    /// The content hash that the plan gave this cell.
    pub id: String,
    /// The cell's parameters. Cells with equal parameters are repeats.
    pub params: Params,
    /// Which repeat of these parameters, from 0.
    #[serde(default)]
    pub repeat: u32,
    /// Which randomised block the cell ran in. Cells of one block ran close
    /// together and are compared with each other.
    #[serde(default)]
    pub block: u32,
    /// When the measured window began, RFC 3339 in UTC.
    #[serde(default)]
    pub started_at: String,
    /// Records and bytes acknowledged and consumed per second.
    pub throughput: Throughput,
    /// The latency distributions; absent ones were not recorded.
    pub latency: Latency,
    /// What broker and client used.
    #[serde(default)]
    pub resources: Resources,
    /// What became of every record.
    pub verified: Verified,
    /// Transactions in the measured window; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Transactions>,
    /// What became of records that no consumer could process; absent where
    /// there were none to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poison: Option<Poison>,
    /// How far each subscription was behind; empty without consumers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backlog: Vec<Backlog>,
    /// How partitions moved between consumers; absent where nothing could move
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalances: Option<Rebalances>,
    /// The workloads that ran at once, when there were several. All else in this
    /// cell is of all of them together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadResult>,
    /// How the cell's rate was searched for; absent where it was given. All
    /// else in this cell is of the rate that was held in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// What the client can send at all with these settings; absent where that
    /// was not in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_capacity: Option<ClientCapacity>,
    /// The processes that carried the load, when there were several, and how
    /// well their clocks are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<WorkerClock>,
    /// Records in each partition's log at the end of the cell, warm-up included;
    /// empty where there are more partitions than are worth keeping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_records: Vec<u64>,
    /// Whether the measurement may be used for a verdict.
    pub valid: bool,
    /// Why it may not. Empty exactly when `valid`.
    #[serde(default)]
    pub invalid_reasons: Vec<String>,
    /// One entry per second of the measured window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Second>,
    /// Faults that the workload caused on purpose, in the order of their begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// The cell's `.hlog` file, relative to the result's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram_file: Option<String>,
}

/// A worker's clock against that of the process that led the run. What passes
/// between two workers, such as end-to-end latency, is off by at most the sum of
/// their bounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerClock {
    /// The worker's name.
    pub worker: String,
    /// By how much its clock was found to be ahead; taken out of all times.
    pub ahead_us: f64,
    /// How far off that may be.
    pub bound_us: f64,
}

/// The cell's producers against a sink that answers at once and keeps nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientCapacity {
    /// Records acknowledged per second, as fast as the client can.
    pub records_per_s: f64,
    /// CPU time of the client for each of them.
    pub cpu_nanos_per_record: f64,
}

/// Rates over the measured window, without warm-up and drain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Throughput {
    /// Records acknowledged per second (handed to the socket when acks = 0);
    /// records consumed in a cell without producers.
    pub records_per_s: f64,
    /// Bytes of keys and values of those records, before compression.
    pub bytes_per_s: f64,
    /// The rate asked for; absent when the load was "as fast as possible".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_records_per_s: Option<f64>,
    /// Records consumed per second, summed over groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumed_records_per_s: Option<f64>,
    /// Bytes consumed per second, summed over groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumed_bytes_per_s: Option<f64>,
    /// Length of the measured window; in a cell without producers it ends when
    /// everything is read.
    #[serde(default)]
    pub window_s: f64,
    /// Uncompressed bytes per byte of record batches sent; 1 without compression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression_ratio: Option<f64>,
    /// Records per produce batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_per_batch: Option<f64>,
}

impl Usage {
    /// Adds what another process used at the same time.
    pub fn absorb(&mut self, other: &Self) {
        fn add<T: std::ops::AddAssign + Copy>(own: &mut Option<T>, its: Option<T>) {
            match (own.as_mut(), its) {
                (Some(own), Some(its)) => *own += its,
                (None, its) => *own = its,
                (Some(_), None) => {}
            }
        }
        self.cpu_seconds += other.cpu_seconds;
        add(&mut self.cpu_user_seconds, other.cpu_user_seconds);
        add(&mut self.cpu_system_seconds, other.cpu_system_seconds);
        add(&mut self.disk_written_bytes, other.disk_written_bytes);
        add(&mut self.disk_read_bytes, other.disk_read_bytes);
        self.peak_memory_bytes += other.peak_memory_bytes;
    }
}

/// What the run cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// The broker's processes; absent when they could not be observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<Usage>,
    /// The load generator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Usage>,
    /// CPU seconds that the hypervisor took from this machine in the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_seconds: Option<f64>,
    /// Bytes of the topic's files at the end of the cell, all replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_disk_bytes: Option<u64>,
}

/// One side's use of the machine over the measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// User and system CPU time.
    pub cpu_seconds: f64,
    /// Of which user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_user_seconds: Option<f64>,
    /// Of which system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_system_seconds: Option<f64>,
    /// CPU seconds per 10⁹ uncompressed bytes acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds_per_gb: Option<f64>,
    /// Largest resident set seen.
    pub peak_memory_bytes: u64,
    /// Bytes written to storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_written_bytes: Option<u64>,
    /// Bytes read from storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_read_bytes: Option<u64>,
}

/// Transactions that ended in the measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transactions {
    /// Committed.
    pub committed: u64,
    /// Aborted, as the workload wanted.
    pub aborted: u64,
    /// Committed, per second.
    pub commits_per_s: f64,
    /// Records of aborted transactions, over the whole cell.
    pub records_aborted: u64,
}

/// Records that no consumer could process, over the whole cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Poison {
    /// Met, by all groups together.
    pub met: u64,
    /// Further tries.
    pub retries: u64,
    /// Sent to the dead letters and acknowledged.
    pub dead_lettered: u64,
    /// Passed over.
    pub skipped: u64,
    /// Dead letters found in their topic at the end; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_dead_letters: Option<u64>,
}

/// How far one subscription (a group of consumers) was behind the producers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backlog {
    /// Which group, from 0.
    pub group: u32,
    /// Records a second by which it fell behind over the measured window, by
    /// least squares; negative when it caught up.
    pub slope_records_per_s: f64,
    /// The most that it was behind at any time.
    pub peak_records: u64,
    /// How far it was behind when the window ended.
    pub end_records: u64,
    /// Seconds from its start until it was no more than a hundredth of the peak
    /// behind; absent when it never was, or never fell far behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught_up_s: Option<f64>,
}

/// How the cluster moved partitions between the consumers of groups, within the
/// measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rebalances {
    /// How often a consumer was told anew which partitions are its own.
    pub assignments: u64,
    /// How long partitions were nobody's: from being given up by one consumer to
    /// being given to the next, which may be the same. Absent when none moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<LatencySummary>,
}

/// A search for the highest rate at which the objectives hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Search {
    /// The highest rate that held, in records a second.
    pub records_per_s: f64,
    /// The lowest rate above it that failed; with it the interval that holds
    /// the maximum. Absent when none failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<f64>,
    /// Whether the rate was held for the full time.
    pub confirmed: bool,
    /// The objective for the 99th percentile of the response.
    pub objective_us: f64,
    /// What failed at the lowest rate that failed.
    #[serde(default)]
    pub limited_by: Vec<String>,
    /// Every rate tried, in order. Their samples are in no other number.
    #[serde(default)]
    pub probes: Vec<Probe>,
}

/// One rate that a search tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The rate asked for.
    pub records_per_s: f64,
    /// The rate acknowledged.
    pub achieved: f64,
    /// 99th percentile of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
    /// The steepest backlog of all groups, in records a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog_slope: Option<f64>,
    /// Whether this was a confirming hold.
    pub hold: bool,
    /// Why it failed; empty when it passed.
    #[serde(default)]
    pub failed: Vec<String>,
}

/// The ledger of the run's records. Records of transactions that were aborted
/// on purpose are counted apart, in [`Transactions`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// Handed to the client.
    pub sent: u64,
    /// Acknowledged without error.
    pub acknowledged: u64,
    /// Read back.
    pub consumed: u64,
    /// Acknowledged and not read back after the drain.
    pub lost: u64,
    /// Read more than once by one group.
    pub duplicated: u64,
    /// Read after a later record of the same producer and partition.
    pub reordered: u64,
    /// Read with a checksum other than the one sent.
    pub corrupt: u64,
    /// Read although their transaction was aborted.
    #[serde(default)]
    pub aborted_read: u64,
    /// Sends that ended in an error.
    #[serde(default)]
    pub errors: u64,
    /// Whether anything was read back at all; without it nothing is proven.
    #[serde(default)]
    pub consumer_ran: bool,
    /// The workload caused faults, and what they did to the records is no more
    /// than its settings allow: acks = 1 may lose some, for example.
    #[serde(default)]
    pub within_promise: bool,
}

impl Verified {
    /// Whether no fault was found.
    pub const fn is_clean(&self) -> bool {
        self.lost == 0
            && self.duplicated == 0
            && self.reordered == 0
            && self.corrupt == 0
            && self.aborted_read == 0
    }

    /// Whether something became of the records that should never have.
    pub const fn is_faulty(&self) -> bool {
        !self.is_clean() && !self.within_promise
    }
}

/// One second of the measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// Seconds since the window began, of this interval's start.
    pub second: u32,
    /// Records acknowledged in this second.
    pub records: u64,
    /// Uncompressed bytes acknowledged in this second.
    #[serde(default)]
    pub bytes: u64,
    /// Median response latency; absent when nothing was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<f64>,
    /// 99th percentile of response latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
    /// 99.9th percentile of response latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999_us: Option<f64>,
    /// Largest response latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_us: Option<f64>,
    /// Sends that failed in this second.
    #[serde(default)]
    pub errors: u64,
    /// Records consumed in this second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumed: Option<u64>,
    /// Acknowledged and not yet consumed at the end of this second, by the group
    /// that was furthest behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_records: Option<u64>,
    /// Times that a consumer was told anew which partitions are its own, in this
    /// second; absent where nothing could move them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalances: Option<u64>,
    /// Bytes of the topic's files at the end of this second, all replicas; absent
    /// where the cluster does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Broker CPU in this second, 1.0 = one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker_cpu_cores: Option<f64>,
    /// Client CPU in this second, 1.0 = one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cpu_cores: Option<f64>,
}

impl Throughput {
    /// Rates of `records` and `bytes` acknowledged in `window_s` seconds.
    /// An empty window gives rates of zero, not infinity.
    pub fn over_window(records: u64, bytes: u64, window_s: f64) -> Self {
        let per_second = |amount: u64| {
            if window_s > 0.0 {
                amount as f64 / window_s
            } else {
                0.0
            }
        };
        Self {
            records_per_s: per_second(records),
            bytes_per_s: per_second(bytes),
            window_s,
            ..Self::default()
        }
    }
}

impl Usage {
    /// Fills `cpu_seconds_per_gb` for `bytes` uncompressed bytes acknowledged;
    /// leaves it absent when there were none.
    #[must_use]
    pub fn per_bytes(mut self, bytes: u64) -> Self {
        self.cpu_seconds_per_gb = (bytes > 0).then(|| self.cpu_seconds / (bytes as f64 / 1e9));
        self
    }
}
