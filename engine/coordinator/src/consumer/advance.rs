//! What a member's report leads to, in four steps: the member as it is now,
//! the group epoch if that changes anything, a target assignment for that
//! epoch, and the member's own step towards it.

use super::assign::{self, Candidate};
use super::reconcile::{Goal, reconcile};
use super::topics::{Matched, Membership};
use super::{AWAY, ConsumerGroup, ConsumerMember, JOINING};
use crate::command::Client;
use crate::names::{InstanceId, MemberId, TopicId};
use crate::refusal::Refusal;
use crate::schema::{
    ClassicMetadata, CurrentValue, EpochValue, GroupRecord, MemberState, MemberValue, Partitions,
};
use crate::turn::{TimerKey, Turn};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

/// What a member says; `None` where nothing has changed.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) member: MemberId,
    /// The epoch it is at; members of the classic protocol are not asked.
    pub(super) epoch: Option<i32>,
    /// Whether it may be one that the group does not know.
    pub(super) joins: bool,
    pub(super) instance: Option<InstanceId>,
    pub(super) rack: Option<String>,
    pub(super) client: Client,
    pub(super) rebalance_timeout: Option<Duration>,
    pub(super) topics: Option<BTreeSet<String>>,
    pub(super) regex: Option<String>,
    pub(super) assignor: Option<String>,
    pub(super) owned: Option<Partitions>,
    pub(super) classic: Option<ClassicMetadata>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Advanced {
    pub(super) before: CurrentValue,
    pub(super) after: CurrentValue,
    pub(super) value: MemberValue,
    /// The static member whose place it took.
    pub(super) replaced: Option<MemberId>,
}

/// A member on its way in.
struct Entered {
    member: ConsumerMember,
    replaced: Option<MemberId>,
}

impl ConsumerGroup {
    pub(super) fn advance(
        &mut self,
        report: Report,
        turn: &mut Turn<'_>,
    ) -> Result<Advanced, Refusal> {
        let entered = self.enter(&report, turn)?;
        let before = entered.member;
        let value = updated(&before.value, &report);
        let is_changed = value.topics != before.value.topics || value.regex != before.value.regex;
        let without: Vec<&MemberId> = entered.replaced.iter().collect();
        let membership = Membership {
            group: self,
            without: &without,
            with: Some((&report.member, &value)),
        };
        let version = turn.world.topics.version();
        let is_stale = self.checked != Some(version);
        let mut epoch = self.epoch;
        let is_behind = epoch.epoch > self.target_epoch;
        let matched = match is_changed || is_stale || is_behind {
            true => membership.matched(turn.world.topics)?,
            false => Matched::new(),
        };
        if value != before.value {
            let (group, member) = (self.id.clone(), report.member.clone());
            turn.record(GroupRecord::Member(group, member, Some(value.clone())));
        }
        let mut is_settled = false;
        if is_changed || is_stale {
            membership.record_regexes(&matched, turn);
            let metadata_hash = membership.hash(&matched, turn.world.topics);
            if is_changed || metadata_hash != epoch.metadata_hash {
                epoch = EpochValue {
                    epoch: epoch.epoch + 1,
                    metadata_hash,
                };
                turn.record(GroupRecord::Epoch(self.id.clone(), Some(epoch)));
            } else {
                is_settled = turn.out.records.is_empty();
            }
        }
        let (target_epoch, target) = if epoch.epoch > self.target_epoch {
            let target = self.retarget(&membership, &matched, epoch.epoch, turn);
            (epoch.epoch, target)
        } else {
            let owner = entered.replaced.as_ref().unwrap_or(&report.member);
            let target = self.targets.get(owner).cloned();
            (self.target_epoch, target.unwrap_or_default())
        };
        let goal = Goal {
            epoch: target_epoch,
            target: &target,
            owned: report.owned.as_ref(),
            is_owned: &|topic, index| self.owners.contains_key(&(topic, index)),
        };
        let after = reconcile(&before.current, &goal);
        if after != before.current {
            self.record_step(&report, &after, &value, turn);
        }
        if is_settled {
            self.checked = Some(version);
        }
        Ok(Advanced {
            before: before.current,
            after,
            value,
            replaced: entered.replaced,
        })
    }

    fn record_step(
        &self,
        report: &Report,
        after: &CurrentValue,
        value: &MemberValue,
        turn: &mut Turn<'_>,
    ) {
        let (group, member) = (self.id.clone(), report.member.clone());
        let record = GroupRecord::Current(group.clone(), member.clone(), Some(after.clone()));
        turn.record(record);
        let timer = TimerKey::Revocation(group, member);
        if after.state == MemberState::UnrevokedPartitions && report.classic.is_none() {
            turn.set_timer(timer, value.rebalance_timeout);
        } else {
            turn.timers.cancel(&timer);
        }
    }

    /// Lets a member in: known, new, or in the place of a static one.
    fn enter(&self, report: &Report, turn: &mut Turn<'_>) -> Result<Entered, Refusal> {
        let known = self.members.get(&report.member);
        let holder = report
            .instance
            .as_ref()
            .and_then(|i| self.static_members.get(i));
        if let Some(holder) = holder
            && report.joins
        {
            return self.replace(holder, report, turn);
        }
        let member = match known {
            None if report.joins => ConsumerMember::default(),
            _ => {
                let instance = report.instance.as_ref().filter(|_| !report.joins);
                let member = self.named(&report.member, instance)?;
                if let Some(epoch) = report.epoch {
                    validate_epoch(&member.current, epoch, report.owned.as_ref())?;
                }
                member.clone()
            }
        };
        Ok(Entered {
            member,
            replaced: None,
        })
    }

