//! Members of the classic protocol in a group of the consumer protocol:
//! JoinGroup reports and asks, SyncGroup fetches the assignment, Heartbeat says
//! when to join again.

use super::advance::Report;
use super::convert::{by_id, by_name, version_of};
use super::{ConsumerGroup, ConsumerMember, downgraded};
use crate::classic::CONSUMER;
use crate::command::{Heartbeat, JoinGroup, LeaveGroup, LeavingMember, SyncGroup};
use crate::embedded::{Subscription, encode_assignment};
use crate::names::MemberId;
use crate::refusal::Refusal;
use crate::reply::{JoinRefused, Joined, LeaveResults, Synced};
use crate::schema::{ClassicMetadata, GroupRecord, MemberState};
use crate::turn::{TimerKey, Turn};

impl ConsumerGroup {
    pub(crate) fn join_classic(
        &mut self,
        request: JoinGroup,
        turn: &mut Turn<'_>,
    ) -> Result<Joined, JoinRefused> {
        let is_unknown = request.member.is_empty();
        let member = match is_unknown {
            true => turn.ids.member_id(&request.client.id),
            false => request.member.clone(),
        };
        let refuse = |why| JoinRefused {
            member: member.clone(),
            why,
        };
        let is_full = turn.config.consumer_max_size <= self.members.len();
        if is_full && !self.members.contains_key(&member) {
            return Err(refuse(Refusal::GroupMaxSizeReached));
        }
        if !self.supports(&member, &request) {
            return Err(refuse(Refusal::InconsistentGroupProtocol));
        }
        if is_unknown && request.member_id_required && request.instance.is_none() {
            return Err(refuse(Refusal::MemberIdRequired));
        }
        let Some((protocol, metadata)) = request.protocols.first() else {
            return Err(refuse(Refusal::InconsistentGroupProtocol));
        };
        let subscription = Subscription::decode(metadata)
            .map_err(|_| refuse(Refusal::InconsistentGroupProtocol))?;
        let report = Report {
            member: member.clone(),
            epoch: None,
            joins: is_unknown || request.instance.is_none(),
            instance: request.instance.clone(),
            rack: subscription.rack,
            client: request.client.clone(),
            rebalance_timeout: Some(request.rebalance_timeout),
            topics: Some(subscription.topics),
            regex: None,
            assignor: None,
            owned: Some(by_id(&subscription.owned, turn.world.topics)),
            classic: Some(ClassicMetadata {
                session_timeout: request.session_timeout,
                protocols: request.protocols.clone(),
            }),
        };
        let advanced = self.advance(report, turn).map_err(refuse)?;
        if advanced.replaced.is_some() {
            self.downgrade_if_last(turn);
        }
        let timer = |key: fn(_, _) -> TimerKey| key(self.id.clone(), member.clone());
        turn.timers.cancel(&timer(TimerKey::MemberJoin));
        turn.set_timer(timer(TimerKey::Session), request.session_timeout);
        turn.set_timer(
            timer(TimerKey::MemberSync),
            advanced.value.rebalance_timeout,
        );
        Ok(Joined {
            generation: advanced.after.epoch,
            protocol_type: Some(CONSUMER.to_owned()),
            protocol: Some(protocol.clone()),
            leader: MemberId::default(),
            skip_assignment: false,
            member,
            members: Vec::new(),
        })
    }

    /// Whether the request has a protocol that all classic members offer.
    fn supports(&self, member: &MemberId, request: &JoinGroup) -> bool {
        let others = self.members.iter().filter(|(id, _)| *id != member);
        let others: Vec<_> = others
            .filter_map(|(_, m)| m.value.classic.as_ref())
            .collect();
        let shared = |name: &String| {
            others
                .iter()
                .all(|c| c.protocols.iter().any(|(offered, _)| offered == name))
        };
        request.protocol_type == CONSUMER && request.protocols.iter().any(|(name, _)| shared(name))
    }

    /// A static member has come back with the classic protocol in place of the
    /// last one that spoke the new.
    fn downgrade_if_last(&self, turn: &mut Turn<'_>) {
        let mut after = self.clone();
        for record in &turn.out.records {
            after.apply(record.clone());
        }
        if let Some(classic) = downgraded(&after, turn) {
            turn.out.records.extend(after.tombstones());
            turn.record(GroupRecord::Classic(self.id.clone(), Some(classic)));
            turn.out.downgraded = Some((self.id.clone(), false));
        }
    }

