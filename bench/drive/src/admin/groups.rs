//! Groups of both protocols: list, describe, delete.

use super::topics::first;
use super::{Admin, TopicPartition, assignment};
use crate::error::DriveError;
use crate::native::control::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup as ConsumerGroup;
use kafka_protocol::messages::describe_groups_response::DescribedGroup as ClassicGroup;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest, GroupId,
    ListGroupsRequest,
};
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeMap;
use std::fmt;

/// Which protocol a group speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// JoinGroup and SyncGroup: the members assign.
    Classic,
    /// KIP-848: the coordinator assigns.
    Consumer,
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        })
    }
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub group: String,
    /// `classic`, `consumer` or another; `-` from brokers before 3.8.
    pub kind: String,
    /// Its state; `-` from brokers before 2.6.
    pub state: String,
    /// What it is for: `consumer`, `connect`, …
    pub protocol_type: String,
}

/// A group with its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// Its name.
    pub group: String,
    /// Its protocol.
    pub kind: GroupKind,
    /// Its state: `Dead` when there is no such group.
    pub state: String,
    /// How partitions are assigned; empty when nothing is.
    pub assignor: String,
    /// The address of its coordinator.
    pub coordinator: String,
    /// Its members, by id.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub member: String,
    /// Its static identity.
    pub instance: Option<String>,
    /// How its client names itself.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// What it reads.
    pub assigned: Vec<TopicPartition>,
}

impl DescribedGroup {
    /// Whether there is such a group.
    pub fn exists(&self) -> bool {
        self.state != "Dead"
    }

    /// Whether anyone may be reading.
    pub fn is_active(&self) -> bool {
        !matches!(self.state.as_str(), "Empty" | "Dead")
    }
}

impl Admin {
    /// The groups of all brokers, by name.
    pub fn groups(&mut self) -> Result<Vec<ListedGroup>, DriveError> {
        let or_dash = |text: &str| match text {
            "" => "-".to_owned(),
            text => text.to_owned(),
        };
        let mut groups = BTreeMap::new();
        for address in self.nodes()?.into_values() {
            let listed = self.ask_at(&address, &ListGroupsRequest::default(), (0, 5))?;
            DriveError::check(listed.error_code, "listing groups", None)?;
            for group in listed.groups {
                let one = ListedGroup {
                    group: group.group_id.0.to_string(),
                    kind: or_dash(&group.group_type),
                    state: or_dash(&group.group_state),
                    protocol_type: or_dash(&group.protocol_type),
                };
                groups.insert(one.group.clone(), one);
            }
        }
        Ok(groups.into_values().collect())
    }

    /// A group and its members, whichever protocol it speaks.
    pub fn describe_group(&mut self, group: &str) -> Result<DescribedGroup, DriveError> {
        if let Some(described) = self.describe_consumer_group(group)? {
            return Ok(described);
        }
        let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
        let response = self.ask_coordinator(group, &request, (0, 6), |r| {
            r.groups.first().map_or(0, |g| g.error_code)
        })?;
        let what = format!("describing group {group}");
        let described = first(&response.groups, &what)?;
        // From version 6 a missing group is an error, before it is `Dead`.
        if described.error_code != ResponseError::GroupIdNotFound.code() {
            let message = described.error_message.as_deref();
            DriveError::check(described.error_code, &what, message)?;
        }
        let coordinator = self.coordinator(group)?;
        Ok(classic(described, coordinator))
    }

    /// A group of the consumer protocol; none when it is no such group, or the
    /// broker knows none.
    fn describe_consumer_group(
        &mut self,
        group: &str,
    ) -> Result<Option<DescribedGroup>, DriveError> {
        let request =
            ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(group))]);
        let asked = self.ask_coordinator(group, &request, (0, 1), |r| {
            r.groups.first().map_or(0, |g| g.error_code)
        });
        let response = match asked {
            Err(DriveError::Unsupported { .. }) => return Ok(None),
            asked => asked?,
        };
        let what = format!("describing group {group}");
        let described = first(&response.groups, &what)?;
        let no_such_group = [
            ResponseError::GroupIdNotFound.code(),
            ResponseError::UnsupportedVersion.code(),
        ];
        if no_such_group.contains(&described.error_code) {
            return Ok(None);
        }
        let message = described.error_message.as_deref();
        DriveError::check(described.error_code, &what, message)?;
        let coordinator = self.coordinator(group)?;
        Ok(Some(consumer(described, coordinator)))
    }

    /// Deletes a group and its offsets.
    ///
    /// # Errors
    /// [`DriveError::Refused`] while the group has members.
    pub fn delete_group(&mut self, group: &str) -> Result<(), DriveError> {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);
        let response = self.ask_coordinator(group, &request, (0, 2), |r| {
            r.results.first().map_or(0, |g| g.error_code)
        })?;
        let what = format!("deleting group {group}");
        let result = first(&response.results, &what)?;
        DriveError::check(result.error_code, &what, None)
    }
}

fn classic(described: &ClassicGroup, coordinator: String) -> DescribedGroup {
    let members = described.members.iter().map(|member| GroupMember {
        member: member.member_id.to_string(),
        instance: member.group_instance_id.as_ref().map(ToString::to_string),
        client: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assigned: assignment::partitions(&member.member_assignment),
    });
    let state = match described.error_code {
        0 => described.group_state.to_string(),
        _ => "Dead".to_owned(),
    };
    DescribedGroup {
        group: described.group_id.0.to_string(),
        kind: GroupKind::Classic,
        state,
        assignor: described.protocol_data.to_string(),
        coordinator,
        members: members.collect(),
    }
}

fn consumer(described: &ConsumerGroup, coordinator: String) -> DescribedGroup {
    let members = described.members.iter().map(|member| {
        let topics = member.assignment.topic_partitions.iter();
        let assigned = topics.flat_map(|topic| {
            let name = topic.topic_name.0.to_string();
            let indexes = topic.partitions.iter();
            indexes.map(move |index| (name.clone(), PartitionIndex(*index)))
        });
        GroupMember {
            member: member.member_id.to_string(),
            instance: member.instance_id.as_ref().map(ToString::to_string),
            client: member.client_id.to_string(),
            host: member.client_host.to_string(),
            assigned: assigned.collect(),
        }
    });
    DescribedGroup {
        group: described.group_id.0.to_string(),
        kind: GroupKind::Consumer,
        state: described.group_state.to_string(),
        assignor: described.assignor_name.to_string(),
        coordinator,
        members: members.collect(),
    }
}
