//! Which transactions were aborted, while the log is read from its start.

use crate::index::AbortedTxn;
use crate::partition::marker;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::types::{Offset, ProducerId};
use std::collections::{HashMap, HashSet};

/// Transactions as far as they have been read.
pub(super) struct Transactions {
    /// Aborted ones that have not begun yet, the next one last.
    ahead: Vec<AbortedTxn>,
    /// Aborted ones that have begun, and whether data of theirs was seen.
    aborted: HashMap<ProducerId, (AbortedTxn, bool)>,
    /// Producers with data of a transaction that will be committed.
    committed: HashSet<ProducerId>,
    finished: Option<AbortedTxn>,
}

impl Transactions {
    pub(super) fn new(aborted: &[AbortedTxn]) -> Self {
        let mut ahead = aborted.to_vec();
        ahead.sort_by_key(|txn| std::cmp::Reverse(txn.first_offset));
        Self {
            ahead,
            aborted: HashMap::new(),
            committed: HashSet::new(),
            finished: None,
        }
    }

    /// Whether a data batch belongs to a transaction that was aborted.
    pub(super) fn is_aborted(&mut self, header: &BatchHeader) -> bool {
        self.begin_upto(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        if let Some((_, seen)) = self.aborted.get_mut(&header.producer_id) {
            *seen = true;
            return true;
        }
        self.committed.insert(header.producer_id);
        false
    }

    /// Passes a marker; whether nothing of its transaction was seen, so that
    /// the marker has nothing left to say.
    pub(super) fn marker(&mut self, header: &BatchHeader, bytes: &[u8]) -> bool {
        self.begin_upto(header.last_offset());
        match marker(bytes) {
            Ok(Some(end)) if end.committed => !self.committed.remove(&header.producer_id),
            Ok(Some(_)) => match self.aborted.remove(&header.producer_id) {
                Some((txn, true)) => {
                    self.finished = Some(txn);
                    false
                }
                _ => true,
            },
            // An empty batch was kept for its producer's sake alone.
            Ok(None) => header.record_count == 0,
            Err(_) => false,
        }
    }

    /// The aborted transaction that the last marker ended, if its data was
    /// seen.
    pub(super) fn take_finished(&mut self) -> Option<AbortedTxn> {
        self.finished.take()
    }

    fn begin_upto(&mut self, offset: Offset) {
        while let Some(txn) = self.ahead.pop_if(|txn| txn.first_offset <= offset) {
            self.aborted.insert(txn.producer_id, (txn, false));
        }
    }
}
