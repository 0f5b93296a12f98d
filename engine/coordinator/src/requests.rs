//! From a command to the group it is about, with the checks that come before
//! any group is looked at.

use crate::classic::{ClassicGroup, State};
use crate::command::{
    Command, Heartbeat, JoinGroup, LeaveGroup, OffsetCommit, OffsetDelete, SyncGroup,
    TxnOffsetCommit,
};
use crate::names::{GroupId, InstanceId, MemberId};
use crate::offsets::{self, Expiry, UnusedSince};
use crate::refusal::Refusal;
use crate::reply::{JoinRefused, Reply, TopicResults};
use crate::schema::GroupRecord;
use crate::shard::Parts;
use crate::step::{Producer, Then, Token};
use crate::turn::{TimerKey, Turn};
use std::time::Duration;

/// How many tombstones one look for expired offsets may write.
const EXPIRED_RECORDS_MAX: usize = 1000;

/// In whose name offsets are committed.
struct Committer<'a> {
    generation: i32,
    member: &'a MemberId,
    instance: Option<&'a InstanceId>,
    is_transactional: bool,
}

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
                let fetched = Ok(self.offsets.fetch(&request));
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

    fn join(&mut self, token: Token, request: JoinGroup, turn: &mut Turn<'_>) {
        let timeouts = turn.config.session_timeout_min..=turn.config.session_timeout_max;
        let known = self.groups.contains_key(&request.group);
        let why = if request.group.is_empty() {
            Some(Refusal::InvalidGroupId)
        } else if !timeouts.contains(&request.session_timeout) {
            Some(Refusal::InvalidSessionTimeout)
        } else if !known && !request.member.is_empty() {
            Some(Refusal::UnknownMemberId)
        } else {
            None
        };
        if let Some(why) = why {
            let member = request.member;
            return turn.reply(token, Reply::Join(Err(JoinRefused { member, why })));
        }
        let id = request.group.clone();
        let since = turn.world.now.wall;
        let group = self.groups.entry(id.clone());
        let group = group.or_insert_with(|| ClassicGroup::new(id.clone(), since));
        group.join(request, token, turn);
        if !known && turn.out.records.is_empty() {
            let value = ClassicGroup::new(id.clone(), since).to_value(|_, _| Default::default());
            turn.record(GroupRecord::Classic(id.clone(), Some(value)));
            turn.out.then = Then::NewGroup(id);
        }
    }

    fn sync(&mut self, token: Token, request: SyncGroup, turn: &mut Turn<'_>) {
        match self.named(&request.group) {
            Ok(group) => group.sync(request, token, turn),
            Err(why) => turn.reply(token, Reply::Sync(Err(why))),
        }
    }

    fn heartbeat(&mut self, request: &Heartbeat, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        self.named(&request.group)?.heartbeat(request, turn)
    }

    fn leave(&mut self, token: Token, request: LeaveGroup, turn: &mut Turn<'_>) {
        match self.named(&request.group) {
            Ok(group) => group.leave(request, token, turn),
            Err(Refusal::UnknownMemberId) => {
                let members = request.members.into_iter();
                let outcomes = members.map(|m| (m, Err(Refusal::UnknownMemberId)));
                turn.reply(token, Reply::Leave(Ok(outcomes.collect())));
            }
            Err(why) => turn.reply(token, Reply::Leave(Err(why))),
        }
    }

    /// The group a member believes to be in.
    fn named(&mut self, id: &GroupId) -> Result<&mut ClassicGroup, Refusal> {
        if id.is_empty() {
            return Err(Refusal::InvalidGroupId);
        }
        self.groups.get_mut(id).ok_or(Refusal::UnknownMemberId)
    }

    fn commit(
        &mut self,
        request: OffsetCommit,
        turn: &mut Turn<'_>,
    ) -> Result<TopicResults, Refusal> {
        let committer = Committer {
            generation: request.generation,
            member: &request.member,
            instance: request.instance.as_ref(),
            is_transactional: false,
        };
        match self.groups.get(&request.group) {
            Some(group) => {
                validate_commit(group, &committer)?;
                if matches!(group.state, State::Stable | State::PreparingRebalance) {
                    group.renew_session(&request.member, turn);
                }
            }
            None if request.generation < 0 => {}
            None if request.knows_epochs => return Err(Refusal::GroupIdNotFound),
            None => return Err(Refusal::IllegalGeneration),
        }
        Ok(offsets::commit(
            &request.group,
            request.topics,
            request.retention,
            turn,
        ))
    }

    fn txn_commit(
        &mut self,
        request: TxnOffsetCommit,
        turn: &mut Turn<'_>,
    ) -> Result<TopicResults, Refusal> {
        if request.group.is_empty() {
            return Err(Refusal::InvalidGroupId);
        }
        let committer = Committer {
            generation: request.generation,
            member: &request.member,
            instance: request.instance.as_ref(),
            is_transactional: true,
        };
        match self.groups.get(&request.group) {
            Some(group) => validate_commit(group, &committer)?,
            None if request.generation < 0 => {}
            None => return Err(Refusal::IllegalGeneration),
        }
        turn.out.producer = Some(Producer {
            id: request.producer,
            epoch: request.epoch,
        });
        Ok(offsets::commit(&request.group, request.topics, None, turn))
    }

    fn delete_offsets(
        &mut self,
        request: OffsetDelete,
        turn: &mut Turn<'_>,
    ) -> Result<TopicResults, Refusal> {
        let group = self.groups.get(&request.group);
        let group = group.ok_or(Refusal::GroupIdNotFound)?;
        if !group.is_empty() && !group.is_consumer_group() {
            return Err(Refusal::NonEmptyGroup);
        }
        let is_subscribed = |topic: &str| group.is_subscribed_to(topic);
        Ok(self.offsets.delete(request, is_subscribed, turn))
    }

    fn delete_group(&mut self, id: &GroupId, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        let group = self.groups.get(id).ok_or(Refusal::GroupIdNotFound)?;
        if !group.is_empty() {
            return Err(Refusal::NonEmptyGroup);
        }
        self.forget(id, turn);
        Ok(())
    }

    fn forget(&self, id: &GroupId, turn: &mut Turn<'_>) {
        turn.out.records.extend(self.offsets.tombstones(id));
        turn.record(GroupRecord::Classic(id.clone(), None));
    }

    /// Looks for offsets that have expired and groups that nothing is left of.
    pub(crate) fn expire_offsets(&mut self, turn: &mut Turn<'_>) {
        let mut again = turn.config.offsets_check_interval;
        for (id, group) in self.groups.iter() {
            if turn.out.records.len() >= EXPIRED_RECORDS_MAX {
                again = Duration::ZERO;
                break;
            }
            let expiry = Expiry {
                now: turn.world.now.wall,
                retention: turn.config.offsets_retention,
                since: unused_since(group),
            };
            let is_subscribed = |topic: &str| group.is_subscribed_to(topic);
            let (tombstones, none_left) = self.offsets.expired(id, expiry, is_subscribed);
            turn.out.records.extend(tombstones);
            if none_left && group.is_idle() {
                turn.record(GroupRecord::Classic(id.clone(), None));
            }
        }
        turn.set_timer(TimerKey::Expiry, again);
    }
}

fn unused_since(group: &ClassicGroup) -> UnusedSince {
    match (group.protocol_type.is_some(), group.state) {
        (false, _) => UnusedSince::Commit,
        (true, State::Empty) => UnusedSince::Empty(group.state_since),
        (true, State::Stable) if group.subscribed.is_some() => UnusedSince::Commit,
        _ => UnusedSince::Never,
    }
}

fn validate_commit(group: &ClassicGroup, by: &Committer<'_>) -> Result<(), Refusal> {
    if by.generation < 0 && group.is_empty() {
        return Ok(());
    }
    if by.generation >= 0 || !by.member.is_empty() || by.instance.is_some() {
        group.validate_member(by.member, by.instance)?;
        if by.generation != group.generation {
            return Err(Refusal::IllegalGeneration);
        }
    } else if !by.is_transactional && !group.is_empty() {
        return Err(Refusal::UnknownMemberId);
    }
    if !by.is_transactional && group.state == State::CompletingRebalance {
        return Err(Refusal::RebalanceInProgress);
    }
    Ok(())
}
