//! Running one cell of a plan: a fresh topic, workers, measurement, verdict.

mod outcome;
mod prefill;
mod run;
mod settings;
mod workers;

pub(crate) use run::run_at_its_rate;
pub use run::{Interrupt, Options, Phase, Progress, Target, reach, run_cell};
pub use settings::describe_client;

/// What [`reach`] found at the other end.
pub use crate::native::control::ClusterInfo;
