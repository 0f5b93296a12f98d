//! What was measured on the user's own machines, in the calculators' terms.
//!
//! [`Calibration::of`] reads runs and nothing else; [`Calibration`] is the file
//! that `plimsoll size --calibration` uses. Every value keeps the run, the
//! settings and the number of repeats it rests on, and becomes a
//! [`Parameter`] whose provenance says so. Cells that are not valid are never
//! used. What could not be fitted is listed with the reason, so that nothing is
//! missing in silence.

mod cells;
mod check;
mod costs;
mod limits;

pub use check::{Held, HoldBack, hold_back};

use crate::error::InputError;
use crate::parameter::{Between, Parameter, Provenance};
use cells::Cells;
use plimsoll_results::RunResult;
use plimsoll_results::scaling::{Fit, Law, Sample};
use plimsoll_units::{ByteRate, Rate, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the layout of [`Calibration`].
pub const CALIBRATION_VERSION: u32 = 1;

/// Everything that the runs say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// [`CALIBRATION_VERSION`] of the writer.
    pub version: u32,
    /// Where it was measured.
    pub machine: Machine,
    /// The runs, each with its valid cells.
    pub runs: Vec<String>,
    /// Uncompressed bytes a second that one partition takes.
    pub partition_bytes: Option<Measured>,
    /// Records a second that one partition takes.
    pub partition_records: Option<Measured>,
    /// Bytes a second that one broker appends, for all replicas it holds.
    pub broker_writes: Option<Measured>,
    /// Bytes a second that one broker sends to consumers.
    pub broker_reads: Option<Measured>,
    /// Records a second that one broker takes from producers.
    pub broker_records: Option<Measured>,
    /// What a batch and a byte cost the broker's CPU.
    pub broker_cpu: Option<CpuCost>,
    /// Records a second that one consumer reads.
    pub consumer_records: Option<Measured>,
    /// How many times smaller the user's records get, by codec.
    pub codecs: BTreeMap<String, Measured>,
    /// What acks=all adds to acks=1.
    pub acks: Option<AcksCost>,
    /// Seconds that committing a transaction takes.
    pub commit_seconds: Option<Measured>,
    /// How throughput scales.
    pub scaling: Vec<Scaling>,
    /// What could not be fitted, and why.
    pub left_out: Vec<String>,
}

/// The machine of a calibration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The fingerprint's hash.
    pub hash: String,
    /// Its processor.
    pub cpu_model: String,
    /// Its hardware threads.
    pub logical_cores: u32,
    /// Its memory.
    pub memory_bytes: u64,
}

/// A measured value and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The least of the repeats.
    pub low: f64,
    /// Their median.
    pub mid: f64,
    /// The most.
    pub high: f64,
    /// The run.
    pub run: String,
    /// The settings.
    pub at: String,
    /// Repeats.
    pub n: u32,
}

/// CPU seconds of a broker: so much for a batch, and so much for each byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CpuCost {
    /// For a batch, whatever its size.
    pub seconds_per_batch: f64,
    /// Requests that it made: the producer's, and a fetch by each group.
    #[serde(default = "one_request")]
    pub requests_per_batch: f64,
    /// For a byte, uncompressed.
    pub seconds_per_byte: f64,
    /// The smallest batch measured, in bytes.
    pub smallest_batch: f64,
    /// The largest batch measured, in bytes.
    pub largest_batch: f64,
    /// The run.
    pub run: String,
    /// Cells.
    pub n: u32,
}

/// Microseconds that acks=all takes longer than acks=1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcksCost {
    /// At the median. May be below zero when the two are not told apart.
    pub p50_us: Measured,
    /// At the 99th percentile.
    pub p99_us: Measured,
}

/// How throughput scales with one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// The setting: `topic.partitions`.
    pub setting: String,
    /// What was held fixed.
    pub at: String,
    /// The run.
    pub run: String,
    /// The law that fits best; [`Scaling::fit`] gives its intervals.
    pub law: Law,
    /// Records a second of every run.
    pub samples: Vec<Sample>,
}

impl Scaling {
    /// The law with its intervals: the same for the same runs.
    pub fn fit(&self) -> Result<Fit, InputError> {
        Fit::of(&self.samples).map_err(|error| InputError::Calibration {
            reason: format!("{} of {}: {error}", self.setting, self.run),
        })
    }
}

