//! A group's offsets: committing them, and reading them back.

use super::Client;
use super::directory::{Kind, text, topic_name};
use crate::facts::{Fact, Partition};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;

/// The versions of the requests.
const OFFSET_COMMIT: i16 = 9;
const OFFSET_FETCH: i16 = 9;

/// A member as its coordinator knows it.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The group.
    pub group: &'static str,
    /// The member's id.
    pub id: StrBytes,
    /// Its generation or epoch.
    pub epoch: i32,
}

impl Membership {
    /// The group's id on the wire.
    pub fn group_id(&self) -> GroupId {
        GroupId(text(self.group))
    }
}

/// Commits an offset; the error when the coordinator refuses.
pub async fn commit(
    client: &mut Client,
    member: &Membership,
    of: &Partition,
    offset: i64,
) -> Result<(), ErrorCode> {
    let group = member.group;
    let Some(node) = client.coordinator(Kind::Group, group).await else {
        return Err(ErrorCode::CoordinatorNotAvailable);
    };
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(of.index)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(StrBytes::default()));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(of.topic))
        .with_partitions(vec![partition]);
    let query = OffsetCommitRequest::default()
        .with_group_id(member.group_id())
        .with_member_id(member.id.clone())
        .with_generation_id_or_member_epoch(member.epoch)
        .with_topics(vec![topic]);
    client.report(&Fact::Commits {
        group,
        of: of.clone(),
        offset,
    });
    let asked = client
        .ask(node, (ApiKey::OffsetCommit, OFFSET_COMMIT), &query)
        .await;
    let Ok(response): Result<OffsetCommitResponse, _> = asked else {
        client.forget_coordinator(Kind::Group, group);
        return Err(ErrorCode::RequestTimedOut);
    };
    let code = response
        .topics
        .first()
        .and_then(|topic| topic.partitions.first());
    let code = code.map_or(ErrorCode::UnknownServerError, |partition| {
        ErrorCode::from_wire(partition.error_code)
    });
    match code {
        ErrorCode::None => {
            client.report(&Fact::Committed {
                group,
                of: of.clone(),
                offset,
            });
            Ok(())
        }
        code => {
            client.forget_coordinator(Kind::Group, group);
            Err(code)
        }
    }
}

/// What a group has committed for a partition; none when nobody says.
pub async fn committed(
    client: &mut Client,
    member: &Membership,
    of: &Partition,
) -> Result<i64, ErrorCode> {
    let group = member.group;
    let Some(node) = client.coordinator(Kind::Group, group).await else {
        return Err(ErrorCode::CoordinatorNotAvailable);
    };
    let topic = OffsetFetchRequestTopics::default()
        .with_name(topic_name(of.topic))
        .with_partition_indexes(vec![of.index]);
    let asked = OffsetFetchRequestGroup::default()
        .with_group_id(member.group_id())
        .with_member_id(Some(member.id.clone()))
        .with_member_epoch(member.epoch)
        .with_topics(Some(vec![topic]));
    let query = OffsetFetchRequest::default()
        .with_groups(vec![asked])
        .with_require_stable(true);
    let asked = client
        .ask(node, (ApiKey::OffsetFetch, OFFSET_FETCH), &query)
        .await;
    let Ok(response): Result<OffsetFetchResponse, _> = asked else {
        client.forget_coordinator(Kind::Group, group);
        return Err(ErrorCode::RequestTimedOut);
    };
    let Some(found) = response.groups.first() else {
        return Err(ErrorCode::UnknownServerError);
    };
    let partition = found
        .topics
        .first()
        .and_then(|topic| topic.partitions.first());
    let code = match (found.error_code, partition) {
        (0, Some(partition)) => partition.error_code,
        (code, _) => code,
    };
    match (ErrorCode::from_wire(code), partition) {
        (ErrorCode::None, Some(partition)) => Ok(partition.committed_offset),
        (ErrorCode::None, None) => Err(ErrorCode::UnknownServerError),
        (code, _) => {
            client.forget_coordinator(Kind::Group, group);
            Err(code)
        }
    }
}

/// Reads a group's offset as a member that takes a partition over.
pub async fn resume(
    client: &mut Client,
    member: &Membership,
    of: &Partition,
) -> Result<i64, ErrorCode> {
    let offset = committed(client, member, of).await?;
    let group = member.group;
    client.report(&Fact::CommitSeen {
        group,
        of: of.clone(),
        offset,
    });
    Ok(offset.max(0))
}
