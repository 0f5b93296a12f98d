//! A group of the classic protocol: members join, one of them assigns.
//!
//! The group a coordinator works with is soft: joins and heartbeats live in
//! memory only, as in Kafka. What is hard is the last [`ClassicValue`] that
//! was stored, written when a generation's assignment is known, when the group
//! becomes empty and when a static member returns; a new coordinator starts
//! from that. Committed offsets are kept elsewhere.
//!
//! States: Empty → PreparingRebalance (joins are collected) →
//! CompletingRebalance (the leader assigns) → Stable, and back to
//! PreparingRebalance whenever membership or a subscription changes.
//!
//! Invariants: `static_members` maps to members that are there; the leader is
//! a member unless there is none; `pending_sync` is not empty only in
//! CompletingRebalance and Stable; the offered protocols have one in common.

mod describe;
mod join;
mod leave;
mod member;
mod rebalance;
mod returning;
mod sync;

pub(crate) use member::Member;
pub(crate) use returning::Returned;
pub(crate) use sync::Assign;

use crate::embedded::subscribed_topics;
use crate::names::{GroupId, InstanceId, MemberId};
use crate::refusal::Refusal;
use crate::schema::{ClassicMemberValue, ClassicValue};
use crate::step::Token;
use bytes::Bytes;
use plimsoll_wire::types::TimestampMs;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a classic group is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// The wait of a new group for more members: how long this stretch is, and how
/// much may follow while members keep coming.
#[derive(Clone, Copy, Debug)]
struct InitialDelay {
    stretch: Duration,
    remaining: Duration,
}

/// A group of the classic protocol.
#[derive(Clone, Debug)]
pub(crate) struct ClassicGroup {
    pub(crate) id: GroupId,
    pub(crate) state: State,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) members: BTreeMap<MemberId, Member>,
    pub(crate) state_since: TimestampMs,
    /// What is stored of the group; `None` before its first record, and for
    /// groups that only have offsets.
    pub(crate) stored: Option<ClassicValue>,
    /// The topics read, when the protocol is one whose metadata is known.
    pub(crate) subscribed: Option<BTreeSet<String>>,
    leader: Option<MemberId>,
    static_members: BTreeMap<InstanceId, MemberId>,
    /// Given an id by `MemberIdRequired`, not yet back with it.
    pending_join: BTreeSet<MemberId>,
    /// Joined the generation, not yet asked for an assignment.
    pending_sync: BTreeSet<MemberId>,
    initial: Option<InitialDelay>,
    new_member_added: bool,
}

/// The protocol type of consumers.
pub(crate) const CONSUMER: &str = "consumer";

impl ClassicGroup {
    pub(crate) fn new(id: GroupId, since: TimestampMs) -> Self {
        Self {
            id,
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            members: BTreeMap::new(),
            state_since: since,
            stored: None,
            subscribed: None,
            leader: None,
            static_members: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            initial: None,
            new_member_added: false,
        }
    }

    /// The group as a stored record has it.
    pub(crate) fn from_value(id: GroupId, value: ClassicValue) -> Self {
        let mut group = Self::new(id, value.state_since);
        group.generation = value.generation;
        group.protocol_type = Some(value.protocol_type.clone()).filter(|t| !t.is_empty());
        group.protocol.clone_from(&value.protocol);
        group.leader.clone_from(&value.leader);
        for stored in &value.members {
            let protocol = value.protocol.clone().unwrap_or_default();
            let member = Member::from_value(stored, protocol);
            if let Some(instance) = &stored.instance {
                let id = stored.member.clone();
                group.static_members.insert(instance.clone(), id);
            }
            group.members.insert(stored.member.clone(), member);
        }
        if !group.members.is_empty() {
            group.state = State::Stable;
        }
        group.subscribed = group.read_subscriptions();
        group.stored = Some(value);
        group
    }