    fn replace(
        &self,
        holder: &MemberId,
        report: &Report,
        turn: &mut Turn<'_>,
    ) -> Result<Entered, Refusal> {
        let old = self.members.get(holder).ok_or(Refusal::UnknownMemberId)?;
        let both_consumers = report.classic.is_none() && !old.is_classic();
        if both_consumers && old.current.epoch != AWAY {
            return Err(Refusal::UnreleasedInstanceId);
        }
        let mut member = old.clone();
        member.current.epoch = JOINING;
        member.current.previous_epoch = JOINING;
        for record in self.member_tombstones(holder) {
            turn.record(record);
        }
        self.end_timers(holder, turn);
        let (group, id) = (self.id.clone(), report.member.clone());
        let target = self.targets.get(holder).cloned().unwrap_or_default();
        let value = Some(member.value.clone());
        turn.record(GroupRecord::Member(group.clone(), id.clone(), value));
        turn.record(GroupRecord::Target(group.clone(), id.clone(), Some(target)));
        let current = Some(member.current.clone());
        turn.record(GroupRecord::Current(group, id, current));
        Ok(Entered {
            member,
            replaced: Some(holder.clone()),
        })
    }

    /// Computes who should own what; returns the share of the member that
    /// reports.
    fn retarget(
        &self,
        membership: &Membership<'_>,
        matched: &Matched,
        epoch: i32,
        turn: &mut Turn<'_>,
    ) -> Partitions {
        let mut subscriptions: BTreeMap<(&BTreeSet<String>, Option<&String>), assign::Topics> =
            BTreeMap::new();
        let mut candidates = assign::Candidates::new();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for (id, value) in membership.values() {
            if let Some(assignor) = &value.assignor {
                *votes.entry(assignor).or_default() += 1;
            }
            let key = (&value.topics, value.regex.as_ref());
            let topics = subscriptions.entry(key).or_insert_with(|| {
                let matched = value.regex.as_ref().and_then(|r| matched.get(r));
                let names = value.topics.iter().chain(matched.into_iter().flatten());
                let known = names.filter_map(|name| turn.world.topics.by_name(name));
                Rc::new(known.map(|info| (info.id, info.partitions)).collect())
            });
            let holder = match membership.with {
                Some((with, _)) if with == id => membership.without.first().copied(),
                _ => None,
            };
            let candidate = Candidate {
                topics: topics.clone(),
                instance: value.instance.as_ref(),
                before: self.targets.get(holder.unwrap_or(id)),
            };
            candidates.insert(id, candidate);
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count);
        let assignor = most.map_or(assign::DEFAULT, |(name, _)| name);
        let mut assigned = assign::assign(assignor, &candidates);
        for (id, target) in &assigned {
            if self.targets.get(id) != Some(target) {
                let (group, target) = (self.id.clone(), target.clone());
                turn.record(GroupRecord::Target(group, id.clone(), Some(target)));
            }
        }
        turn.record(GroupRecord::TargetEpoch(self.id.clone(), Some(epoch)));
        let own = membership.with.and_then(|(id, _)| assigned.remove(id));
        own.unwrap_or_default()
    }
}

fn updated(before: &MemberValue, report: &Report) -> MemberValue {
    let or = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
    let regex = or(&report.regex, &before.regex);
    MemberValue {
        instance: report.instance.clone().or_else(|| before.instance.clone()),
        rack: or(&report.rack, &before.rack),
        client_id: report.client.id.clone(),
        client_host: report.client.host.clone(),
        topics: report
            .topics
            .clone()
            .unwrap_or_else(|| before.topics.clone()),
        regex: regex.filter(|r| !r.is_empty()),
        rebalance_timeout: report.rebalance_timeout.unwrap_or(before.rebalance_timeout),
        assignor: or(&report.assignor, &before.assignor),
        classic: report.classic.clone(),
    }
}

/// Whether a member at `epoch` may go on. One that has missed an answer is at
/// the epoch before and owns no more than it was given; one that begins anew
/// owns nothing, and may unless it still has to revoke, since a late copy of
/// its first request would then pass for a revocation.
fn validate_epoch(
    current: &CurrentValue,
    epoch: i32,
    owned: Option<&Partitions>,
) -> Result<(), Refusal> {
    let owns_at_most = |assigned: &Partitions| {
        let fits = |(topic, indexes): (&TopicId, &BTreeSet<_>)| {
            let assigned = assigned.get(topic);
            assigned.is_some_and(|assigned| indexes.is_subset(assigned))
        };
        owned.is_some_and(|owned| owned.iter().all(fits))
    };
    let begins_anew = epoch == JOINING && current.state != MemberState::UnrevokedPartitions;
    let missed_an_answer = epoch < current.epoch && epoch == current.previous_epoch;
    if epoch == current.epoch
        || ((begins_anew || missed_an_answer) && owns_at_most(&current.assigned))
    {
        Ok(())
    } else {
        Err(Refusal::FencedMemberEpoch)
    }
}
