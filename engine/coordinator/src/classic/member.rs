//! A member of a classic group.

use super::ClassicGroup;
use crate::command::{Client, JoinGroup};
use crate::names::{InstanceId, MemberId};
use crate::refusal::Refusal;
use crate::reply::{JoinRefused, Joined, Reply, Synced};
use crate::schema::ClassicMemberValue;
use crate::step::Token;
use crate::turn::{TimerKey, Turn};
use bytes::Bytes;
use std::time::Duration;

/// A member of a classic group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<InstanceId>,
    pub(crate) client: Client,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) session_timeout: Duration,
    /// What it offers, best first, each with its metadata.
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// What it was assigned in the present generation.
    pub(crate) assignment: Bytes,
    pub(super) awaiting_join: Option<Token>,
    pub(super) awaiting_sync: Option<Token>,
    /// It has not been through a rebalance yet.
    pub(super) is_new: bool,
}

impl Member {
    pub(super) fn new(request: &JoinGroup) -> Self {
        Self {
            instance: request.instance.clone(),
            client: request.client.clone(),
            rebalance_timeout: request.rebalance_timeout,
            session_timeout: request.session_timeout,
            protocols: request.protocols.clone(),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
        }
    }

    pub(super) fn from_value(value: &ClassicMemberValue, protocol: String) -> Self {
        Self {
            instance: value.instance.clone(),
            client: Client {
                id: value.client_id.clone(),
                host: value.client_host.clone(),
            },
            rebalance_timeout: value.rebalance_timeout,
            session_timeout: value.session_timeout,
            protocols: vec![(protocol, value.subscription.clone())],
            assignment: value.assignment.clone(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    pub(super) const fn is_awaiting_join(&self) -> bool {
        self.awaiting_join.is_some()
    }

    pub(super) fn offers(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// Its metadata for `protocol`, empty when it does not offer it.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let offer = self.protocols.iter().find(|(name, _)| name == protocol);
        offer
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    /// Whether a heartbeat is not owed at this moment.
    pub(super) const fn is_excused(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}

impl ClassicGroup {
    /// Makes a member wait for the join phase to end. A request that already
    /// waits in its name is told to start over.
    pub(super) fn await_join(&mut self, id: &MemberId, token: Token, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        if let Some(earlier) = member.awaiting_join.replace(token) {
            let refused = JoinRefused {
                member: id.clone(),
                why: Refusal::RebalanceInProgress,
            };
            turn.reply(earlier, Reply::Join(Err(refused)));
        }
    }

    pub(super) fn refuse_join(&mut self, id: &MemberId, why: Refusal, turn: &mut Turn<'_>) {
        let member = self.members.get_mut(id);
        if let Some(token) = member.and_then(|m| m.awaiting_join.take()) {
            let member = match why {
                Refusal::UnknownMemberId => MemberId::default(),
                _ => id.clone(),
            };
            turn.reply(token, Reply::Join(Err(JoinRefused { member, why })));
        }
    }

    pub(super) fn complete_join(&mut self, id: &MemberId, joined: Joined, turn: &mut Turn<'_>) {
        let member = self.members.get_mut(id);
        if let Some(token) = member.and_then(|m| m.awaiting_join.take()) {
            turn.reply(token, Reply::Join(Ok(joined)));
        }
    }

    /// Answers a waiting sync; says whether there was one.
    pub(super) fn complete_sync(
        &mut self,
        id: &MemberId,
        synced: Result<Synced, Refusal>,
        turn: &mut Turn<'_>,
    ) -> bool {
        let member = self.members.get_mut(id);
        let token = member.and_then(|m| m.awaiting_sync.take());
        if let Some(token) = token {
            turn.reply(token, Reply::Sync(synced));
        }
        token.is_some()
    }

    /// Gives the member another session from now on.
    pub(crate) fn renew_session(&self, id: &MemberId, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.get(id) {
            let key = TimerKey::Heartbeat(self.id.clone(), id.clone());
            turn.set_timer(key, member.session_timeout);
        }
    }

    pub(super) fn end_session(&self, id: &MemberId, turn: &mut Turn<'_>) {
        let key = TimerKey::Heartbeat(self.id.clone(), id.clone());
        turn.timers.cancel(&key);
    }
}
