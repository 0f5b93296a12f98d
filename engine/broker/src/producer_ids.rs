//! The producer ids this node may hand out: a block at a time, taken from the
//! cluster's counter through the metadata log, so that none is used twice.

use plimsoll_wire::types::ProducerId;
use std::ops::Range;

/// How many ids are taken at once.
pub(crate) const BLOCK: i64 = 1000;

/// What is left of the last block.
#[derive(Debug, Default)]
pub(crate) struct ProducerIdBlock {
    left: Range<i64>,
}

impl ProducerIdBlock {
    /// The next id, when the block is not used up.
    pub(crate) fn next(&mut self) -> Option<ProducerId> {
        self.left.next().map(ProducerId)
    }

    /// Goes on with the block that starts at `first`.
    pub(crate) const fn refill(&mut self, first: ProducerId) {
        self.left = first.get()..first.get().saturating_add(BLOCK);
    }
}
