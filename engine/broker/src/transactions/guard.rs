//! The window between verifying a transaction and appending to it (KIP-890).
//!
//! A coordinator says that a partition is in a transaction, and before the
//! records are written the transaction ends: they would begin another that
//! nobody ends, and no reader of committed records would get past it. So a
//! guard is raised in the partition before the coordinator is asked, the
//! transaction's marker lowers it, and records of a transaction that has not
//! begun in this partition need it standing.
//!
//! Both happen under the partition's lock. Guards live from the question to the
//! append, so there are no more of them than requests.

use plimsoll_wire::types::ProducerId;
use std::collections::HashMap;

/// A verification that may be relied on while it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guard(u64);

/// The guards of one partition.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    standing: HashMap<ProducerId, Guard>,
    raised: u64,
    /// Guards up to this one were raised before the leader's term began.
    before_term: u64,
}

impl Guards {
    /// Raises a producer's guard; requests of one transaction share it.
    pub(crate) fn raise(&mut self, producer: ProducerId) -> Guard {
        self.raised += 1;
        let fresh = Guard(self.raised);
        *self.standing.entry(producer).or_insert(fresh)
    }

    /// Whether no marker has been written since `guard` was raised.
    pub(crate) fn stands(&self, producer: ProducerId, guard: Guard) -> bool {
        self.standing.get(&producer) == Some(&guard)
    }

    /// Whether no transaction is being verified.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    /// The leader's term has begun or ended: markers may be written elsewhere.
    pub(crate) fn lower_all(&mut self) {
        self.standing.clear();
        self.before_term = self.raised;
    }

    /// Whether the guard was raised in an earlier term of this node's.
    pub(crate) const fn is_of_another_term(&self, guard: Guard) -> bool {
        guard.0 <= self.before_term
    }

    /// The transaction has begun here, has ended, or is none.
    pub(crate) fn lower(&mut self, producer: ProducerId) {
        self.standing.remove(&producer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ProducerId = ProducerId(1);
    const OTHER: ProducerId = ProducerId(2);

    #[test]
    fn a_guard_stands_until_its_own_producers_marker() {
        let mut guards = Guards::default();
        let first = guards.raise(ONE);
        assert_eq!(
            guards.raise(ONE),
            first,
            "requests of one transaction share it"
        );
        let other = guards.raise(OTHER);
        guards.lower(ONE);
        assert!(!guards.stands(ONE, first));
        assert!(guards.stands(OTHER, other));
    }

    #[test]
    fn no_guard_outlives_the_leaders_term() {
        let mut guards = Guards::default();
        let before = guards.raise(ONE);
        guards.lower_all();
        assert!(!guards.stands(ONE, before));
        assert!(guards.is_of_another_term(before));
        let after = guards.raise(ONE);
        assert!(guards.stands(ONE, after));
        assert!(!guards.stands(ONE, before));
        assert!(!guards.is_of_another_term(after));
    }

    #[test]
    fn a_guard_of_the_next_transaction_does_not_serve_the_last() {
        let mut guards = Guards::default();
        let late = guards.raise(ONE);
        guards.lower(ONE);
        let next = guards.raise(ONE);
        assert!(!guards.stands(ONE, late));
        assert!(guards.stands(ONE, next));
    }
}
