//! The workload language: what a person may write, and what it means.
//!
//! A workload is a TOML file. Each leaf is a setting with a dotted path such as
//! `producer.acks`; a list on a sweepable setting is an axis of the sweep.
//! Every value has one text form, so the file, `--set` and the stored plan
//! agree. Nothing is guessed: an unknown path, a value outside its range and
//! settings that contradict each other are refused, each with the line, the
//! value and what would be accepted.

mod arrivals;
mod call;
mod cell;
mod choices;
mod compression;
mod contradictions;
mod document;
mod faults;
mod fields;
mod gate;
mod keys;
mod problem;
mod rates;
mod reference;
mod run;
mod schema;
mod several;
mod sizes;
mod sources;
mod spec;
mod suggest;

pub use arrivals::ArrivalSpec;
pub use cell::{
    CellSpec, ClusterSpec, ConsumerSpec, LoadSpec, PayloadSpec, PoisonSpec, ProducerSpec,
    RecordSpec, SearchSpec, TopicSpec, TransactionSpec,
};
pub use choices::{
    Acks, Assignor, CutDirection, DriverKind, FaultKind, GroupProtocol, Isolation, PoisonEnd,
    TransactionMode,
};
pub use compression::{Codec, Compression};
pub(crate) use contradictions::{Contradiction, contradictions};
pub use faults::{FAULTS_MAX, FaultSpec};
pub use fields::{Configs, Field};
pub(crate) use fields::{Params, UNSET};
pub use gate::{GateMetric, GateMetrics, GateSpec, Watched};
pub use keys::KeySpec;
pub use problem::{Problem, SpecError};
pub use rates::RateSpec;
pub use reference::reference;
pub use run::{Fraction, RunSpec};
pub(crate) use several::setting;
pub use several::{TOGETHER, WORKLOAD, WorkloadSpec};
pub use sizes::SizeSpec;
pub use sources::{Source, Split};
pub use spec::{Axis, Spec};