    /// A member that must speak the classic protocol, at this epoch.
    fn classic_at(
        &self,
        request: (&MemberId, Option<&crate::names::InstanceId>, i32),
    ) -> Result<(&ConsumerMember, &ClassicMetadata), Refusal> {
        let (id, instance, generation) = request;
        let member = self.named(id, instance)?;
        let classic = member
            .value
            .classic
            .as_ref()
            .ok_or(Refusal::UnknownMemberId)?;
        if member.current.epoch == generation {
            Ok((member, classic))
        } else {
            Err(Refusal::IllegalGeneration)
        }
    }

    pub(crate) fn sync_classic(
        &self,
        request: &SyncGroup,
        turn: &mut Turn<'_>,
    ) -> Result<Synced, Refusal> {
        let id = &request.member;
        let at = (id, request.instance.as_ref(), request.generation);
        let (member, classic) = self.classic_at(at)?;
        let (protocol, metadata) = classic
            .protocols
            .first()
            .ok_or(Refusal::UnknownServerError)?;
        let differs = |said: &Option<String>, is: &str| said.as_deref().is_some_and(|s| s != is);
        if differs(&request.protocol_type, CONSUMER) || differs(&request.protocol, protocol) {
            return Err(Refusal::InconsistentGroupProtocol);
        }
        let is_behind = self.epoch.epoch > member.current.epoch;
        if is_behind && member.current.state != MemberState::UnrevokedPartitions {
            self.ask_to_join(id, member, turn);
            return Err(Refusal::RebalanceInProgress);
        }
        turn.timers
            .cancel(&TimerKey::MemberSync(self.id.clone(), id.clone()));
        let session = TimerKey::Session(self.id.clone(), id.clone());
        turn.set_timer(session, classic.session_timeout);
        let assigned = by_name(&member.current.assigned, turn.world.topics);
        Ok(Synced {
            protocol_type: Some(CONSUMER.to_owned()),
            protocol: Some(protocol.clone()),
            assignment: encode_assignment(version_of(metadata), &assigned),
        })
    }

    pub(crate) fn heartbeat_classic(
        &self,
        request: &Heartbeat,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        let id = &request.member;
        let at = (id, request.instance.as_ref(), request.generation);
        let (member, classic) = self.classic_at(at)?;
        let session = TimerKey::Session(self.id.clone(), id.clone());
        turn.set_timer(session, classic.session_timeout);
        let must_join = member.current.epoch < self.epoch.epoch
            || match member.current.state {
                MemberState::Stable => false,
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => !self.waits_for_others(id, member),
            };
        if must_join {
            self.ask_to_join(id, member, turn);
            return Err(Refusal::RebalanceInProgress);
        }
        Ok(())
    }

    fn ask_to_join(&self, id: &MemberId, member: &ConsumerMember, turn: &mut Turn<'_>) {
        let key = TimerKey::MemberJoin(self.id.clone(), id.clone());
        let at = turn.after(member.value.rebalance_timeout);
        turn.timers.set_if_absent(key, at);
    }

    /// Whether something of the member's target is still with another.
    fn waits_for_others(&self, id: &MemberId, member: &ConsumerMember) -> bool {
        let Some(target) = self.targets.get(id) else {
            return false;
        };
        let wanted = super::reconcile::without(target, &member.current.assigned);
        super::places(&wanted).any(|place| self.owners.contains_key(&place))
    }

    pub(crate) fn leave_classic(&self, request: LeaveGroup, turn: &mut Turn<'_>) -> LeaveResults {
        let mut gone = Vec::new();
        let mut outcomes = Vec::with_capacity(request.members.len());
        for leaving in request.members {
            let found = self.classic_leaving(&leaving);
            let outcome = found.map(|id| {
                if !gone.contains(&id) {
                    gone.push(id);
                }
            });
            outcomes.push((leaving, outcome));
        }
        if !gone.is_empty() {
            self.expel(&gone, turn);
        }
        outcomes
    }

    fn classic_leaving(&self, leaving: &LeavingMember) -> Result<MemberId, Refusal> {
        let owner = leaving
            .instance
            .as_ref()
            .map(|i| self.static_members.get(i));
        let id = match owner {
            Some(owner) if leaving.member.is_empty() => owner.ok_or(Refusal::UnknownMemberId)?,
            _ => &leaving.member,
        };
        let member = self.named(id, leaving.instance.as_ref())?;
        match member.is_classic() {
            true => Ok(id.clone()),
            false => Err(Refusal::UnknownMemberId),
        }
    }
}
