//! A group of either protocol, and what they have in common.

use crate::classic::{ClassicGroup, State};
use crate::consumer::ConsumerGroup;
use crate::names::{InstanceId, MemberId};
use crate::offsets::UnusedSince;
use crate::refusal::Refusal;
use crate::reply::ListedGroup;
use crate::schema::GroupRecord;

/// A group of either protocol.
#[derive(Clone, Debug)]
pub(crate) enum Group {
    Classic(Box<ClassicGroup>),
    Consumer(Box<ConsumerGroup>),
}

/// In whose name offsets are committed.
pub(crate) struct Committer<'a> {
    /// The generation or member epoch; negative for a simple consumer.
    pub(crate) generation: i32,
    pub(crate) member: &'a MemberId,
    pub(crate) instance: Option<&'a InstanceId>,
    pub(crate) is_transactional: bool,
    /// The errors of the consumer protocol are understood.
    pub(crate) knows_epochs: bool,
}

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_empty(),
            Self::Consumer(group) => group.is_empty(),
        }
    }

    /// Whether the group may be forgotten once its offsets are.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_idle(),
            Self::Consumer(group) => group.is_empty(),
        }
    }

    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed_to(topic),
            Self::Consumer(group) => group.is_subscribed_to(topic),
        }
    }

    pub(crate) fn listed(&self) -> ListedGroup {
        match self {
            Self::Classic(group) => group.listed(),
            Self::Consumer(group) => group.listed(),
        }
    }

    /// The tombstones of all that is stored of the group, offsets excepted.
    pub(crate) fn tombstones(&self) -> Vec<GroupRecord> {
        match self {
            Self::Classic(group) => vec![GroupRecord::Classic(group.id.clone(), None)],
            Self::Consumer(group) => group.tombstones(),
        }
    }

    /// The records that would bring the stored part of the group about.
    pub(crate) fn records(&self) -> Vec<GroupRecord> {
        match self {
            Self::Classic(group) => {
                let stored = group.stored.clone().into_iter();
                let record = |value| GroupRecord::Classic(group.id.clone(), Some(value));
                stored.map(record).collect()
            }
            Self::Consumer(group) => group.records(),
        }
    }

    pub(crate) fn unused_since(&self) -> UnusedSince {
        match self {
            Self::Classic(group) => unused_since(group),
            Self::Consumer(_) => UnusedSince::Commit,
        }
    }

    /// Whether offsets may be deleted one by one.
    pub(crate) fn validate_offset_delete(&self) -> Result<(), Refusal> {
        match self {
            Self::Classic(group) if !group.is_empty() && !group.is_consumer_group() => {
                Err(Refusal::NonEmptyGroup)
            }
            _ => Ok(()),
        }
    }

    /// Whether this committer may commit.
    pub(crate) fn validate_commit(&self, by: &Committer<'_>) -> Result<(), Refusal> {
        match self {
            Self::Classic(group) => classic_commit(group, by),
            Self::Consumer(group) => consumer_commit(group, by),
        }
    }

    /// Whether this member, at this epoch, may fetch.
    pub(crate) fn validate_fetch(
        &self,
        member: Option<&MemberId>,
        epoch: i32,
    ) -> Result<(), Refusal> {
        let (Self::Consumer(group), Some(member)) = (self, member) else {
            return Ok(());
        };
        if member.is_empty() && epoch < 0 {
            return Ok(());
        }
        let known = group.members.get(member).ok_or(Refusal::UnknownMemberId)?;
        match known.current.epoch == epoch {
            true => Ok(()),
            false if known.is_classic() => Err(Refusal::IllegalGeneration),
            false => Err(Refusal::StaleMemberEpoch),
        }
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

fn classic_commit(group: &ClassicGroup, by: &Committer<'_>) -> Result<(), Refusal> {
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

fn consumer_commit(group: &ConsumerGroup, by: &Committer<'_>) -> Result<(), Refusal> {
    let nameless = by.generation < 0 && by.member.is_empty() && by.instance.is_none();
    if (by.generation < 0 && group.is_empty()) || (by.is_transactional && nameless) {
        return Ok(());
    }
    let member = group
        .members
        .get(by.member)
        .ok_or(Refusal::UnknownMemberId)?;
    if !by.is_transactional && !member.is_classic() && !by.knows_epochs {
        return Err(Refusal::UnsupportedVersion);
    }
    match member.current.epoch == by.generation {
        true => Ok(()),
        // A transactional client knows generations only.
        false if member.is_classic() || by.is_transactional => Err(Refusal::IllegalGeneration),
        false => Err(Refusal::StaleMemberEpoch),
    }
}
