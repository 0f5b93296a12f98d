//! JoinGroup, versions 0 to 9.

use super::{ClassicGroup, Member, State};
use crate::command::JoinGroup;
use crate::names::MemberId;
use crate::refusal::Refusal;
use crate::reply::{JoinRefused, Reply};
use crate::step::Token;
use crate::turn::{TimerKey, Turn};

fn refuse(token: Token, member: MemberId, why: Refusal, turn: &mut Turn<'_>) {
    turn.reply(token, Reply::Join(Err(JoinRefused { member, why })));
}

impl ClassicGroup {
    pub(crate) fn join(&mut self, request: JoinGroup, token: Token, turn: &mut Turn<'_>) {
        if !self.has_room_for(&request.member, turn) {
            self.remove(&request.member);
            self.end_session(&request.member, turn);
            let none = MemberId::default();
            return refuse(token, none, Refusal::GroupMaxSizeReached, turn);
        }
        if !self.supports(&request.protocol_type, &request.protocols) {
            let why = Refusal::InconsistentGroupProtocol;
            return refuse(token, request.member, why, turn);
        }
        if request.member.is_empty() {
            self.join_new(request, token, turn);
        } else {
            self.join_known(request, token, turn);
        }
    }

    fn has_room_for(&self, member: &MemberId, turn: &Turn<'_>) -> bool {
        let max = turn.config.max_size;
        let present = self.members.get(member);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                present.is_some_and(Member::is_awaiting_join) || self.awaiting_join() < max
            }
            State::CompletingRebalance | State::Stable => {
                present.is_some() || self.members.len() < max
            }
        }
    }

    fn join_new(&mut self, mut request: JoinGroup, token: Token, turn: &mut Turn<'_>) {
        let Some(instance) = request.instance.clone() else {
            let id = turn.ids.member_id(&request.client.id);
            if !request.member_id_required {
                request.member = id;
                return self.add(request, token, turn);
            }
            self.pending_join.insert(id.clone());
            let key = TimerKey::Heartbeat(self.id.clone(), id.clone());
            turn.set_timer(key, request.session_timeout);
            return refuse(token, id, Refusal::MemberIdRequired, turn);
        };
        request.member = turn.ids.member_id(instance.as_str());
        match self.static_members.get(&instance).cloned() {
            Some(old) => self.static_member_returns(&old, request, token, turn),
            None => self.add(request, token, turn),
        }
    }

    fn add(&mut self, request: JoinGroup, token: Token, turn: &mut Turn<'_>) {
        let id = request.member.clone();
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        if self.initial.is_some() {
            self.new_member_added = true;
        }
        if let Some(instance) = &request.instance {
            self.static_members.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.members.insert(id.clone(), Member::new(&request));
        self.pending_join.remove(&id);
        self.await_join(&id, token, turn);
        let key = TimerKey::Heartbeat(self.id.clone(), id);
        turn.set_timer(key, turn.config.new_member_join_timeout);
        self.rebalance_or_complete(turn);
    }

    fn join_known(&mut self, request: JoinGroup, token: Token, turn: &mut Turn<'_>) {
        let id = request.member.clone();
        if self.pending_join.contains(&id) {
            if request.instance.is_some() {
                return refuse(token, id, Refusal::UnknownServerError, turn);
            }
            return self.add(request, token, turn);
        }
        if let Err(why) = self.validate_member(&id, request.instance.as_ref()) {
            return refuse(token, id, why, turn);
        }
        let same = self
            .members
            .get(&id)
            .is_some_and(|m| m.protocols == request.protocols);
        let goes_on = match self.state {
            State::Empty => return refuse(token, id, Refusal::UnknownMemberId, turn),
            State::PreparingRebalance => false,
            State::CompletingRebalance => same,
            State::Stable => same && !self.is_leader(&id),
        };
        if goes_on {
            let for_leader = self.state == State::CompletingRebalance && self.is_leader(&id);
            let joined = self.joined(&id, for_leader);
            turn.reply(token, Reply::Join(Ok(joined)));
        } else {
            self.update(&id, &request);
            self.await_join(&id, token, turn);
            self.rebalance_or_complete(turn);
        }
    }

    /// Takes over what a member says anew of itself.
    pub(super) fn update(&mut self, id: &MemberId, request: &JoinGroup) {
        if let Some(member) = self.members.get_mut(id) {
            member.protocols.clone_from(&request.protocols);
            member.rebalance_timeout = request.rebalance_timeout;
            member.session_timeout = request.session_timeout;
        }
    }
}