    /// The record of the group with these assignments.
    pub(crate) fn to_value(
        &self,
        assignment: impl Fn(&MemberId, &Member) -> Bytes,
    ) -> ClassicValue {
        let protocol = self.protocol.as_deref();
        let members = self.members.iter().map(|(id, m)| ClassicMemberValue {
            member: id.clone(),
            instance: m.instance.clone(),
            client_id: m.client.id.clone(),
            client_host: m.client.host.clone(),
            rebalance_timeout: m.rebalance_timeout,
            session_timeout: m.session_timeout,
            subscription: protocol.map(|p| m.metadata(p)).unwrap_or_default(),
            assignment: assignment(id, m),
        });
        ClassicValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since: self.state_since,
            members: members.collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    pub(crate) fn is_leader(&self, member: &MemberId) -> bool {
        self.leader.as_ref() == Some(member)
    }

    /// The leader, or the empty id.
    fn leader_id(&self) -> MemberId {
        self.leader.clone().unwrap_or_default()
    }

    pub(crate) fn is_consumer_group(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether offsets of `topic` are in use. Consumers whose metadata cannot
    /// be read are taken to read everything.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_consumer_group(),
        }
    }

    /// The longest that any member may take to rejoin.
    fn rebalance_timeout(&self) -> Duration {
        let timeouts = self.members.values().map(|m| m.rebalance_timeout);
        timeouts.max().unwrap_or_default()
    }

    fn all_joined(&self) -> bool {
        self.pending_join.is_empty() && self.members.values().all(Member::is_awaiting_join)
    }

    /// Whether the group may be forgotten once its offsets are.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_empty() && self.pending_join.is_empty()
    }

    pub(crate) fn waiting_joins(&self) -> Vec<(Token, MemberId)> {
        let members = self.members.iter();
        members
            .filter_map(|(id, m)| Some((m.awaiting_join?, id.clone())))
            .collect()
    }

    pub(crate) fn waiting_syncs(&self) -> Vec<Token> {
        self.members
            .values()
            .filter_map(|m| m.awaiting_sync)
            .collect()
    }

    fn awaiting_join(&self) -> usize {
        let members = self.members.values();
        members.filter(|m| m.is_awaiting_join()).count()
    }

    fn transition(&mut self, to: State, at: TimestampMs) {
        use State::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        let from = self.state;
        debug_assert!(
            matches!(
                (from, to),
                (Empty | CompletingRebalance | Stable, PreparingRebalance)
                    | (PreparingRebalance, CompletingRebalance | Empty)
                    | (CompletingRebalance, Stable)
            ),
            "group {} cannot go from {from:?} to {to:?}",
            self.id
        );
        self.state = to;
        self.state_since = at;
    }

    /// Whether a request with this member and static identity may go on.
    pub(crate) fn validate_member(
        &self,
        member: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Result<(), Refusal> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(Refusal::UnknownMemberId),
                Some(owner) if owner != member => return Err(Refusal::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) {
            Ok(())
        } else {
            Err(Refusal::UnknownMemberId)
        }
    }

    /// Takes a member out, and whatever stands for it elsewhere.
    fn remove(&mut self, id: &MemberId) -> Option<Member> {
        let removed = self.members.remove(id);
        if let Some(instance) = removed.as_ref().and_then(|m| m.instance.as_ref()) {
            self.static_members.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_join.remove(id);
        self.pending_sync.remove(id);
        removed
    }

    /// Whether a member with these protocols has one in common with the rest.
    fn supports(&self, protocol_type: &str, protocols: &[(String, Bytes)]) -> bool {
        if self.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let same_type = self.protocol_type.as_deref() == Some(protocol_type);
        let shared = |name: &str| self.members.values().all(|m| m.offers(name));
        same_type && protocols.iter().any(|(name, _)| shared(name))
    }

    /// The protocol that most members put first among those all of them offer.
    fn vote(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        let common = |name: &str| self.members.values().all(|m| m.offers(name));
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| common(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        let winner = votes.into_iter().find(|(_, count)| *count == most);
        winner.map(|(name, _)| name.to_owned())
    }

    /// The topics that members subscribe to, if they are consumers whose
    /// metadata can be read.
    fn read_subscriptions(&self) -> Option<BTreeSet<String>> {
        if !self.is_consumer_group() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscribed_topics(&member.metadata(protocol))?);
        }
        Some(topics)
    }
}
