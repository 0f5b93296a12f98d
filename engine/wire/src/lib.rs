//! Kafka's wire protocol, as far as it is bytes: frames, the guard that walks
//! a request before anything is allocated for it, the table of APIs, error
//! codes and record batches.
//!
//! This crate does no I/O and keeps no state between calls. Bytes that come
//! from outside never panic here: every length is checked against the bytes
//! that are present before it is believed.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]
#![deny(missing_docs)]

pub mod api;
pub mod batch;
pub mod compression;
pub mod error_code;
pub mod fetch;
pub mod frame;
pub mod guard;
pub mod header;
pub mod leader;
pub mod produce;
pub mod read;
pub mod time;
pub mod topic;
pub mod types;
mod write;
