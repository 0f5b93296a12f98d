//! The active controller: which brokers live, and what follows for the
//! partitions they hold.
//!
//! Everything here is a change of metadata, worked out against all that was
//! appended; what a controller remembers besides, when it last heard of whom,
//! begins anew with each term, with everyone given a full session.

mod brokers;
mod elections;
mod isr;

pub(crate) use elections::{Election, find};
pub(crate) use isr::IsrWish;

use crate::broker::Broker;
use crate::features::FEATURES;
use crate::metadata::Change;
use parking_lot::Mutex;
use plimsoll_cluster::{FeatureLevel, MetadataRecord};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{LeaderEpoch, NodeId};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often sessions are looked at.
const SESSION_CHECK: Duration = Duration::from_millis(100);

/// What the active controller remembers beside the metadata.
#[derive(Default)]
pub(crate) struct Controller {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The term for which the rest holds.
    term: Option<LeaderEpoch>,
    /// When each broker was last heard of.
    heard: BTreeMap<NodeId, Instant>,
    sessions_at: Instant,
    balance_at: Instant,
}

impl Broker {
    /// Does what the active controller does in time. Answers when it is next.
    pub(crate) fn keep_cluster(&self, now: Now) -> Instant {
        let standing = self.metadata.standing();
        if !standing.active {
            self.controller.state.lock().term = None;
            return Instant(Duration::MAX);
        }
        let limits = self.limits();
        let (sessions, balance, next) = {
            let mut state = self.controller.state.lock();
            if state.term != Some(standing.term) {
                state.term = Some(standing.term);
                state.heard.clear();
                state.sessions_at = now.mono;
                state.balance_at = now.mono.after(limits.cluster.imbalance_check);
                drop(state);
                self.take_office(now);
                return now.mono.after(SESSION_CHECK);
            }
            let due = |at: &mut Instant, every: Duration| {
                let is_due = *at <= now.mono;
                if is_due {
                    *at = now.mono.after(every);
                }
                is_due
            };
            let sessions = due(&mut state.sessions_at, SESSION_CHECK);
            let balance = due(&mut state.balance_at, limits.cluster.imbalance_check);
            (sessions, balance, state.sessions_at.min(state.balance_at))
        };
        if sessions && !self.is_alone() {
            self.end_sessions(now);
        }
        if balance && limits.cluster.rebalances_leaders && !self.is_alone() {
            self.balance_leaders(now);
        }
        next
    }

    /// A new term begins: features of a new cluster are put in force.
    fn take_office(&self, now: Now) {
        tracing::info!(node = %self.node(), "active controller");
        let image = self.metadata.image();
        let heard = image.brokers().iter().filter(|(_, broker)| !broker.fenced);
        let heard: Vec<NodeId> = heard.map(|(node, _)| *node).collect();
        {
            let mut state = self.controller.state.lock();
            for node in heard {
                state.heard.insert(node, now.mono);
            }
        }
        if let Err(refusal) = self.change(now, true, raise_features) {
            tracing::warn!(why = refusal.words, "cannot raise features");
        }
    }
}

/// Puts the features of a new cluster in force. Later they stay as they are: an
/// operator may have lowered them.
pub(crate) fn raise_features(change: &mut Change) {
    if !change.image().features().is_empty() {
        return;
    }
    for feature in FEATURES {
        if feature.initial > 0 {
            let (name, level) = (feature.name.to_owned(), feature.initial);
            change.push(MetadataRecord::FeatureLevel(FeatureLevel { name, level }));
        }
    }
}
