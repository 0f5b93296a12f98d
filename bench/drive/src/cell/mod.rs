//! Running one cell of a plan: a fresh topic, workers, measurement, verdict.

mod conduct;
mod conductor;
mod ends;
mod faults;
mod outcome;
mod prefill;
mod processors;
mod progress;
mod run;
mod settings;
mod several;
mod stage;
mod together;
mod workers;

pub(crate) use conduct::{Assignment, Conducted, Ends};
pub use faults::Rig;
pub(crate) use outcome::{CoresInSecond, Measured, judge, observed_bytes};
pub use progress::{Interrupt, Options, Phase, Progress, Pulse};
pub(crate) use run::{Bench, Finished, histogram_log, run_at_its_rate};
pub use run::{Target, reach, run_cell};
pub use settings::describe_client;
pub(crate) use settings::{check, has_dead_letters, target_rate};
pub(crate) use stage::{alone, on_fresh_topics};
pub(crate) use together::merge;
pub(crate) use workers::Share;

/// What [`reach`] found at the other end.
pub use crate::native::control::ClusterInfo;
