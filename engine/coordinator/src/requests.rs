//! From a command to the group it is about, with the checks that come before
//! any group is looked at, and the changes from one protocol to the other.

use crate::classic::ClassicGroup;
use crate::command::{Command, ConsumerHeartbeat, Heartbeat, JoinGroup, LeaveGroup, SyncGroup};
use crate::consumer::{self, ConsumerGroup};
use crate::group::Group;
use crate::names::GroupId;
use crate::refusal::Refusal;
use crate::reply::{ConsumerHeartbeatReply, JoinRefused, Reply, Synced};
use crate::schema::GroupRecord;
use crate::settle::Parts;
use crate::step::{Then, Token};
use crate::turn::Turn;

impl Parts<'_> {
    pub(crate) fn command(&mut self, token: Token, command: Command, turn: &mut Turn<'_>) {
        match command {
            Command::Join(request) => self.join(token, request, turn),
            Command::Sync(request) => self.sync(token, request, turn),
            Command::Heartbeat(request) => {
                let outcome = self.heartbeat(&request, turn);
                turn.reply(token, Reply::Heartbeat(outcome));
            }
            Command::Leave(request) => self.leave(token, request, turn),
            Command::ConsumerHeartbeat(request) => {
                let outcome = self.consumer_heartbeat(request, turn);
                if outcome.is_err() {
                    turn.out.records.clear();
                    turn.out.downgraded = None;
                }
                let refused = |why| Reply::ConsumerHeartbeat(Err(why));
                turn.answer(token, Reply::ConsumerHeartbeat(outcome), refused);
            }
            Command::Commit(request) => {
                let outcome = self.commit(request, turn);
                let refused = |why| Reply::Commit(Err(why));
                turn.answer(token, Reply::Commit(outcome), refused);
            }
            Command::TxnCommit(request) => {
                let outcome = self.txn_commit(request, turn);
                let refused = |why| Reply::TxnCommit(Err(why));
                turn.answer(token, Reply::TxnCommit(outcome), refused);
            }
            Command::Fetch(request) => {
                let fetched = self.fetch(&request);
                turn.answer(token, Reply::Fetch(fetched), |why| Reply::Fetch(Err(why)));
            }
            Command::DeleteOffsets(request) => {
                let outcome = self.delete_offsets(request, turn);
                let refused = |why| Reply::DeleteOffsets(Err(why));
                turn.answer(token, Reply::DeleteOffsets(outcome), refused);
            }
            Command::DeleteGroup(group) => {
                let outcome = self.delete_group(&group, turn);
                let refused = |why| Reply::DeleteGroup(Err(why));
                turn.answer(token, Reply::DeleteGroup(outcome), refused);
            }
        }
    }

    pub(crate) fn join(&mut self, token: Token, request: JoinGroup, turn: &mut Turn<'_>) {
        let timeouts = turn.config.session_timeout_min..=turn.config.session_timeout_max;
        let refuse = if request.group.is_empty() {
            Some(Refusal::InvalidGroupId)
        } else if !timeouts.contains(&request.session_timeout) {
            Some(Refusal::InvalidSessionTimeout)
        } else {
            None
        };
        if let Some(why) = refuse {
            let member = request.member;
            return turn.reply(token, Reply::Join(Err(JoinRefused { member, why })));
        }
        match self.groups.get_mut(&request.group) {
            Some(Group::Consumer(group)) if group.is_empty() => {
                turn.out.records.extend(group.tombstones());
                turn.out.then = Then::Join(token, Box::new(request));
            }
            Some(Group::Consumer(group)) => {
                let joined = group.join_classic(request, turn);
                if joined.is_err() {
                    turn.out.records.clear();
                    turn.out.downgraded = None;
                }
                turn.answer(token, Reply::Join(joined), |why| {
                    let member = Default::default();
                    Reply::Join(Err(JoinRefused { member, why }))
                });
            }
            Some(Group::Classic(group)) => group.join(request, token, turn),
            None => self.join_first(token, request, turn),
        }
    }

    /// The first join of a group that is not there yet.
    fn join_first(&mut self, token: Token, request: JoinGroup, turn: &mut Turn<'_>) {
        if !request.member.is_empty() {
            let (member, why) = (request.member, Refusal::UnknownMemberId);
            return turn.reply(token, Reply::Join(Err(JoinRefused { member, why })));
        }
        let id = request.group.clone();
        let mut group = ClassicGroup::new(id.clone(), turn.world.now.wall);
        let value = group.to_value(|_, _| Default::default());
        group.join(request, token, turn);
        turn.record(GroupRecord::Classic(id.clone(), Some(value)));
        turn.out.then = Then::NewGroup(id.clone());
        self.groups.insert(id, Group::Classic(Box::new(group)));
    }

    fn sync(&mut self, token: Token, request: SyncGroup, turn: &mut Turn<'_>) {
        let synced: Result<Synced, Refusal> = match self.named(&request.group) {
            Ok(Group::Classic(group)) => return group.sync(request, token, turn),
            Ok(Group::Consumer(group)) => group.sync_classic(&request, turn),
            Err(why) => Err(why),
        };
        turn.answer(token, Reply::Sync(synced), |why| Reply::Sync(Err(why)));
    }

    fn heartbeat(&mut self, request: &Heartbeat, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        match self.named(&request.group)? {
            Group::Classic(group) => group.heartbeat(request, turn),
            Group::Consumer(group) => group.heartbeat_classic(request, turn),
        }
    }

    fn leave(&mut self, token: Token, request: LeaveGroup, turn: &mut Turn<'_>) {
        let outcomes = match self.named(&request.group) {
            Ok(Group::Classic(group)) => return group.leave(request, token, turn),
            Ok(Group::Consumer(group)) => Ok(group.leave_classic(request, turn)),
            Err(Refusal::UnknownMemberId) => {
                let members = request.members.into_iter();
                Ok(members
                    .map(|m| (m, Err(Refusal::UnknownMemberId)))
                    .collect())
            }
            Err(why) => Err(why),
        };
        turn.answer(token, Reply::Leave(outcomes), |why| Reply::Leave(Err(why)));
    }

    /// The group a member believes to be in.
    fn named(&mut self, id: &GroupId) -> Result<&mut Group, Refusal> {
        if id.is_empty() {
            return Err(Refusal::InvalidGroupId);
        }
        self.groups.get_mut(id).ok_or(Refusal::UnknownMemberId)
    }

    fn consumer_heartbeat(
        &mut self,
        request: ConsumerHeartbeat,
        turn: &mut Turn<'_>,
    ) -> Result<ConsumerHeartbeatReply, Refusal> {
        consumer::validate(&request)?;
        let id = request.group.clone();
        match self.groups.get_mut(&id) {
            Some(Group::Consumer(group)) if request.epoch < 0 => group.farewell(&request, turn),
            Some(Group::Consumer(group)) => group.heartbeat(request, turn),
            _ if request.epoch != consumer::JOINING => Err(Refusal::GroupIdNotFound),
            None => ConsumerGroup::new(id).heartbeat(request, turn),
            Some(Group::Classic(group)) if group.is_empty() => {
                turn.record(GroupRecord::Classic(id.clone(), None));
                ConsumerGroup::new(id).heartbeat(request, turn)
            }
            Some(Group::Classic(group)) => {
                let mut upgraded = upgrade(group, turn)?;
                let reply = upgraded.heartbeat(request, turn)?;
                upgraded.resume_sessions(turn);
                group.refuse_all(Refusal::RebalanceInProgress, turn);
                Ok(reply)
            }
        }
    }
}

/// A classic group with members becomes a consumer group, if settings allow it
/// and its members are consumers.
fn upgrade(group: &ClassicGroup, turn: &mut Turn<'_>) -> Result<ConsumerGroup, Refusal> {
    let fits = group.members.len() <= turn.config.consumer_max_size;
    if !turn.config.migration.upgrades() || !group.is_consumer_group() || !fits {
        return Err(Refusal::GroupIdNotFound);
    }
    let upgraded = consumer::upgraded(group, turn.world.topics);
    let upgraded = upgraded.map_err(|_| Refusal::GroupIdNotFound)?;
    turn.record(GroupRecord::Classic(group.id.clone(), None));
    turn.out.records.extend(upgraded.records());
    Ok(upgraded)
}
