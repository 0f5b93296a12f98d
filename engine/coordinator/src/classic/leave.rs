//! Heartbeat, LeaveGroup, and what becomes of members who fall silent.

use super::{ClassicGroup, Member, State};
use crate::command::{Heartbeat, LeaveGroup, LeavingMember};
use crate::names::MemberId;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::step::Token;
use crate::turn::Turn;

impl ClassicGroup {
    pub(crate) fn heartbeat(
        &self,
        request: &Heartbeat,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        self.validate_member(&request.member, request.instance.as_ref())?;
        if request.generation != self.generation {
            return Err(Refusal::IllegalGeneration);
        }
        self.renew_session(&request.member, turn);
        match self.state {
            State::Empty => Err(Refusal::UnknownMemberId),
            State::PreparingRebalance => Err(Refusal::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    pub(crate) fn leave(&mut self, request: LeaveGroup, token: Token, turn: &mut Turn<'_>) {
        let mut outcomes = Vec::with_capacity(request.members.len());
        for leaving in request.members {
            let outcome = self.leave_one(&leaving, turn);
            outcomes.push((leaving, outcome));
        }
        if outcomes.iter().any(|(_, outcome)| outcome.is_ok()) {
            match self.state {
                State::Stable | State::CompletingRebalance => self.prepare_rebalance(turn),
                State::PreparingRebalance => self.maybe_complete_joins(turn),
                State::Empty => {}
            }
        }
        turn.answer(token, Reply::Leave(Ok(outcomes)), |why| {
            Reply::Leave(Err(why))
        });
    }

    fn leave_one(&mut self, leaving: &LeavingMember, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        let instance = leaving.instance.as_ref();
        let id = if leaving.member.is_empty() {
            let owner = instance.and_then(|i| self.static_members.get(i));
            owner.cloned().ok_or(Refusal::UnknownMemberId)?
        } else {
            leaving.member.clone()
        };
        if !self.pending_join.contains(&id) {
            // An instance named without a member has been looked up above.
            self.validate_member(&id, instance)?;
        }
        self.expel(&id, turn);
        Ok(())
    }

    /// Takes a member out and tells it, should it be waiting.
    fn expel(&mut self, id: &MemberId, turn: &mut Turn<'_>) {
        self.end_session(id, turn);
        self.refuse_join(id, Refusal::UnknownMemberId, turn);
        self.complete_sync(id, Err(Refusal::UnknownMemberId), turn);
        self.remove(id);
    }

    /// A member's session has run out.
    pub(crate) fn session_expired(&mut self, id: &MemberId, turn: &mut Turn<'_>) {
        let is_excused = self.members.get(id).is_some_and(Member::is_excused);
        if is_excused {
            return;
        }
        let was_pending = self.pending_join.contains(id);
        if !was_pending && !self.members.contains_key(id) {
            return;
        }
        self.expel(id, turn);
        match self.state {
            State::Stable | State::CompletingRebalance if !was_pending => {
                self.prepare_rebalance(turn);
            }
            State::PreparingRebalance if self.all_joined() => self.complete_joins(turn),
            _ => {}
        }
    }

    /// The group becomes one of the other protocol: everyone starts over.
    pub(crate) fn refuse_all(&mut self, why: Refusal, turn: &mut Turn<'_>) {
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            self.refuse_join(&id, why, turn);
            self.complete_sync(&id, Err(why), turn);
            self.end_session(&id, turn);
        }
    }

    /// The group of a first join could not be stored.
    pub(crate) fn creation_is_refused(&mut self, why: Refusal, turn: &mut Turn<'_>) {
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            self.refuse_join(&id, why, turn);
        }
    }
}
