//! What a run leaves behind: the result, its histograms, the machine it ran
//! on, and the statistics over repeats that every reader shares.
//!
//! A result is raw numbers with the unit in the name (`p99_us`,
//! `peak_memory_bytes`); nothing here formats for people. Everything that
//! draws, reports, gates or calibrates reads a [`RunResult`] and nothing else,
//! so this crate knows neither the driver nor the broker.
//!
//! On disk a run is a directory: `result.json` ([`RunResult`], replaced
//! atomically), `cells.jsonl` ([`Journal`], appended as cells finish) and one
//! `.hlog` per cell ([`HlogWriter`]) in the HdrHistogram log format.

mod cell;
mod drift;
mod error;
mod fault;
mod fingerprint;
mod floor;
mod groups;
mod histogram;
mod hlog;
mod interleaved;
mod journal;
mod latency;
mod mounts;
mod result;
mod revision;
pub mod scaling;
mod schema;
pub mod stats;
mod store;
mod workloads;

pub use cell::{
    Backlog, CellResult, ClientCapacity, Params, Poison, Probe, Rebalances, Resources, Search,
    Second, Throughput, Transactions, Usage, Verified, WorkerClock,
};
pub use drift::drift;
pub use error::ResultError;
pub use fault::{Dip, Fault};
pub use fingerprint::Fingerprint;
pub use floor::{Floor, FloorUnit};
pub use groups::{Group, Metric, groups, params_label, value_label, varied_params};
pub use histogram::{HIGHEST_NS, Histogram, Histograms, SIGNIFICANT_DIGITS};
pub use hlog::{HlogInterval, HlogWriter, read_hlog};
pub use interleaved::interleaved;
pub use journal::{JOURNAL_FILE, Journal};
pub use latency::{Latency, LatencyKind, LatencySummary};
pub use result::{Finding, RunResult, SCHEMA_VERSION, Severity, Target, TargetKind};
pub use schema::schema;
pub use store::{Loaded, RESULT_FILE, load, parse, save};
pub use workloads::{TOGETHER, WORKLOAD, WorkloadResult};
