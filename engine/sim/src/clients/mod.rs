//! Clients that speak the wire as real ones do: each actor is one machine with
//! one connection a node, looks leaders and coordinators up, retries what may
//! be retried, and tells the checkers what it was told.

mod batches;
mod directory;
mod link;
mod txn_wire;
mod working;

pub mod admin;
pub mod classic;
pub mod compacting;
pub mod consumer;
pub mod moving;
pub mod once;
pub mod plain;
pub mod progress;
pub mod reader;
pub mod transactional;

pub use link::Client;
