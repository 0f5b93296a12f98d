//! What was appended and is not replicated yet.

use crate::fetch_wait::FetchWait;
use crate::partition::{Awaited, Partition};
use crate::refusal::Refusal;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{LeaderEpoch, Offset};
use std::sync::Arc;

/// A batch that a leader has and its followers may not.
pub(crate) struct Unreplicated {
    pub(crate) partition: Arc<Partition>,
    /// The term in which it was appended.
    pub(crate) epoch: LeaderEpoch,
    /// The offset after its last record.
    pub(crate) upto: Offset,
}

impl Unreplicated {
    /// What became of it: replicated, or lost as far as this node can tell.
    /// None while it is not decided; then `wait` is told when that may change.
    pub(crate) fn outcome(&self, wait: &Arc<FetchWait>) -> Option<Result<(), Refusal>> {
        let mut held = self.partition.lock();
        match held.led_epoch() {
            Ok(epoch) if epoch == self.epoch => {}
            Ok(_) | Err(ErrorCode::NotLeaderOrFollower) => {
                let words = "another node leads the partition before it was replicated";
                return Some(Err(Refusal::new(ErrorCode::NotLeaderOrFollower, words)));
            }
            Err(code) => return Some(Err(Refusal::new(code, code.name()))),
        }
        if let Err(code) = held.log() {
            // The disk failed meanwhile: whether others have it is not known.
            return Some(Err(Refusal::new(code, code.name())));
        }
        held.wait(wait, Awaited::HighWatermark(self.upto), self.upto)
            .then_some(Ok(()))
    }
}
