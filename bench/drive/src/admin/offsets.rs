//! Offsets: where a group is, where a log begins and ends, and moving a group.

use super::{Admin, TopicPartition, pause};
use crate::clock::Mono;
use crate::error::{DriveError, is_retriable};
use crate::native::control::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    BrokerId, GroupId, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest, TopicName,
};
use plimsoll_wire::types::{Offset, PartitionIndex, TimestampMs};
use std::collections::BTreeMap;

/// What a reader may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Everything below the high watermark.
    #[default]
    ReadUncommitted,
    /// What lies below the last stable offset.
    ReadCommitted,
}

impl Isolation {
    /// Kafka's number for it.
    pub(super) const fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// A place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The first record there is.
    Earliest,
    /// After the last record that a reader may see.
    Latest,
    /// The first record of this time or later.
    Time(TimestampMs),
}

impl At {
    /// Kafka's timestamp for it.
    const fn timestamp(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::Time(time) => time.get(),
        }
    }
}

/// What a group has committed.
pub type Committed = BTreeMap<TopicPartition, Offset>;

/// An offset that a group is to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOffset {
    /// The partition.
    pub partition: TopicPartition,
    /// The next offset to read.
    pub offset: Offset,
}

impl Admin {
    /// Everything that a group has committed.
    pub fn committed(&mut self, group: &str) -> Result<Committed, DriveError> {
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_topics(None);
        let response = self.ask_coordinator(group, &request, (2, 7), |r| r.error_code)?;
        let what = format!("fetching the offsets of group {group}");
        DriveError::check(response.error_code, &what, None)?;
        let mut committed = Committed::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                DriveError::check(partition.error_code, &what, None)?;
                if partition.committed_offset >= 0 {
                    let place = (
                        topic.name.0.to_string(),
                        PartitionIndex(partition.partition_index),
                    );
                    committed.insert(place, Offset(partition.committed_offset));
                }
            }
        }
        Ok(committed)
    }

    /// Offsets of partitions. Those that have no leader are left out, as are
    /// those that have no record as late as was asked for.
    pub fn offsets(
        &mut self,
        partitions: &[TopicPartition],
        at: At,
        isolation: Isolation,
    ) -> Result<BTreeMap<TopicPartition, Offset>, DriveError> {
        let by = super::deadline();
        let mut found = BTreeMap::new();
        let mut missing: Vec<TopicPartition> = partitions.to_vec();
        loop {
            let mut again = Vec::new();
            for (address, led) in self.by_leader(&missing)? {
                let request = list_offsets(&led, at, isolation);
                let response = self.ask_at(&address, &request, (1, 6))?;
                for topic in &response.topics {
                    for partition in &topic.partitions {
                        let index = PartitionIndex(partition.partition_index);
                        let place = (topic.name.0.to_string(), index);
                        if is_retriable(partition.error_code) {
                            again.push(place);
                            continue;
                        }
                        let what = format!("listing offsets of {}-{}", place.0, index.get());
                        DriveError::check(partition.error_code, &what, None)?;
                        if partition.offset >= 0 {
                            found.insert(place, Offset(partition.offset));
                        }
                    }
                }
            }
            if again.is_empty() || Mono::now() >= by {
                return Ok(found);
            }
            missing = again;
            pause();
        }
    }

    /// Partitions by the address of their leader; without those that have none
    /// or do not exist.
    pub(super) fn by_leader(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<String, Vec<TopicPartition>>, DriveError> {
        let mut names: Vec<String> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
        names.sort();
        names.dedup();
        let metadata = self.metadata(Some(&names))?;
        let brokers = super::addresses(&metadata);
        let mut led: BTreeMap<String, Vec<TopicPartition>> = BTreeMap::new();
        for topic in &metadata.topics {
            let name = topic.name.as_ref().map_or("", |name| name.0.as_str());
            for partition in &topic.partitions {
                let place = (name.to_owned(), PartitionIndex(partition.partition_index));
                let leader = plimsoll_wire::types::NodeId(partition.leader_id.0);
                if let Some(address) = brokers.get(&leader)
                    && partitions.contains(&place)
                {
                    led.entry(address.clone()).or_default().push(place);
                }
            }
        }
        Ok(led)
    }

    /// Moves a group that nobody is in.
    ///
    /// # Errors
    /// [`DriveError::Refused`] when the group has members by now, or a
    /// partition does not exist.
    pub fn commit(&mut self, group: &str, offsets: &[NewOffset]) -> Result<(), DriveError> {
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for new in offsets {
            let partition = OffsetCommitRequestPartition::default()
                .with_partition_index(new.partition.1.get())
                .with_committed_offset(new.offset.get())
                .with_committed_metadata(Some(text("")));
            topics.entry(&new.partition.0).or_default().push(partition);
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            OffsetCommitRequestTopic::default()
                .with_name(TopicName(text(name)))
                .with_partitions(partitions)
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(topics.collect());
        let response = self.ask_coordinator(group, &request, (2, 8), |r| {
            let first = r.topics.first().and_then(|t| t.partitions.first());
            first.map_or(0, |p| p.error_code)
        })?;
        for topic in &response.topics {
            for partition in &topic.partitions {
                let (name, index) = (&*topic.name.0, partition.partition_index);
                let what = format!("committing {name}-{index} for group {group}");
                let unknown = ResponseError::UnknownMemberId.code();
                let message = (partition.error_code == unknown).then_some("the group has members");
                DriveError::check(partition.error_code, &what, message)?;
            }
        }
        Ok(())
    }
}

fn list_offsets(partitions: &[TopicPartition], at: At, isolation: Isolation) -> ListOffsetsRequest {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for (topic, index) in partitions {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(index.get())
            .with_timestamp(at.timestamp());
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        ListOffsetsTopic::default()
            .with_name(TopicName(text(name)))
            .with_partitions(partitions)
    });
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(isolation.code())
        .with_topics(topics.collect())
}
