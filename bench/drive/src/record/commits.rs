//! Which commit made a record visible, and when that commit was asked for.
//!
//! Producers post each commit before they ask for it, so a consumer that only
//! sees committed records finds it here. Memory is bounded: a lane remembers
//! its latest commits, and a record of an older one is not timed.

use crate::clock::Mono;
use crate::verify::Lanes;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Commits remembered over all lanes.
const COMMITS_MAX: u64 = 1 << 22;
/// Commits remembered of one lane, at most and at least.
const LANE_COMMITS_MAX: u64 = 4096;
const LANE_COMMITS_MIN: u64 = 16;

/// One commit, seen from one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The number of the lane's last record in it.
    pub last: u64,
    /// When it was asked for.
    pub asked: Mono,
}

/// The latest commits of every lane.
#[derive(Debug)]
pub struct CommitBoard {
    lanes: Lanes,
    posted: Vec<Mutex<VecDeque<Commit>>>,
    kept: usize,
}

impl CommitBoard {
    /// A board without commits.
    pub fn new(lanes: Lanes) -> Self {
        let count = lanes.count().max(1);
        let kept = (COMMITS_MAX / count as u64).clamp(LANE_COMMITS_MIN, LANE_COMMITS_MAX);
        Self {
            lanes,
            posted: (0..lanes.count()).map(|_| Mutex::default()).collect(),
            kept: usize::try_from(kept).unwrap_or(usize::MAX),
        }
    }

    /// `producer` is about to commit what it wrote to `partition`.
    pub fn post(&self, producer: u32, partition: u32, commit: Commit) {
        let lane = self.lanes.index(producer, partition);
        let Some(lane) = lane.and_then(|at| self.posted.get(at)) else {
            return;
        };
        let mut posted = lane.lock();
        if posted.len() >= self.kept {
            posted.pop_front();
        }
        posted.push_back(commit);
    }

    /// The commit that holds the lane's record `sequence`.
    pub fn find(&self, producer: u32, partition: u32, sequence: u64) -> Option<Commit> {
        let lane = self.lanes.index(producer, partition)?;
        let posted = self.posted.get(lane)?.lock();
        let at = posted.partition_point(|commit| commit.last < sequence);
        // Before the oldest one kept there may have been others.
        let forgotten = at == 0 && posted.len() >= self.kept;
        posted.get(at).copied().filter(|_| !forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_finds_its_commit_as_long_as_it_is_kept() {
        let board = CommitBoard::new(Lanes {
            producers: 2,
            partitions: 3,
        });
        let check = |sequence: u64, expected: Option<u64>| {
            let found = board.find(1, 2, sequence).map(|commit| commit.asked.0);
            assert_eq!(found, expected, "{sequence}");
        };
        check(0, None);
        for at in 0..10 {
            let commit = Commit {
                last: at * 5 + 4,
                asked: Mono(at),
            };
            board.post(1, 2, commit);
        }
        check(0, Some(0));
        check(4, Some(0));
        check(5, Some(1));
        check(49, Some(9));
        check(50, None);
        assert_eq!(board.find(0, 2, 5), None);
        assert_eq!(board.find(9, 9, 5), None);
        for at in 10..=LANE_COMMITS_MAX + 10 {
            let commit = Commit {
                last: at * 5 + 4,
                asked: Mono(at),
            };
            board.post(1, 2, commit);
        }
        check(5, None);
        check(100 * 5, Some(100));
    }
}