impl Calibration {
    /// Fits everything that `runs` allow. Refuses runs of different machines.
    pub fn of(runs: &[RunResult]) -> Result<Self, InputError> {
        let first = runs.first().ok_or_else(|| refuse("there is no run"))?;
        let machine = &first.fingerprint;
        if let Some(other) = runs.iter().find(|run| run.fingerprint.hash != machine.hash) {
            return Err(refuse(format!(
                "{} ran on machine {}, {} on {}",
                first.name, machine.hash, other.name, other.fingerprint.hash
            )));
        }
        if machine.hash.is_empty() {
            return Err(refuse(format!(
                "{} does not say which machine it ran on",
                first.name
            )));
        }
        let cells = Cells::of(runs);
        if cells.is_empty() {
            return Err(refuse("no cell of these runs is valid"));
        }
        let mut found = Self {
            version: CALIBRATION_VERSION,
            machine: Machine {
                hash: machine.hash.clone(),
                cpu_model: machine.cpu_model.clone(),
                logical_cores: machine.logical_cores,
                memory_bytes: machine.memory_bytes,
            },
            runs: runs.iter().map(describe).collect(),
            partition_bytes: None,
            partition_records: None,
            broker_writes: None,
            broker_reads: None,
            broker_records: None,
            broker_cpu: None,
            consumer_records: None,
            codecs: BTreeMap::new(),
            acks: None,
            commit_seconds: None,
            scaling: Vec::new(),
            left_out: Vec::new(),
        };
        limits::fit(&cells, &mut found);
        costs::fit(&cells, &mut found);
        Ok(found)
    }

    /// Reads a calibration file. Refuses unknown versions and fields.
    pub fn from_json(text: &str) -> Result<Self, InputError> {
        let found: Self = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        if found.version != CALIBRATION_VERSION {
            return Err(refuse(format!(
                "version {}, this plimsoll reads {CALIBRATION_VERSION}",
                found.version
            )));
        }
        Ok(found)
    }

    /// The law of a setting.
    pub fn scaling_of(&self, setting: &str) -> Option<&Scaling> {
        self.scaling
            .iter()
            .find(|scaling| scaling.setting == setting)
    }

    /// The ratio of a codec on the user's records.
    pub fn ratio(&self, codec: &str) -> Option<Parameter<Between<f64>>> {
        let measured = self.codecs.get(codec)?;
        Some(measured.parameter(|value| Some(value.max(1.0)), |ratio| format!("{ratio:.3}")))?
    }
}

const fn one_request() -> f64 {
    1.0
}

impl CpuCost {
    /// CPU time of a request, whatever its size: those of a batch are taken to cost
    /// the same.
    pub fn per_request(&self) -> Parameter<Span> {
        let seconds = self.seconds_per_batch / self.requests_per_batch.max(1.0);
        Parameter {
            value: Span::from_nanos((seconds * 1e9).round() as u64),
            ..self.per_gb(1)
        }
    }

    /// CPU time of 10^9 bytes in batches of `batch` bytes.
    pub fn per_gb(&self, batch: u64) -> Parameter<Span> {
        let seconds = (self.seconds_per_batch / batch.max(1) as f64 + self.seconds_per_byte) * 1e9;
        Parameter {
            value: Span::from_nanos((seconds * 1e9).round() as u64),
            provenance: Provenance::Measured {
                run: self.run.clone(),
                interval: format!(
                    "batches of {:.0} to {:.0} bytes",
                    self.smallest_batch, self.largest_batch
                ),
                n: self.n,
            },
        }
    }
}

impl Measured {
    /// As a rate of records.
    pub fn rate(&self) -> Option<Parameter<Between<Rate>>> {
        let whole = |value: f64| Rate::from_per_second(value.round());
        self.parameter(whole, |value| format!("{value:.0}/s"))
    }

    /// As a rate of bytes.
    pub fn byte_rate(&self) -> Option<Parameter<Between<ByteRate>>> {
        let whole = |value: f64| ByteRate::from_bytes_per_second(value.round() as u64);
        self.parameter(whole, |value| format!("{:.1} MB/s", value / 1e6))
    }

    /// Microseconds as lengths of time, nothing for what is below zero.
    pub fn micros(&self) -> Option<Parameter<Between<Span>>> {
        self.parameter(
            |micros| Some(Span::from_nanos((micros.max(0.0) * 1e3).round() as u64)),
            |micros| format!("{:.3} ms", micros / 1e3),
        )
    }

    /// The median, given in seconds, as a length of time.
    pub fn span(&self) -> Option<Parameter<Span>> {
        let nanos = |seconds: f64| (seconds * 1e9).round().max(0.0) as u64;
        let between = self.parameter(
            |seconds| Some(Span::from_nanos(nanos(seconds))),
            |seconds| format!("{:.3} ms", seconds * 1e3),
        )?;
        Some(Parameter {
            value: Span::from_nanos(nanos(self.mid)),
            provenance: between.provenance,
        })
    }

    fn parameter<T>(
        &self,
        quantity: impl Fn(f64) -> Option<T>,
        show: impl Fn(f64) -> String,
    ) -> Option<Parameter<Between<T>>> {
        let (low, high) = (quantity(self.low)?, quantity(self.high)?);
        let interval = format!("{} to {}", show(self.low), show(self.high));
        Some(Parameter {
            value: Between::new(low, high),
            provenance: Provenance::Measured {
                run: self.run.clone(),
                interval,
                n: self.n,
            },
        })
    }
}

fn describe(run: &RunResult) -> String {
    let valid = run.cells.iter().filter(|cell| cell.valid).count();
    let day = run.started_at.get(..10).unwrap_or("an unknown day");
    format!(
        "{} of {day}: {valid} of {} cells valid",
        run.name,
        run.cells.len()
    )
}

fn refuse(reason: impl Into<String>) -> InputError {
    InputError::Calibration {
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests;
