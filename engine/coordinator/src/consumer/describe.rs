//! What ConsumerGroupDescribe and ListGroups show of a consumer group.

use super::{ConsumerGroup, assign};
use crate::classic::CONSUMER;
use crate::names::{InstanceId, MemberId};
use crate::reply::ListedGroup;
use crate::schema::Partitions;
use std::collections::{BTreeMap, BTreeSet};

/// A group of the consumer protocol, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    /// Its state, as Kafka writes it.
    pub state: &'static str,
    /// Its epoch.
    pub epoch: i32,
    /// The epoch of its target assignment.
    pub target_epoch: i32,
    /// The assignor in use.
    pub assignor: String,
    /// Its members.
    pub members: Vec<DescribedConsumer>,
}

/// A member of the consumer protocol, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumer {
    /// The member.
    pub member: MemberId,
    /// Its static identity.
    pub instance: Option<InstanceId>,
    /// Where it runs.
    pub rack: Option<String>,
    /// The epoch it has reached.
    pub epoch: i32,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// The topics it names.
    pub topics: BTreeSet<String>,
    /// The expression that chooses further topics.
    pub regex: Option<String>,
    /// What it owns.
    pub assigned: Partitions,
    /// What it should own.
    pub target: Partitions,
    /// Whether it still speaks the classic protocol.
    pub is_classic: bool,
}

impl ConsumerGroup {
    pub(crate) fn describe(&self) -> DescribedConsumerGroup {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for assignor in self
            .members
            .values()
            .filter_map(|m| m.value.assignor.as_deref())
        {
            *votes.entry(assignor).or_default() += 1;
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count);
        let members = self.members.iter().map(|(id, m)| DescribedConsumer {
            member: id.clone(),
            instance: m.value.instance.clone(),
            rack: m.value.rack.clone(),
            epoch: m.current.epoch,
            client_id: m.value.client_id.clone(),
            client_host: m.value.client_host.clone(),
            topics: m.value.topics.clone(),
            regex: m.value.regex.clone(),
            assigned: m.current.assigned.clone(),
            target: self.targets.get(id).cloned().unwrap_or_default(),
            is_classic: m.is_classic(),
        });
        DescribedConsumerGroup {
            state: self.state(),
            epoch: self.epoch.epoch,
            target_epoch: self.target_epoch,
            assignor: most.map_or(assign::DEFAULT, |(name, _)| name).to_owned(),
            members: members.collect(),
        }
    }

    pub(crate) fn listed(&self) -> ListedGroup {
        ListedGroup {
            group: self.id.clone(),
            protocol_type: CONSUMER.to_owned(),
            state: self.state(),
            kind: "consumer",
        }
    }
}
