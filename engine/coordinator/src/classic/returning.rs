//! A static member comes back under a new member id (KIP-345): it takes its
//! old place, and the group goes on undisturbed when the choice of protocol
//! stays the same.

use super::{ClassicGroup, Member, State};
use crate::command::JoinGroup;
use crate::names::{GroupId, InstanceId, MemberId};
use crate::refusal::Refusal;
use crate::reply::{JoinRefused, Reply};
use crate::schema::GroupRecord;
use crate::step::{Then, Token};
use crate::turn::Turn;

/// What is needed to answer a returning member, or to take its return back.
#[derive(Clone, Debug)]
pub(crate) struct Returned {
    pub(crate) group: GroupId,
    instance: InstanceId,
    before: Member,
    old: MemberId,
    new: MemberId,
    old_leader: MemberId,
    may_skip_assignment: bool,
}

impl ClassicGroup {
    pub(super) fn static_member_returns(
        &mut self,
        old: &MemberId,
        request: JoinGroup,
        token: Token,
        turn: &mut Turn<'_>,
    ) {
        let new = request.member.clone();
        let Some(instance) = request.instance.clone() else {
            return;
        };
        let old_leader = self.leader_id();
        self.refuse_join(old, Refusal::FencedInstanceId, turn);
        self.complete_sync(old, Err(Refusal::FencedInstanceId), turn);
        let Some(before) = self.rename(&instance, old, &new, turn) else {
            return;
        };
        self.update(&new, &request);
        self.await_join(&new, token, turn);
        self.renew_session(&new, turn);
        match self.state {
            State::Stable if self.vote() == self.protocol => {
                let value = self.to_value(|_, m| m.assignment.clone());
                turn.record(GroupRecord::Classic(self.id.clone(), Some(value)));
                turn.out.then = Then::Returned(Box::new(Returned {
                    group: self.id.clone(),
                    instance,
                    before,
                    old: old.clone(),
                    new,
                    old_leader,
                    may_skip_assignment: request.may_skip_assignment,
                }));
            }
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(turn),
            State::PreparingRebalance | State::Empty => self.maybe_complete_joins(turn),
        }
    }

    /// Gives the place of `old` to `new`; returns the member as it was.
    fn rename(
        &mut self,
        instance: &InstanceId,
        old: &MemberId,
        new: &MemberId,
        turn: &mut Turn<'_>,
    ) -> Option<Member> {
        let before = self.members.remove(old)?;
        self.end_session(old, turn);
        self.members.insert(new.clone(), before.clone());
        if self.is_leader(old) {
            self.leader = Some(new.clone());
        }
        if self.pending_sync.remove(old) {
            self.pending_sync.insert(new.clone());
        }
        self.static_members.insert(instance.clone(), new.clone());
        Some(before)
    }

    /// The return is stored: the member may go on with its old assignment.
    pub(crate) fn return_is_stored(&mut self, returned: &Returned, turn: &mut Turn<'_>) {
        let is_leader = self.is_leader(&returned.new);
        let mut joined = self.joined(&returned.new, is_leader && returned.may_skip_assignment);
        if returned.may_skip_assignment {
            joined.skip_assignment = is_leader;
        } else {
            joined.leader = returned.old_leader.clone();
        }
        self.complete_join(&returned.new, joined, turn);
    }

    /// The return could not be stored: the old member keeps its place.
    pub(crate) fn return_is_refused(
        &mut self,
        returned: Returned,
        why: Refusal,
        turn: &mut Turn<'_>,
    ) {
        let waiting = self.members.get_mut(&returned.new);
        if let Some(token) = waiting.and_then(|m| m.awaiting_join.take()) {
            let member = MemberId::default();
            turn.reply(token, Reply::Join(Err(JoinRefused { member, why })));
        }
        let (old, new) = (&returned.old, &returned.new);
        if self.rename(&returned.instance, new, old, turn).is_some() {
            self.members.insert(old.clone(), returned.before);
            self.renew_session(old, turn);
        }
    }
}
