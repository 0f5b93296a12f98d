//! Transactions whose end is not durable yet.
//!
//! Compaction acts on how transactions ended: it drops what was aborted, and
//! what a committed record has replaced. A crash must not take such an end back
//! afterwards, or a value that was replaced by a transaction that is then
//! aborted would be gone for good. So nothing at or after the first record of
//! such a transaction is compacted.

use plimsoll_wire::types::Offset;

/// The first offset of any transaction whose marker may be lost in a crash.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    since_flush: Option<Offset>,
    /// Of those whose markers the flush under way makes durable.
    in_flush: Option<Offset>,
}

impl Undecided {
    /// Everything from `offset` on: what a crash left is not known to be
    /// durable.
    pub(super) fn from(offset: Offset) -> Self {
        Self {
            since_flush: Some(offset),
            in_flush: None,
        }
    }

    /// A transaction that began at `first` has ended.
    pub(super) fn note(&mut self, first: Offset) {
        self.since_flush = earlier(self.since_flush, Some(first));
    }

    /// What has been noted will be durable once the flush is done.
    pub(super) fn begin_flush(&mut self) {
        self.in_flush = earlier(self.in_flush, self.since_flush.take());
    }

    /// The flush is done.
    pub(super) fn end_flush(&mut self) {
        self.in_flush = None;
    }

    pub(super) fn first(&self) -> Option<Offset> {
        earlier(self.since_flush, self.in_flush)
    }
}

fn earlier(a: Option<Offset>, b: Option<Offset>) -> Option<Offset> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
