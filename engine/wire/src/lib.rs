//! Kafka's wire protocol, as far as it is bytes.
//!
//! - [`frame`] splits a stream into requests, [`header`] reads what precedes
//!   each body, [`api`] is the table of APIs, versions and shapes, and [`guard`]
//!   walks a body along its shape before anything is allocated for it.
//! - [`produce`] and [`fetch`] are coded by hand, both sides, so that records are
//!   never copied; control messages are left to `kafka-protocol`, behind the
//!   guard.
//! - [`mod@batch`] reads, checks, patches and builds record batches;
//!   [`compression`] is what they are packed with.
//! - [`scram`] is how a password is proven, both sides.
//! - [`types`], [`time`], [`topic`], [`leader`] and [`error_code`] are the words
//!   that the other crates share.
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
pub mod mutation;
pub mod produce;
pub mod read;
pub mod scram;
pub mod time;
pub mod topic;
pub mod types;
mod write;
