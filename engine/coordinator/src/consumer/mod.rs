//! A group of the consumer protocol (KIP-848): the coordinator assigns, and
//! members move towards their assignment one heartbeat at a time.
//!
//! Three epochs carry it. The *group epoch* goes up whenever membership, a
//! subscription or the subscribed topics change. The *target epoch* is the
//! group epoch that the target assignment was computed for. A *member epoch*
//! is the target epoch that a member has reached: it first gives up what is no
//! longer its own, then moves on, then receives what others have given up.
//!
//! Invariants: a partition has one owner at a time (`owners`); a member that
//! still has to revoke stays at its epoch; target ≤ group epoch. Everything
//! here but `checked` is hard state or derived from it, and changes in `apply`
//! alone; heartbeats read the group and write records.
//!
//! Members that still speak the classic protocol take part through JoinGroup,
//! SyncGroup and Heartbeat, so that a group changes over member by member.

mod advance;
mod assign;
mod bridge;
mod convert;
mod depart;
mod describe;
mod heartbeat;
mod reconcile;
mod topics;

pub(crate) use convert::{downgraded, upgraded};
pub use describe::{DescribedConsumer, DescribedConsumerGroup};
pub(crate) use heartbeat::validate;

use crate::names::{GroupId, InstanceId, MemberId, TopicId};
use crate::refusal::Refusal;
use crate::schema::{
    CurrentValue, EpochValue, GroupRecord, MemberState, MemberValue, Partitions, RegexValue,
};
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeMap;
use std::time::Duration;

/// A member's epoch as it joins.
pub(crate) const JOINING: i32 = 0;
/// A member's epoch as it leaves for good.
pub(crate) const LEAVING: i32 = -1;
/// A static member's epoch as it leaves for a while.
pub(crate) const AWAY: i32 = -2;

/// A member of the consumer protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerMember {
    pub(crate) value: MemberValue,
    pub(crate) current: CurrentValue,
}

impl Default for ConsumerMember {
    fn default() -> Self {
        Self {
            value: MemberValue {
                instance: None,
                rack: None,
                client_id: String::new(),
                client_host: String::new(),
                topics: Default::default(),
                regex: None,
                rebalance_timeout: Duration::ZERO,
                assignor: None,
                classic: None,
            },
            current: CurrentValue::default(),
        }
    }
}

impl ConsumerMember {
    pub(crate) const fn is_classic(&self) -> bool {
        self.value.classic.is_some()
    }

    fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.current.state == MemberState::Stable && self.current.epoch == target_epoch
    }
}

/// A group of the consumer protocol.
#[derive(Clone, Debug)]
pub(crate) struct ConsumerGroup {
    pub(crate) id: GroupId,
    pub(crate) epoch: EpochValue,
    pub(crate) members: BTreeMap<MemberId, ConsumerMember>,
    pub(crate) target_epoch: i32,
    pub(crate) targets: BTreeMap<MemberId, Partitions>,
    regexes: BTreeMap<String, RegexValue>,
    /// Derived: who has each static identity.
    static_members: BTreeMap<InstanceId, MemberId>,
    /// Derived: who has each partition, to own or still to revoke.
    owners: BTreeMap<(TopicId, PartitionIndex), MemberId>,
    /// Soft: the version of the topics that the subscriptions were last
    /// resolved against, with nothing found to have changed.
    checked: Option<i64>,
}

