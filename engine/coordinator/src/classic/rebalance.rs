//! From the need of a rebalance to the next generation.

use super::{ClassicGroup, InitialDelay, State};
use crate::names::MemberId;
use crate::refusal::Refusal;
use crate::reply::{Joined, JoinedMember};
use crate::schema::GroupRecord;
use crate::turn::{TimerKey, Turn};
use bytes::Bytes;

impl ClassicGroup {
    /// Starts a rebalance if none is going on, else ends the one that is as
    /// soon as everyone is there.
    pub(crate) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::PreparingRebalance {
            self.maybe_complete_joins(turn);
        } else {
            self.prepare_rebalance(turn);
        }
    }

    pub(crate) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::CompletingRebalance {
            self.reset_assignments(Refusal::RebalanceInProgress, turn);
        }
        self.pending_sync.clear();
        turn.timers.cancel(&TimerKey::Sync(self.id.clone()));
        let is_initial = self.is_empty();
        self.transition(State::PreparingRebalance, turn.world.now.wall);
        if is_initial {
            let stretch = turn.config.initial_rebalance_delay;
            let remaining = self.rebalance_timeout().saturating_sub(stretch);
            self.initial = Some(InitialDelay { stretch, remaining });
            turn.set_timer(TimerKey::Join(self.id.clone()), stretch);
        } else if self.all_joined() {
            self.complete_joins(turn);
        } else {
            turn.set_timer(TimerKey::Join(self.id.clone()), self.rebalance_timeout());
        }
    }

    /// Takes up the group after it has been loaded: every member gets a
    /// session, and a group that has become too large shrinks.
    pub(crate) fn resume(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.keys() {
            self.renew_session(member, turn);
        }
        if self.members.len() > turn.config.max_size {
            self.prepare_rebalance(turn);
        }
    }

    /// The group has just come over from the consumer protocol.
    pub(crate) fn is_downgraded(&mut self, rebalance: bool, turn: &mut Turn<'_>) {
        for member in self.members.keys() {
            self.renew_session(member, turn);
        }
        if rebalance && self.state == State::Stable {
            self.prepare_rebalance(turn);
        }
    }

    /// Ends the join phase if everyone is there. A new group waits out its
    /// delay.
    pub(super) fn maybe_complete_joins(&mut self, turn: &mut Turn<'_>) {
        let is_waiting = self.state == State::PreparingRebalance && self.initial.is_none();
        if is_waiting && self.all_joined() {
            self.complete_joins(turn);
        }
    }

    /// The time to join is over.
    pub(crate) fn join_time_is_up(&mut self, turn: &mut Turn<'_>) {
        if self.state != State::PreparingRebalance {
            return;
        }
        match self.initial {
            Some(delay) if self.new_member_added && !delay.remaining.is_zero() => {
                self.new_member_added = false;
                let stretch = turn.config.initial_rebalance_delay.min(delay.remaining);
                let remaining = delay.remaining.saturating_sub(delay.stretch);
                self.initial = Some(InitialDelay { stretch, remaining });
                turn.set_timer(TimerKey::Join(self.id.clone()), stretch);
            }
            _ => self.complete_joins(turn),
        }
    }

    /// Ends the join phase: whoever is dynamic and not back is out, the rest
    /// are the next generation.
    pub(super) fn complete_joins(&mut self, turn: &mut Turn<'_>) {
        turn.timers.cancel(&TimerKey::Join(self.id.clone()));
        self.initial = None;
        self.new_member_added = false;
        let missing = self.members.iter().filter(|(_, m)| !m.is_awaiting_join());
        let gone: Vec<MemberId> = missing
            .filter(|(_, m)| m.instance.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.remove(&id);
            self.end_session(&id, turn);
        }
        if self.members.is_empty() {
            self.become_empty(turn);
        } else if self.elect_joined_leader() {
            self.begin_generation(turn);
        } else {
            turn.set_timer(TimerKey::Join(self.id.clone()), self.rebalance_timeout());
        }
    }

    /// Makes sure that the leader is one who joined; false when nobody did.
    fn elect_joined_leader(&mut self) -> bool {
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        if leader.is_some_and(|m| m.is_awaiting_join()) {
            return true;
        }
        let joined = self.members.iter().find(|(_, m)| m.is_awaiting_join());
        let elected = joined.map(|(id, _)| id.clone());
        let found = elected.is_some();
        if found {
            self.leader = elected;
        }
        found
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        self.protocol = None;
        self.pending_sync.clear();
        self.transition(State::Empty, turn.world.now.wall);
        self.subscribed = self.read_subscriptions();
        let value = self.to_value(|_, _| Bytes::new());
        turn.record(GroupRecord::Classic(self.id.clone(), Some(value)));
    }

    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        self.protocol = self.vote();
        self.transition(State::CompletingRebalance, turn.world.now.wall);
        self.subscribed = self.read_subscriptions();
        self.pending_sync = self.members.keys().cloned().collect();
        for id in self.pending_sync.clone() {
            let joined = self.joined(&id, self.is_leader(&id));
            self.complete_join(&id, joined, turn);
            self.renew_session(&id, turn);
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
            }
        }
        turn.set_timer(TimerKey::Sync(self.id.clone()), self.rebalance_timeout());
    }

    /// The answer to a join in the present generation.
    pub(super) fn joined(&self, id: &MemberId, with_members: bool) -> Joined {
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader_id(),
            skip_assignment: false,
            member: id.clone(),
            members: if with_members {
                self.joined_members()
            } else {
                Vec::new()
            },
        }
    }

    fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(id, m)| JoinedMember {
            member: id.clone(),
            instance: m.instance.clone(),
            metadata: m.metadata(protocol),
        });
        members.collect()
    }

    /// The time to ask for assignments is over: whoever has not is out.
    pub(crate) fn sync_time_is_up(&mut self, turn: &mut Turn<'_>) {
        let waits = matches!(self.state, State::CompletingRebalance | State::Stable);
        if !waits || self.pending_sync.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.pending_sync) {
            self.remove(&id);
            self.end_session(&id, turn);
        }
        self.prepare_rebalance(turn);
    }
}
