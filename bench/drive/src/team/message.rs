//! What lead and members tell each other, as JSON.

use super::Board;
use crate::cell::CoresInSecond;
use crate::driver::{Consumed, Produced};
use crate::error::DriveError;
use crate::observe::Observed;
use crate::record::Interval;
use plimsoll_workloads::{Cell, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One message.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter {
    /// Which run it belongs to.
    pub session: String,
    /// Who posted it; empty for the lead.
    pub from: String,
    /// What it says.
    pub word: Word,
}

/// What a message says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum Word {
    /// The lead looks for members of its own version.
    Call { version: String },
    /// A member would like to work.
    Join { host: String },
    /// The lead has chosen; a member's number is its place.
    Enlist { members: Vec<String> },
    /// The lead's clock, in nanoseconds since the Unix epoch, as it asks.
    Ping { number: u32, asked: i64 },
    /// The member's clock as it got that, and as it answers.
    Pong {
        number: u32,
        asked: i64,
        got: i64,
        answered: i64,
    },
    /// By how many nanoseconds each member's clock is ahead of the lead's.
    Offsets { ahead: BTreeMap<String, i64> },
    /// A cell is set up.
    Cell(Box<Order>),
    /// A member is ready for it.
    Ready { cell: u32 },
    /// It starts, by the lead's clock.
    Go { cell: u32, start: i64 },
    /// A member's producers are done; how many records they handed over.
    Produced { cell: u32, sent: u64 },
    /// Where the partitions' logs end.
    Ends { cell: u32, ends: Vec<i64> },
    /// What a member measured.
    Report(Box<Report>),
    /// It is there, and so many records are acknowledged.
    Alive { acknowledged: u64 },
    /// A member cannot go on.
    Failed { reason: String },
    /// The cell, or the run, is given up.
    Abort { reason: String },
    /// The run is done.
    Over,
}

/// A cell to be carried.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// Its number in the session.
    pub number: u32,
    pub cell: Cell,
    pub run: Run,
    /// Addresses of the target.
    pub target: Vec<String>,
    /// The cell's topic.
    pub topic: String,
    /// Marks the cell's records.
    pub marking: u32,
}

/// What a member measured of a cell.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The cell's number.
    pub cell: u32,
    /// The reports of its producers, by their numbers.
    pub produced: Vec<(u32, Produced)>,
    /// Those of its consumers, by group.
    pub consumed: Vec<Vec<Consumed>>,
    /// Histograms and counts, by second.
    pub intervals: Vec<Interval>,
    /// What it used.
    pub observed: Observed,
    /// Records acknowledged in that time.
    pub observed_records: u64,
    /// The same by second.
    pub cores: Vec<CoresInSecond>,
}

impl Board {
    /// Posts a letter.
    pub fn send(&mut self, letter: &Letter) -> Result<(), DriveError> {
        let json = serde_json::to_vec(letter)
            .map_err(|error| DriveError::Input(format!("a message cannot be written: {error}")))?;
        self.post(&json)
    }

    /// The letters since the last look; what is none is passed over.
    pub fn letters(&mut self, wait: std::time::Duration) -> Result<Vec<Letter>, DriveError> {
        let messages = self.read(wait)?;
        Ok(messages
            .iter()
            .filter_map(|bytes| serde_json::from_slice(bytes).ok())
            .collect())
    }
}
