//! The workload language and the load it describes.
//!
//! From a TOML file to a [`Spec`] (every value read and checked), to a
//! [`Plan`] (every cell of the sweep, hashed, in its order of running), to the
//! generators that a driver asks for send times, keys and values.
//!
//! Everything here is a function of the workload, its input files and its
//! seed: no clock, no threads, no unseeded randomness. Files are read while
//! planning and before a run, never during it.

pub mod generate;
pub mod language;
pub mod orders;
pub mod plan;
pub mod shipped;

pub use language::{CellSpec, Problem, Spec, SpecError};
pub use plan::{Cell, CellId, Plan, Run};
pub use plimsoll_units as units;
pub use plimsoll_units::TextError;
