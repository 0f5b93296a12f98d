//! Read-only looks at a shard: ListGroups and DescribeGroups.

use crate::command::GroupFilter;
use crate::consumer::DescribedConsumerGroup;
use crate::group::Group;
use crate::names::GroupId;
use crate::refusal::Refusal;
use crate::reply::{DescribedGroup, ListedGroup};
use crate::shard::GroupShard;

impl GroupShard {
    /// The groups that pass the filter.
    pub fn list(&self, filter: &GroupFilter) -> Vec<ListedGroup> {
        let has = |wanted: &[String], is: &str| {
            wanted.is_empty() || wanted.iter().any(|w| w.eq_ignore_ascii_case(is))
        };
        let groups = self.groups.values().map(|group| group.listed());
        groups
            .filter(|g| has(&filter.states, g.state) && has(&filter.types, g.kind))
            .collect()
    }

    /// A group of the classic protocol.
    ///
    /// # Errors
    /// `GroupIdNotFound`; versions of DescribeGroups below 6 show such a group
    /// as `Dead` instead.
    pub fn describe(&self, group: &GroupId) -> Result<DescribedGroup, Refusal> {
        match self.groups.get(group) {
            Some(Group::Classic(group)) => Ok(group.describe()),
            _ => Err(Refusal::GroupIdNotFound),
        }
    }

    /// A group of the consumer protocol.
    ///
    /// # Errors
    /// `GroupIdNotFound`.
    pub fn describe_consumer(&self, group: &GroupId) -> Result<DescribedConsumerGroup, Refusal> {
        match self.groups.get(group) {
            Some(Group::Consumer(group)) => Ok(group.describe()),
            _ => Err(Refusal::GroupIdNotFound),
        }
    }
}
