//! What a group coordinator answers.

use crate::command::{FetchedOffset, LeavingMember};
use crate::names::{GroupId, InstanceId, MemberId, TopicName};
use crate::refusal::Refusal;
use crate::schema::Partitions;
use bytes::Bytes;
use plimsoll_wire::types::PartitionIndex;
use std::time::Duration;

/// The answer to a [`crate::Command`], by the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// JoinGroup.
    Join(Result<Joined, JoinRefused>),
    /// SyncGroup.
    Sync(Result<Synced, Refusal>),
    /// Heartbeat.
    Heartbeat(Result<(), Refusal>),
    /// LeaveGroup.
    Leave(Result<LeaveResults, Refusal>),
    /// OffsetCommit.
    Commit(Result<TopicResults, Refusal>),
    /// TxnOffsetCommit.
    TxnCommit(Result<TopicResults, Refusal>),
    /// OffsetFetch.
    Fetch(Result<FetchedTopics, Refusal>),
    /// OffsetDelete.
    DeleteOffsets(Result<TopicResults, Refusal>),
    /// DeleteGroups, for one group.
    DeleteGroup(Result<(), Refusal>),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(Result<ConsumerHeartbeatReply, Refusal>),
}

/// An outcome for each member that was to go.
pub type LeaveResults = Vec<(LeavingMember, Result<(), Refusal>)>;

/// An outcome for each partition asked about.
pub type TopicResults = Vec<(TopicName, Vec<(PartitionIndex, Result<(), Refusal>)>)>;

/// An offset for each partition asked about, `None` where nothing is committed.
pub type FetchedTopics = Vec<(
    TopicName,
    Vec<(PartitionIndex, Result<Option<FetchedOffset>, Refusal>)>,
)>;

/// A join that has led to a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The generation.
    pub generation: i32,
    /// What the group is for.
    pub protocol_type: Option<String>,
    /// The assignor chosen.
    pub protocol: Option<String>,
    /// Who computes the assignment; empty when nobody.
    pub leader: MemberId,
    /// The leader need not compute one.
    pub skip_assignment: bool,
    /// The member answered.
    pub member: MemberId,
    /// For the leader alone: everyone.
    pub members: Vec<JoinedMember>,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// The member.
    pub member: MemberId,
    /// Its static identity.
    pub instance: Option<InstanceId>,
    /// Its metadata for the chosen protocol.
    pub metadata: Bytes,
}

/// A join that has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRefused {
    /// The member, or the id given to it with `MemberIdRequired`.
    pub member: MemberId,
    /// Why.
    pub why: Refusal,
}

/// A member's assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// What the group is for.
    pub protocol_type: Option<String>,
    /// The assignor chosen.
    pub protocol: Option<String>,
    /// What the leader assigned to the member.
    pub assignment: Bytes,
}

/// The state of a member of the consumer protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerHeartbeatReply {
    /// The member.
    pub member: MemberId,
    /// The epoch it is at now.
    pub epoch: i32,
    /// When to come again.
    pub heartbeat_interval: Duration,
    /// What it should own; `None` when that has not changed.
    pub assignment: Option<Partitions>,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// The group.
    pub group: GroupId,
    /// What it is for; empty for simple consumers.
    pub protocol_type: String,
    /// Its state, as Kafka writes it.
    pub state: &'static str,
    /// `classic` or `consumer`.
    pub kind: &'static str,
}

/// A group of the classic protocol, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// Its state, as Kafka writes it.
    pub state: &'static str,
    /// What it is for.
    pub protocol_type: String,
    /// The assignor chosen; empty unless the group is stable.
    pub protocol: String,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// A member of the classic protocol, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// The member.
    pub member: MemberId,
    /// Its static identity.
    pub instance: Option<InstanceId>,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// Its metadata; empty unless the group is stable.
    pub metadata: Bytes,
    /// Its assignment; empty unless the group is stable.
    pub assignment: Bytes,
}
