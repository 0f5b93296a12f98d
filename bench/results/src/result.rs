//! The result of a run: `result.json`.

use crate::{CellResult, Fingerprint, Floor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the layout of [`RunResult`]. Adding an optional field leaves it;
/// changing a meaning or a required field raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything a run found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The workload's name.
    pub name: String,
    /// The question that the workload answers, in its author's words.
    #[serde(default)]
    pub description: String,
    /// The exact command, one argument an element.
    #[serde(default)]
    pub command: Vec<String>,
    /// Hash of the expanded plan.
    #[serde(default)]
    pub plan_hash: String,
    /// The seed of every random choice.
    #[serde(default)]
    pub seed: u64,
    /// When the run began, RFC 3339 in UTC.
    #[serde(default)]
    pub started_at: String,
    /// When the last cell ended, RFC 3339 in UTC.
    #[serde(default)]
    pub finished_at: String,
    /// What was measured.
    #[serde(default)]
    pub target: Target,
    /// Where it was measured.
    #[serde(default)]
    pub fingerprint: Fingerprint,
    /// Ids of the document's rules that the workload bears on.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Paths of the parameters that the sweep varies, in the workload's order.
    /// When empty, readers derive it from the cells.
    #[serde(default)]
    pub varied: Vec<String>,
    /// Cells that the plan holds, repeats counted; more than `cells` when the
    /// run was cut short.
    #[serde(default)]
    pub planned_cells: u32,
    /// What the machine did at best before the first cell; empty where the
    /// brokers are not on this machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<Floor>,
    /// Findings about the run as a whole.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The cells, in the order they ran.
    pub cells: Vec<CellResult>,
}

/// What the load went to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Started by plimsoll, or found.
    pub kind: TargetKind,
    /// `HOST:PORT` of the bootstrap servers.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// The broker software as far as it tells: name and version.
    #[serde(default)]
    pub software: String,
    /// Number of brokers.
    #[serde(default)]
    pub nodes: u32,
    /// Cluster id as the broker reports it.
    #[serde(default)]
    pub cluster_id: String,
    /// How connections were secured, as in Kafka's `security.protocol`, with the
    /// SASL mechanism when there was one; empty when not known.
    #[serde(default)]
    pub security: String,
    /// The load generator's client: `native` or `librdkafka VERSION`.
    #[serde(default)]
    pub client: String,
}

impl Target {
    /// A short name for titles: the software when known, otherwise the kind.
    pub fn label(&self) -> &str {
        if !self.software.is_empty() {
            return &self.software;
        }
        match self.kind {
            TargetKind::Embedded => "embedded broker",
            TargetKind::External => self.addresses.first().map_or("external", String::as_str),
        }
    }
}

/// Who started the brokers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A child process of plimsoll.
    #[default]
    Embedded,
    /// Somebody else's cluster.
    External,
}

/// Something the audit noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable short name: `client_saturated`, `steal_time`.
    pub code: String,
    /// One sentence with the numbers.
    pub message: String,
}

/// How much a finding matters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// May have changed the numbers.
    Warning,
    /// The numbers must not be used.
    Invalid,
}

impl Default for RunResult {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            name: String::new(),
            description: String::new(),
            command: Vec::new(),
            plan_hash: String::new(),
            seed: 0,
            started_at: String::new(),
            finished_at: String::new(),
            target: Target::default(),
            fingerprint: Fingerprint::default(),
            rules: Vec::new(),
            varied: Vec::new(),
            planned_cells: 0,
            floors: Vec::new(),
            findings: Vec::new(),
            cells: Vec::new(),
        }
    }
}

impl RunResult {
    /// The value of one of the machine's floors, when it was measured.
    pub fn floor(&self, name: &str) -> Option<f64> {
        let floor = self.floors.iter().find(|floor| floor.name == name)?;
        Some(floor.value).filter(|value| value.is_finite() && *value > 0.0)
    }

    /// The current time as `started_at` and its kin hold it.
    pub fn timestamp() -> String {
        jiff::Timestamp::now()
            .round(jiff::Unit::Second)
            .unwrap_or_else(|_| jiff::Timestamp::now())
            .to_string()
    }

    /// Whether every planned cell ran.
    pub fn is_complete(&self) -> bool {
        self.cells.len() >= self.planned_cells as usize
    }

    /// Whether every cell is valid and lost nothing.
    pub fn is_sound(&self) -> bool {
        self.cells.iter().all(|c| c.valid && c.verified.is_clean())
            && self.findings.iter().all(|f| f.severity < Severity::Invalid)
    }
}
