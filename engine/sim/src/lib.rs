//! A deterministic world of broker nodes, clients and faults.
//!
//! Whole clusters of the broker's own code run over a disk in memory
//! ([`plimsoll_log::MemDisk`]), a network and clocks that exist only here. A
//! seed decides everything: [`Sim::run`] gives the same [`Report`], hash of its
//! trace included, for the same seed and plan, on any machine.
//!
//! # What can go wrong
//!
//! - **Network** ([`world::network`]): latency, loss and retransmission,
//!   resets, cuts in one direction or both. What can happen is what can happen
//!   with TCP: on a connection nothing is reordered or doubled, between
//!   connections everything is.
//! - **Processes** ([`world::node`]): killed, stopped in good order, paused and
//!   let go on.
//! - **Disks**: power loss with any part of what was not synced gone or torn,
//!   full disks, failing writes and syncs, slow disks.
//! - **Clocks**: the wall clock of a node jumps; the monotonic one does not.
//!
//! [`faults`] says when, and which limits keep the checks to what is promised.
//!
//! # What must hold
//!
//! [`checkers`] has one file for each promise. Checkers judge [`facts`] alone:
//! what clients were told and what readers saw.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod checkers;
pub mod clients;
pub mod facts;
pub mod faults;
pub mod plan;
pub mod world;

mod dice;
mod ledger;
mod moment;
mod narrator;
mod sim;
mod tally;
mod tasks;
mod trace;

pub use dice::Dice;
pub use moment::Moment;
pub use plan::{Plan, Recipe};
pub use sim::{Report, Sim, run_caught};
pub use tally::Tally;
pub use trace::TraceHash;
