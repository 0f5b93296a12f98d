//! Load from several processes, on one machine or many, that meet through a
//! topic of a Kafka cluster.
//!
//! ```text
//! lead    call … enlist  ping … offsets  cell ──────── go ───────────── ends ───────── …  over
//! member    join              pong           ready        work  produced      report
//! ```
//!
//! The [`Lead`] makes each cell's topics and decides when it starts; a member
//! carries the workers whose numbers fall to it, of every workload of the cell, and
//! reports intervals of histograms and the verifier's ledgers, which the lead
//! merges as if one process had measured them. Where the cluster shares partitions
//! out, a partition may be read in several processes one after the other: what they
//! met of it adds up, and while they drain they tell each other how far they are.
//!
//! Invariants: nothing secret is posted; a member that is silent for
//! [`SILENCE`] ends the run with its name; all times that cross processes are of
//! the lead's clock, with an error that was measured.

mod board;
mod lead;
mod member;
mod merged;
mod message;
mod share;
mod verdict;

pub use board::Board;
pub use lead::{Lead, Summons};
pub use member::{Member, serve};

use crate::verify::Lanes;
use plimsoll_workloads::CellSpec;
use std::time::Duration;

/// The lanes of a cell that several processes carry.
const fn lanes(spec: &CellSpec) -> Lanes {
    Lanes {
        producers: spec.producer.count,
        partitions: spec.topic.partitions,
    }
}

/// The topic that a lead and its members meet on.
pub const CONTROL_TOPIC: &str = "plimsoll-control";
/// How often everybody says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The same while groups read up to the end and wait for each other.
const DRAIN_BEAT: Duration = Duration::from_millis(200);
/// After so long without a word somebody is taken for dead.
const SILENCE: Duration = Duration::from_secs(15);
/// How long members may take to come.
const JOIN: Duration = Duration::from_secs(60);
/// How long a member may take to prepare a cell.
const PREPARE: Duration = Duration::from_secs(60);
/// How long one look at the board waits for something new.
const LOOK: Duration = Duration::from_millis(100);
