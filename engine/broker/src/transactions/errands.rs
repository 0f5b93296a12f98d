//! A coordinator's markers that are on their way: asked of another node and not
//! answered, or written here and not replicated.
//!
//! None is asked for twice in one term of its partition's leader. A marker that
//! comes late would end the next transaction of a producer whose epoch is not
//! raised with each (the older flow), and nobody could tell. So when it is not
//! known what became of a request, its markers rest for a while: long enough for
//! a request that was cut off to arrive or to be gone.

use crate::fetch_wait::FetchWait;
use crate::outcome::Wake;
use crate::unreplicated::Unreplicated;
use plimsoll_coordinator::TransactionalId;
use plimsoll_coordinator::transaction::TopicPartition;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{LeaderEpoch, ProducerEpoch};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long markers rest of which nobody knows whether they are written.
const DOUBT: Duration = Duration::from_secs(1);

/// One marker: of this transaction, in this partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Marker {
    /// Whose transaction.
    pub(super) id: TransactionalId,
    /// The epoch that the marker carries.
    pub(super) epoch: ProducerEpoch,
    /// Where.
    pub(super) place: TopicPartition,
}

/// Where a marker is.
enum Way {
    /// With the leader of that term, who has not answered yet; after an instant
    /// its silence counts for nothing.
    Elsewhere(LeaderEpoch, Instant),
    /// In this node's log.
    Here(Unreplicated),
}

/// The markers of one coordinator that are on their way.
#[derive(Default)]
pub(super) struct Errands {
    on_way: BTreeMap<Marker, Way>,
    wait: Option<Arc<FetchWait>>,
}

impl Errands {
    /// Whether a marker need not be asked for, while its partition is led in
    /// that term.
    pub(super) fn is_on_way(&self, marker: &Marker, term: LeaderEpoch, now: Now) -> bool {
        match self.on_way.get(marker) {
            None => false,
            Some(Way::Elsewhere(asked_in, until)) => *asked_in == term && now.mono < *until,
            Some(Way::Here(written)) => written.epoch == term,
        }
    }

    /// A leader is asked, and answers by `deadline`.
    pub(super) fn sent(&mut self, marker: Marker, term: LeaderEpoch, deadline: Instant) {
        let until = deadline.after(DOUBT);
        self.on_way.insert(marker, Way::Elsewhere(term, until));
    }

    /// A leader has answered, or cannot have been reached. Answers whether it
    /// is the one that was asked last.
    pub(super) fn answered(&mut self, marker: &Marker, term: LeaderEpoch) -> bool {
        let asked = matches!(
            self.on_way.get(marker),
            Some(Way::Elsewhere(asked_in, _)) if *asked_in == term
        );
        if asked {
            self.on_way.remove(marker);
        }
        asked
    }

    /// The connection to a leader is lost, and the answer with it.
    pub(super) fn lost(&mut self, marker: &Marker, term: LeaderEpoch, now: Now) {
        if let Some(Way::Elsewhere(asked_in, until)) = self.on_way.get_mut(marker)
            && *asked_in == term
        {
            *until = now.mono.after(DOUBT);
        }
    }

    /// A marker is written here.
    pub(super) fn written(&mut self, marker: Marker, batch: Unreplicated) {
        self.on_way.insert(marker, Way::Here(batch));
    }

    /// Takes the markers written here that are replicated by now, and forgets
    /// those that cannot be any more. `note` is told when there are others.
    pub(super) fn take_replicated(&mut self, note: &Arc<dyn Wake>) -> Vec<Marker> {
        let wait = FetchWait::new(0, Arc::clone(note));
        let mut replicated = Vec::new();
        self.on_way.retain(|marker, way| {
            let Way::Here(batch) = way else {
                return true;
            };
            match batch.outcome(&wait) {
                None => true,
                Some(outcome) => {
                    if outcome.is_ok() {
                        replicated.push(marker.clone());
                    }
                    false
                }
            }
        });
        if let Some(old) = self.wait.replace(wait) {
            old.cancel();
        }
        replicated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_coordinator::TopicName;
    use plimsoll_wire::types::{PartitionIndex, TimestampMs};

    fn at(ms: u64) -> Now {
        Now {
            wall: TimestampMs(0),
            mono: Instant(Duration::from_millis(ms)),
        }
    }

    fn marker() -> Marker {
        Marker {
            id: "pay".into(),
            epoch: ProducerEpoch(3),
            place: (TopicName::from("orders"), PartitionIndex(1)),
        }
    }

    const TERM: LeaderEpoch = LeaderEpoch(5);
    const NEXT: LeaderEpoch = LeaderEpoch(6);

    #[test]
    fn a_marker_is_asked_for_once_in_a_term() {
        let mut errands = Errands::default();
        errands.sent(marker(), TERM, at(1000).mono);
        assert!(errands.is_on_way(&marker(), TERM, at(900)));
        assert!(
            !errands.is_on_way(&marker(), NEXT, at(900)),
            "another leads"
        );
        assert!(errands.answered(&marker(), TERM));
        assert!(!errands.is_on_way(&marker(), TERM, at(900)));
    }

    #[test]
    fn what_an_earlier_leader_says_is_not_taken_for_the_answer_of_this_one() {
        let mut errands = Errands::default();
        errands.sent(marker(), TERM, at(1000).mono);
        errands.sent(marker(), NEXT, at(1000).mono);
        assert!(!errands.answered(&marker(), TERM));
        errands.lost(&marker(), TERM, at(100));
        assert!(errands.is_on_way(&marker(), NEXT, at(1500)));
    }

    #[test]
    fn a_marker_rests_when_nobody_knows_what_became_of_it() {
        let mut errands = Errands::default();
        errands.sent(marker(), TERM, at(30_000).mono);
        errands.lost(&marker(), TERM, at(100));
        assert!(errands.is_on_way(&marker(), TERM, at(1000)));
        assert!(!errands.is_on_way(&marker(), TERM, at(1200)));
    }
}
