//! What lead and members tell each other, as JSON.

use super::Board;
use crate::cell::CoresInSecond;
use crate::driver::{Consumed, Produced};
use crate::error::DriveError;
use crate::observe::Observed;
use crate::record::Interval;
use crate::shared_group::Move;
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
    /// A member's producers are done; how many records they handed over, by
    /// workload.
    Produced { cell: u32, sent: Vec<u64> },
    /// Where the partitions' logs end, by workload.
    Ends { cell: u32, ends: Vec<Vec<i64>> },
    /// What a member measured.
    Report(Box<Report>),
    /// It is there, and so many records are acknowledged. Once the logs' ends are
    /// known it also says how far its groups have read, or the lead how far any
    /// member's have.
    Alive { acknowledged: u64, read: Read },
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
    /// The cell's workloads, of which there is mostly one.
    pub loads: Vec<Load>,
}

/// What a member has to know of a workload besides its settings.
#[derive(Debug, Serialize, Deserialize)]
pub struct Load {
    /// Its topic.
    pub topic: String,
    /// Marks its records.
    pub marking: u32,
}

/// Offsets up to which groups have read, by workload, group and partition; empty
/// where consumers' partitions are fixed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Read(pub Vec<Vec<Vec<i64>>>);

impl Read {
    /// Takes in what others have read.
    pub fn absorb(&mut self, other: Self) {
        raise(&mut self.0, other.0, |own, its| {
            raise(own, its, |own, its| {
                raise(own, its, |own, its| *own = its.max(*own));
            });
        });
    }

    /// Whether there is no group to speak of.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }
}

/// Raises each of `own` by its counterpart, and makes room for those that it lacks.
fn raise<T: Default>(own: &mut Vec<T>, its: Vec<T>, each: impl Fn(&mut T, T)) {
    if own.len() < its.len() {
        own.resize_with(its.len(), T::default);
    }
    for (own, its) in own.iter_mut().zip(its) {
        each(own, its);
    }
}

/// What a member measured of a cell.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The cell's number.
    pub cell: u32,
    /// What it measured of each workload.
    pub loads: Vec<LoadReport>,
}

/// What a member measured of one workload.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoadReport {
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
    /// How partitions of groups moved that the cluster shares out, by group.
    pub moves: Vec<Vec<Move>>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labour::PoisonCounts;
    use crate::verify::{Lanes, Verifier};

    /// A report with a gap in a lane could be written and not read again, so that
    /// its member seemed to have fallen silent.
    #[test]
    fn a_report_of_a_lane_with_gaps_reads_back() {
        let mut verifier = Verifier::new(Lanes {
            producers: 1,
            partitions: 1,
        });
        verifier.observe(0, 0, 7);
        let consumed = Consumed {
            partitions: vec![0],
            unfinished: Vec::new(),
            verifier,
            poison: PoisonCounts::default(),
        };
        let report = LoadReport {
            produced: vec![(0, Produced::default())],
            consumed: vec![vec![consumed]],
            intervals: Vec::new(),
            observed: Observed::default(),
            observed_records: 1,
            cores: Vec::new(),
            moves: Vec::new(),
        };
        let letter = Letter {
            session: "s".to_owned(),
            from: "m".to_owned(),
            word: Word::Report(Box::new(Report {
                cell: 0,
                loads: vec![report],
            })),
        };
        let written = serde_json::to_string(&letter).expect("it can be written");
        let read: Letter = serde_json::from_str(&written).expect("it can be read");
        assert_eq!(serde_json::to_string(&read).ok(), Some(written));
    }

    #[test]
    fn how_far_members_have_read_together_is_the_furthest_of_each_partition() {
        let mut read = Read::default();
        assert!(read.is_empty());
        read.absorb(Read(vec![vec![], vec![vec![3, 0]]]));
        read.absorb(Read(vec![vec![], vec![vec![1, 5], vec![2]]]));
        assert_eq!(read, Read(vec![vec![], vec![vec![3, 5], vec![2]]]));
        assert!(!read.is_empty());
    }
}
