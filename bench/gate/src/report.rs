//! What a gate leaves behind: `gate.json`.

use crate::judge::Verdict;
use crate::weigh::Outcome;
use plimsoll_results::Fingerprint;
use serde::{Deserialize, Serialize};

/// Version of the layout of [`GateReport`].
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that a gate found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The workload, or what was compared.
    pub name: String,
    /// What A was, in words.
    pub a: String,
    /// What B was.
    pub b: String,
    /// How values were compared.
    pub method: Method,
    /// The largest probability of a false alarm.
    pub alpha: f64,
    /// Pairs that were to be run at most; those given where they were stored.
    pub pairs_planned: usize,
    /// Why it ended when it did.
    pub ended: Ended,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// How long it took.
    pub seconds: f64,
    /// The exact command, one argument an element.
    pub command: Vec<String>,
    /// Where it ran.
    pub fingerprint: Fingerprint,
    /// What it found.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Every metric's values.
    pub series: Vec<Series>,
    /// Pairs that did not count.
    pub discarded: Vec<Discarded>,
    /// Records that B lost or damaged and A did not: a failure of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<String>,
    /// What else a reader of the verdict must know, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How values were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Runs close together in time, in random order.
    Pairs,
    /// Results stored at different times, each one value.
    Groups,
}

/// Why a gate ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// All pairs were run.
    Complete,
    /// A look found a clear failure.
    ClearFailure,
    /// Its time was up.
    TimeBudget,
    /// The user stopped it.
    Stopped,
    /// Too many pairs did not count.
    Unmeasurable,
    /// B lost or damaged records.
    Damage,
}

/// One metric's values in the order in which they were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// Its values in A.
    pub a: Vec<f64>,
    /// Its values in B.
    pub b: Vec<f64>,
}

/// A pair that did not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    /// Which side could not be used: `a`, `b`, or both as `a, b`.
    pub side: String,
    /// Why.
    pub reason: String,
}

impl GateReport {
    /// The verdict of everything together.
    pub fn verdict(&self) -> Verdict {
        match (self.damage.is_empty(), self.ended) {
            (false, _) => Verdict::Fail,
            (true, Ended::Stopped | Ended::Unmeasurable) => Verdict::Inconclusive,
            (true, _) => self.outcome.verdict,
        }
    }
}