impl ConsumerGroup {
    pub(crate) fn new(id: GroupId) -> Self {
        Self {
            id,
            epoch: EpochValue {
                epoch: 0,
                metadata_hash: 0,
            },
            members: BTreeMap::new(),
            target_epoch: 0,
            targets: BTreeMap::new(),
            regexes: BTreeMap::new(),
            static_members: BTreeMap::new(),
            owners: BTreeMap::new(),
            checked: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn state(&self) -> &'static str {
        let reconciled = |m: &ConsumerMember| m.is_reconciled_to(self.target_epoch);
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch.epoch > self.target_epoch {
            "Assigning"
        } else if self.members.values().all(reconciled) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// Whether any member reads `topic`.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        let named = |m: &ConsumerMember| m.value.topics.contains(topic);
        let matched = |r: &RegexValue| r.topics.contains(topic);
        self.members.values().any(named) || self.regexes.values().any(matched)
    }

    /// The one place where the group changes.
    pub(crate) fn apply(&mut self, record: GroupRecord) {
        match record {
            GroupRecord::Epoch(_, Some(value)) => self.epoch = value,
            GroupRecord::TargetEpoch(_, Some(epoch)) => self.target_epoch = epoch,
            GroupRecord::Member(_, id, Some(value)) => self.replay_member(id, value),
            GroupRecord::Member(_, id, None) => self.forget(&id),
            GroupRecord::Target(_, id, Some(target)) => {
                self.targets.insert(id, target);
            }
            GroupRecord::Target(_, id, None) => {
                self.targets.remove(&id);
            }
            GroupRecord::Current(_, id, Some(value)) => {
                self.release(&id);
                self.own(&id, &value);
                self.members.entry(id).or_default().current = value;
            }
            GroupRecord::Current(_, id, None) => {
                self.release(&id);
                if let Some(member) = self.members.get_mut(&id) {
                    member.current = CurrentValue::default();
                }
            }
            GroupRecord::Regex(_, regex, Some(value)) => {
                self.regexes.insert(regex, value);
            }
            GroupRecord::Regex(_, regex, None) => {
                self.regexes.remove(&regex);
            }
            _ => {}
        }
    }

    fn replay_member(&mut self, id: MemberId, value: MemberValue) {
        if let Some(instance) = &value.instance {
            self.static_members.insert(instance.clone(), id.clone());
        }
        self.members.entry(id).or_default().value = value;
    }

    fn forget(&mut self, id: &MemberId) {
        self.release(id);
        let instance = self.members.remove(id).and_then(|m| m.value.instance);
        if let Some(instance) = instance
            && self.static_members.get(&instance) == Some(id)
        {
            self.static_members.remove(&instance);
        }
    }

    fn own(&mut self, id: &MemberId, value: &CurrentValue) {
        for place in places(&value.assigned).chain(places(&value.revoking)) {
            self.owners.insert(place, id.clone());
        }
    }

    /// In a compacted journal a member's older records may be gone, so only
    /// what is still its own is released.
    fn release(&mut self, id: &MemberId) {
        let Some(member) = self.members.get(id) else {
            return;
        };
        let current = &member.current;
        for place in places(&current.assigned).chain(places(&current.revoking)) {
            if self.owners.get(&place) == Some(id) {
                self.owners.remove(&place);
            }
        }
    }

    /// Whether a request with this member and static identity may go on.
    fn named(
        &self,
        id: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Result<&ConsumerMember, Refusal> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(Refusal::UnknownMemberId),
                Some(owner) if owner != id => return Err(Refusal::FencedInstanceId),
                Some(_) => {}
            }
        }
        self.members.get(id).ok_or(Refusal::UnknownMemberId)
    }

    /// The records that would bring the group about, in the order in which
    /// they may be replayed.
    pub(crate) fn records(&self) -> Vec<GroupRecord> {
        let id = || self.id.clone();
        let mut records = Vec::new();
        for (member, m) in &self.members {
            let value = Some(m.value.clone());
            records.push(GroupRecord::Member(id(), member.clone(), value));
        }
        for (regex, value) in &self.regexes {
            let value = Some(value.clone());
            records.push(GroupRecord::Regex(id(), regex.clone(), value));
        }
        records.push(GroupRecord::Epoch(id(), Some(self.epoch)));
        for (member, target) in &self.targets {
            let target = Some(target.clone());
            records.push(GroupRecord::Target(id(), member.clone(), target));
        }
        records.push(GroupRecord::TargetEpoch(id(), Some(self.target_epoch)));
        for (member, m) in &self.members {
            let current = Some(m.current.clone());
            records.push(GroupRecord::Current(id(), member.clone(), current));
        }
        records
    }

    /// The tombstones of everything the group has stored.
    pub(crate) fn tombstones(&self) -> Vec<GroupRecord> {
        let id = || self.id.clone();
        let mut records = Vec::new();
        for member in self.members.keys() {
            records.extend(self.member_tombstones(member));
        }
        let targets = self.targets.keys();
        for member in targets.filter(|m| !self.members.contains_key(*m)) {
            records.push(GroupRecord::Target(id(), member.clone(), None));
        }
        for regex in self.regexes.keys() {
            records.push(GroupRecord::Regex(id(), regex.clone(), None));
        }
        records.push(GroupRecord::TargetEpoch(id(), None));
        records.push(GroupRecord::Epoch(id(), None));
        records
    }

    fn member_tombstones(&self, member: &MemberId) -> [GroupRecord; 3] {
        let id = || self.id.clone();
        [
            GroupRecord::Current(id(), member.clone(), None),
            GroupRecord::Target(id(), member.clone(), None),
            GroupRecord::Member(id(), member.clone(), None),
        ]
    }
}

/// Each partition of an assignment.
fn places(partitions: &Partitions) -> impl Iterator<Item = (TopicId, PartitionIndex)> + '_ {
    let topics = partitions.iter();
    topics.flat_map(|(topic, indexes)| indexes.iter().map(|index| (*topic, *index)))
}
