//! ConsumerGroupHeartbeat, versions 0 and 1.

use super::advance::Report;
use super::topics::compile;
use super::{AWAY, ConsumerGroup, JOINING, LEAVING, assign};
use crate::command::ConsumerHeartbeat;
use crate::names::{InstanceId, MemberId};
use crate::refusal::Refusal;
use crate::reply::ConsumerHeartbeatReply;
use crate::schema::{CurrentValue, GroupRecord, Partitions};
use crate::turn::{TimerKey, Turn};

/// Checks that need no group.
pub(crate) fn validate(request: &ConsumerHeartbeat) -> Result<(), Refusal> {
    let is_empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    let no_member = request.member.is_empty() && (request.member_id_required || request.epoch != 0);
    let nameless = request.instance.as_ref().is_some_and(InstanceId::is_empty);
    if request.group.is_empty() || no_member || nameless || is_empty(&request.rack) {
        return Err(Refusal::InvalidRequest);
    }
    match request.epoch {
        JOINING => {
            let named = request.topics.as_ref().is_some_and(|t| !t.is_empty());
            let matched = request.regex.as_ref().is_some_and(|r| !r.is_empty());
            let owns_nothing = request.owned.as_ref().is_some_and(Vec::is_empty);
            if request.rebalance_timeout.is_none() || !owns_nothing || !(named || matched) {
                return Err(Refusal::InvalidRequest);
            }
        }
        AWAY if request.instance.is_none() => return Err(Refusal::InvalidRequest),
        ..AWAY => return Err(Refusal::InvalidRequest),
        _ => {}
    }
    if request
        .assignor
        .as_deref()
        .is_some_and(|a| !assign::is_known(a))
    {
        return Err(Refusal::UnsupportedAssignor);
    }
    if let Some(regex) = &request.regex {
        compile(regex)?;
    }
    Ok(())
}

impl ConsumerGroup {
    /// A report of a member that stays or joins.
    pub(crate) fn heartbeat(
        &mut self,
        request: ConsumerHeartbeat,
        turn: &mut Turn<'_>,
    ) -> Result<ConsumerHeartbeatReply, Refusal> {
        let member = match request.member.is_empty() {
            true => MemberId::from(turn.ids.uuid().to_string()),
            false => request.member,
        };
        let is_full = turn.config.consumer_max_size <= self.members.len();
        if is_full && !self.members.contains_key(&member) {
            return Err(Refusal::GroupMaxSizeReached);
        }
        let tells_all = request.rebalance_timeout.is_some()
            && request.topics.is_some()
            && request.owned.is_some();
        let owned = request.owned.map(|topics| {
            let topics = topics.into_iter();
            topics
                .map(|(topic, indexes)| (topic, indexes.into_iter().collect()))
                .collect()
        });
        let report = Report {
            member: member.clone(),
            epoch: Some(request.epoch),
            joins: request.epoch == JOINING,
            instance: request.instance,
            rack: request.rack,
            client: request.client,
            rebalance_timeout: request.rebalance_timeout,
            topics: request.topics,
            regex: request.regex,
            assignor: request.assignor,
            owned,
            classic: None,
        };
        let advanced = self.advance(report, turn)?;
        let timer = TimerKey::Session(self.id.clone(), member.clone());
        turn.set_timer(timer, turn.config.consumer_session_timeout);
        let is_told = request.epoch == JOINING
            || tells_all
            || advanced.before.assigned != advanced.after.assigned;
        Ok(ConsumerHeartbeatReply {
            member,
            epoch: advanced.after.epoch,
            heartbeat_interval: turn.config.consumer_heartbeat_interval,
            assignment: is_told.then_some(advanced.after.assigned),
        })
    }

    /// A report of a member that leaves, for good or for a while.
    pub(crate) fn farewell(
        &self,
        request: &ConsumerHeartbeat,
        turn: &mut Turn<'_>,
    ) -> Result<ConsumerHeartbeatReply, Refusal> {
        let member = self.named(&request.member, request.instance.as_ref())?;
        if request.epoch == AWAY {
            let current = CurrentValue {
                epoch: AWAY,
                revoking: Partitions::new(),
                ..member.current.clone()
            };
            let (group, id) = (self.id.clone(), request.member.clone());
            turn.record(GroupRecord::Current(group, id, Some(current)));
        } else {
            debug_assert_eq!(request.epoch, LEAVING);
            self.expel(std::slice::from_ref(&request.member), turn);
        }
        Ok(ConsumerHeartbeatReply {
            member: request.member.clone(),
            epoch: request.epoch,
            heartbeat_interval: turn.config.consumer_heartbeat_interval,
            assignment: None,
        })
    }
}
