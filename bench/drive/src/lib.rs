//! Load generation and measurement over the wire.
//!
//! [`cell::run_cell`] runs one cell of a plan: it makes a fresh topic, starts
//! the workers of a [`driver::Driver`], measures, verifies and judges. It talks
//! to a broker over the network only, so the same code drives the embedded
//! engine and any Kafka cluster.
//!
//! A record has four times: *intended* by the schedule, *handed off* to the
//! client, *acknowledged* and *consumed*. Latency counts from the intended time,
//! and the schedule is never re-based, so a stall shows in full. All times are
//! of one machine's monotonic clock ([`clock`]).

pub mod access;
pub mod admin;
pub mod audit;
pub mod cell;
pub mod clock;
pub mod clock_bound;
mod dead_letters;
pub mod driver;
pub mod error;
pub mod feed;
pub mod labour;
pub mod librdkafka;
pub mod native;
pub mod observe;
pub mod partitioner;
pub mod record;
pub mod relay;
pub mod search;
pub mod shared_group;
pub mod team;
pub mod verify;

pub use error::DriveError;
