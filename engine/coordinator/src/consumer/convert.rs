//! From one protocol to the other, with members on board: a classic group
//! becomes a consumer group when the first member of the new protocol joins,
//! and the other way round when the last one goes.

use super::{ConsumerGroup, ConsumerMember};
use crate::classic::{CONSUMER, ClassicGroup};
use crate::embedded::{NamedPartitions, Subscription, decode_assignment, encode_assignment};
use crate::names::MemberId;
use crate::schema::{
    ClassicMemberValue, ClassicMetadata, ClassicValue, CurrentValue, EpochValue, GroupRecord,
    MemberState, MemberValue, Partitions, SchemaError,
};
use crate::turn::{Topics, Turn};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The partitions of known topics, by id.
pub(super) fn by_id(named: &NamedPartitions, topics: &dyn Topics) -> Partitions {
    let known = named.iter().filter_map(|(name, indexes)| {
        let info = topics.by_name(name)?;
        (!indexes.is_empty()).then(|| (info.id, indexes.clone()))
    });
    known.collect()
}

/// The partitions of known topics, by name.
pub(super) fn by_name(partitions: &Partitions, topics: &dyn Topics) -> NamedPartitions {
    let known = partitions.iter().filter_map(|(id, indexes)| {
        let name = topics.name_of(*id)?;
        Some((name.as_str().to_owned(), indexes.clone()))
    });
    known.collect()
}

/// A classic group as a consumer group whose members all speak the classic
/// protocol.
pub(crate) fn upgraded(
    classic: &ClassicGroup,
    topics: &dyn Topics,
) -> Result<ConsumerGroup, SchemaError> {
    let mut group = ConsumerGroup::new(classic.id.clone());
    let id = || classic.id.clone();
    let protocol = classic.protocol.as_deref().unwrap_or_default();
    for (member, m) in &classic.members {
        let metadata = match m.protocols.first() {
            Some((first, _)) if protocol.is_empty() => m.metadata(first),
            _ => m.metadata(protocol),
        };
        let subscription = Subscription::decode(&metadata)?;
        let assigned = by_id(&decode_assignment(&m.assignment)?, topics);
        let value = MemberValue {
            instance: m.instance.clone(),
            rack: subscription.rack,
            client_id: m.client.id.clone(),
            client_host: m.client.host.clone(),
            topics: subscription.topics,
            regex: None,
            rebalance_timeout: m.rebalance_timeout,
            assignor: None,
            classic: Some(ClassicMetadata {
                session_timeout: m.session_timeout,
                protocols: m.protocols.clone(),
            }),
        };
        let current = CurrentValue {
            epoch: classic.generation,
            previous_epoch: classic.generation,
            state: MemberState::Stable,
            assigned: assigned.clone(),
            revoking: Partitions::new(),
        };
        group.apply(GroupRecord::Member(id(), member.clone(), Some(value)));
        group.apply(GroupRecord::Target(id(), member.clone(), Some(assigned)));
        group.apply(GroupRecord::Current(id(), member.clone(), Some(current)));
    }
    let epoch = EpochValue {
        epoch: classic.generation,
        metadata_hash: 0,
    };
    group.apply(GroupRecord::Epoch(id(), Some(epoch)));
    group.apply(GroupRecord::TargetEpoch(id(), Some(classic.generation)));
    Ok(group)
}

/// A consumer group as a classic one, if its members all speak the classic
/// protocol and settings allow it.
pub(crate) fn downgraded(group: &ConsumerGroup, turn: &Turn<'_>) -> Option<ClassicValue> {
    let fits = !group.members.is_empty() && group.members.len() <= turn.config.max_size;
    let all_classic = group.members.values().all(ConsumerMember::is_classic);
    if !fits || !all_classic || !turn.config.migration.downgrades() {
        return None;
    }
    let protocol = vote(group)?;
    let mut members = Vec::with_capacity(group.members.len());
    for (id, member) in &group.members {
        members.push(classic_member(
            group,
            (id, member),
            &protocol,
            turn.world.topics,
        )?);
    }
    Some(ClassicValue {
        protocol_type: CONSUMER.to_owned(),
        generation: group.epoch.epoch,
        protocol: Some(protocol),
        leader: group.members.keys().next().cloned(),
        state_since: turn.world.now.wall,
        members,
    })
}

fn classic_member(
    group: &ConsumerGroup,
    (id, member): (&MemberId, &ConsumerMember),
    protocol: &str,
    topics: &dyn Topics,
) -> Option<ClassicMemberValue> {
    let classic = member.value.classic.as_ref()?;
    let offer = classic.protocols.iter().find(|(name, _)| name == protocol);
    let subscription = offer.map(|(_, metadata)| metadata.clone())?;
    let target = group.targets.get(id).cloned().unwrap_or_default();
    Some(ClassicMemberValue {
        member: id.clone(),
        instance: member.value.instance.clone(),
        client_id: member.value.client_id.clone(),
        client_host: member.value.client_host.clone(),
        rebalance_timeout: member.value.rebalance_timeout,
        session_timeout: classic.session_timeout,
        assignment: encode_assignment(version_of(&subscription), &by_name(&target, topics)),
        subscription,
    })
}

pub(super) fn version_of(subscription: &Bytes) -> i16 {
    Subscription::decode(subscription).map_or(0, |s| s.version)
}

/// The protocol that most put first among those all offer.
fn vote(group: &ConsumerGroup) -> Option<String> {
    let offers = |m: &ConsumerMember, name: &str| {
        let classic = m.value.classic.as_ref();
        classic.is_some_and(|c| c.protocols.iter().any(|(n, _)| n == name))
    };
    let common = |name: &str| group.members.values().all(|m| offers(m, name));
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for member in group.members.values() {
        let protocols = member.value.classic.iter().flat_map(|c| &c.protocols);
        if let Some((name, _)) = protocols.into_iter().find(|(name, _)| common(name)) {
            *votes.entry(name).or_default() += 1;
        }
    }
    let winner = votes.into_iter().max_by_key(|(_, count)| *count);
    winner.map(|(name, _)| name.to_owned())
}
