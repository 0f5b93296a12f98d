//! SyncGroup, versions 0 to 5.

use super::{ClassicGroup, State};
use crate::command::SyncGroup;
use crate::names::{GroupId, MemberId};
use crate::refusal::Refusal;
use crate::reply::{Reply, Synced};
use crate::schema::GroupRecord;
use crate::step::{Then, Token};
use crate::turn::{TimerKey, Turn};
use bytes::Bytes;
use std::collections::BTreeMap;

/// An assignment on its way to the members.
#[derive(Clone, Debug)]
pub(crate) struct Assign {
    pub(crate) group: GroupId,
    pub(crate) generation: i32,
    pub(crate) assignments: BTreeMap<MemberId, Bytes>,
}

impl ClassicGroup {
    pub(crate) fn sync(&mut self, request: SyncGroup, token: Token, turn: &mut Turn<'_>) {
        if let Err(why) = self.validate_sync(&request) {
            return turn.reply(token, Reply::Sync(Err(why)));
        }
        match self.state {
            State::Empty => turn.reply(token, Reply::Sync(Err(Refusal::UnknownMemberId))),
            State::PreparingRebalance => {
                turn.reply(token, Reply::Sync(Err(Refusal::RebalanceInProgress)));
            }
            State::CompletingRebalance => self.await_sync(request, token, turn),
            State::Stable => {
                self.has_synced(&request.member, turn);
                self.renew_session(&request.member, turn);
                let synced = self.synced(&request.member);
                turn.reply(token, Reply::Sync(Ok(synced)));
            }
        }
    }

    fn validate_sync(&self, request: &SyncGroup) -> Result<(), Refusal> {
        self.validate_member(&request.member, request.instance.as_ref())?;
        if request.generation != self.generation {
            return Err(Refusal::IllegalGeneration);
        }
        let differs = |said: &Option<String>, is: &Option<String>| said.is_some() && said != is;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol, &self.protocol)
        {
            return Err(Refusal::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn await_sync(&mut self, request: SyncGroup, token: Token, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.get_mut(&request.member)
            && let Some(earlier) = member.awaiting_sync.replace(token)
        {
            turn.reply(earlier, Reply::Sync(Err(Refusal::RebalanceInProgress)));
        }
        self.has_synced(&request.member, turn);
        if !self.is_leader(&request.member) {
            return;
        }
        let assignments: BTreeMap<MemberId, Bytes> = request.assignments.into_iter().collect();
        let value = self.to_value(|id, _| assignments.get(id).cloned().unwrap_or_default());
        turn.record(GroupRecord::Classic(self.id.clone(), Some(value)));
        turn.out.then = Then::Assign(Box::new(Assign {
            group: self.id.clone(),
            generation: self.generation,
            assignments,
        }));
    }

    fn has_synced(&mut self, id: &MemberId, turn: &mut Turn<'_>) {
        self.pending_sync.remove(id);
        if self.pending_sync.is_empty() {
            turn.timers.cancel(&TimerKey::Sync(self.id.clone()));
        }
    }

    fn synced(&self, id: &MemberId) -> Synced {
        let member = self.members.get(id);
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member.map(|m| m.assignment.clone()).unwrap_or_default(),
        }
    }

    /// The assignment is stored: everyone gets theirs. One from a generation
    /// that has passed meanwhile is of no use any more.
    pub(crate) fn assignment_is_stored(
        &mut self,
        generation: i32,
        mut assignments: BTreeMap<MemberId, Bytes>,
        turn: &mut Turn<'_>,
    ) {
        if self.state != State::CompletingRebalance || self.generation != generation {
            return;
        }
        for (id, member) in &mut self.members {
            member.assignment = assignments.remove(id).unwrap_or_default();
        }
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            let synced = self.synced(&id);
            if self.complete_sync(&id, Ok(synced), turn) {
                self.renew_session(&id, turn);
            }
        }
        self.transition(State::Stable, turn.world.now.wall);
    }

    /// The assignment could not be stored: the members start over.
    pub(crate) fn assignment_is_refused(
        &mut self,
        generation: i32,
        why: Refusal,
        turn: &mut Turn<'_>,
    ) {
        if self.state == State::CompletingRebalance && self.generation == generation {
            self.reset_assignments(why, turn);
            self.rebalance_or_complete(turn);
        }
    }

    /// Takes every assignment back and tells those who wait for one.
    pub(super) fn reset_assignments(&mut self, why: Refusal, turn: &mut Turn<'_>) {
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = Bytes::new();
            }
            if self.complete_sync(&id, Err(why), turn) {
                self.renew_session(&id, turn);
            }
        }
    }
}
