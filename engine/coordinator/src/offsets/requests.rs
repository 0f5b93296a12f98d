//! OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete, DeleteGroups and
//! the expiry of offsets: who may, and what comes of it.

use super::{Expiry, commit};
use crate::classic::State;
use crate::command::{OffsetCommit, OffsetDelete, OffsetFetch, TxnOffsetCommit};
use crate::group::{Committer, Group};
use crate::names::GroupId;
use crate::refusal::Refusal;
use crate::reply::{FetchedTopics, TopicResults};
use crate::settle::Parts;
use crate::step::Producer;
use crate::turn::{TimerKey, Turn};
use std::time::Duration;

/// How many tombstones one look for expired offsets may write.
const EXPIRED_RECORDS_MAX: usize = 1000;

impl Parts<'_> {
    pub(crate) fn commit(
        &mut self,
        request: OffsetCommit,
        turn: &mut Turn<'_>,
    ) -> Result<TopicResults, Refusal> {
        let committer = Committer {
            generation: request.generation,
            member: &request.member,
            instance: request.instance.as_ref(),
            is_transactional: false,
            knows_epochs: request.knows_epochs,
        };
        match self.groups.get(&request.group) {
            Some(group) => {
                group.validate_commit(&committer)?;
                if let Group::Classic(classic) = group
                    && matches!(classic.state, State::Stable | State::PreparingRebalance)
                {
                    classic.renew_session(&request.member, turn);
                }
            }
            None if request.generation < 0 => {}
            None if request.knows_epochs => return Err(Refusal::GroupIdNotFound),
            None => return Err(Refusal::IllegalGeneration),
        }
        Ok(commit(
            &request.group,
            request.topics,
            request.retention,
            turn,
        ))
    }

    pub(crate) fn txn_commit(
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
            knows_epochs: false,
        };
        match self.groups.get(&request.group) {
            Some(group) => group.validate_commit(&committer)?,
            None if request.generation < 0 => {}
            None => return Err(Refusal::IllegalGeneration),
        }
        turn.out.producer = Some(Producer {
            id: request.producer,
            epoch: request.epoch,
        });
        Ok(commit(&request.group, request.topics, None, turn))
    }

    pub(crate) fn fetch(&self, request: &OffsetFetch) -> Result<FetchedTopics, Refusal> {
        if let Some(group) = self.groups.get(&request.group) {
            group.validate_fetch(request.member.as_ref(), request.epoch)?;
        }
        Ok(self.offsets.fetch(request))
    }

    pub(crate) fn delete_offsets(
        &mut self,
        request: OffsetDelete,
        turn: &mut Turn<'_>,
    ) -> Result<TopicResults, Refusal> {
        let group = self.groups.get(&request.group);
        let group = group.ok_or(Refusal::GroupIdNotFound)?;
        group.validate_offset_delete()?;
        let is_subscribed = |topic: &str| group.is_subscribed_to(topic);
        Ok(self.offsets.delete(request, is_subscribed, turn))
    }

    pub(crate) fn delete_group(
        &mut self,
        id: &GroupId,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        let group = self.groups.get(id).ok_or(Refusal::GroupIdNotFound)?;
        if !group.is_empty() {
            return Err(Refusal::NonEmptyGroup);
        }
        turn.out.records.extend(self.offsets.tombstones(id));
        turn.out.records.extend(group.tombstones());
        Ok(())
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
                since: group.unused_since(),
            };
            let is_subscribed = |topic: &str| group.is_subscribed_to(topic);
            let (tombstones, none_left) = self.offsets.expired(id, expiry, is_subscribed);
            turn.out.records.extend(tombstones);
            if none_left && group.is_idle() {
                turn.out.records.extend(group.tombstones());
            }
        }
        turn.set_timer(TimerKey::Expiry, again);
    }
}
