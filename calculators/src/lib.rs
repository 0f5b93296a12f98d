//! Sizing: one pure calculator each, from an `Input` to an [`Answer`].
//!
//! Arithmetic is exact; every assumed value carries where it came from; every
//! answer names what binds and the rules of the document that it bears on, and
//! where the document is off says both numbers and why. Nothing here reads a
//! file, prints, or knows the time.

pub mod answer;
pub mod batch;
pub mod brokers;
pub mod calibration;
pub mod choose;
pub mod compaction;
pub mod consumers;
pub mod cost;
pub mod curve;
pub mod disk;
mod error;
mod exact;
pub mod lag;
pub mod memory;
pub mod network;
pub mod offsets;
mod parameter;
pub mod partitions;
pub mod plan;
mod range;
pub mod rebalance;
pub mod registry;
pub mod retention;
pub mod simulate;
pub mod transactions;
mod unit;

pub use answer::Answer;
pub use error::InputError;
pub use exact::Exact;
pub use parameter::{Between, Parameter, Provenance};
pub use range::Range;
pub use unit::Unit;

#[cfg(test)]
mod tests;
