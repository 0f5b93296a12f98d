//! What a group coordinator is asked, in plain structures: one for each API,
//! free of versions. Where a version changes the meaning, a field says so.

use crate::names::{GroupId, InstanceId, MemberId, TopicId, TopicName};
use bytes::Bytes;
use plimsoll_wire::types::{
    LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A request to the coordinator of the group it names.
#[derive(Clone, Debug)]
pub enum Command {
    /// JoinGroup.
    Join(JoinGroup),
    /// SyncGroup.
    Sync(SyncGroup),
    /// Heartbeat.
    Heartbeat(Heartbeat),
    /// LeaveGroup.
    Leave(LeaveGroup),
    /// OffsetCommit.
    Commit(OffsetCommit),
    /// TxnOffsetCommit.
    TxnCommit(TxnOffsetCommit),
    /// OffsetFetch, for one group.
    Fetch(OffsetFetch),
    /// OffsetDelete.
    DeleteOffsets(OffsetDelete),
    /// DeleteGroups, for one group.
    DeleteGroup(GroupId),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(ConsumerHeartbeat),
}

/// Who sends a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The client's name for itself.
    pub id: String,
    /// Where it connects from, as Kafka writes it: `/127.0.0.1`.
    pub host: String,
}

/// A member asks to be in the next generation.
#[derive(Clone, Debug)]
pub struct JoinGroup {
    /// The group.
    pub group: GroupId,
    /// The member; empty on a first join.
    pub member: MemberId,
    /// Its static identity.
    pub instance: Option<InstanceId>,
    /// Who it is.
    pub client: Client,
    /// How long it may be silent.
    pub session_timeout: Duration,
    /// How long the group waits for it in a rebalance; version 0 has the
    /// session timeout here.
    pub rebalance_timeout: Duration,
    /// What the group is for.
    pub protocol_type: String,
    /// The assignors it offers, best first, each with its metadata.
    pub protocols: Vec<(String, Bytes)>,
    /// From version 4: a new member must come again with the id it is given.
    pub member_id_required: bool,
    /// From version 9: a returning static leader is told to skip assignment.
    pub may_skip_assignment: bool,
}

/// A member asks for its assignment; the leader brings everyone's.
#[derive(Clone, Debug)]
pub struct SyncGroup {
    /// The group.
    pub group: GroupId,
    /// The generation it joined.
    pub generation: i32,
    /// The member.
    pub member: MemberId,
    /// Its static identity.
    pub instance: Option<InstanceId>,
    /// From version 5: the protocol type it believes in.
    pub protocol_type: Option<String>,
    /// From version 5: the protocol it believes in.
    pub protocol: Option<String>,
    /// From the leader: what each member is to do.
    pub assignments: Vec<(MemberId, Bytes)>,
}

/// A member says that it lives.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The group.
    pub group: GroupId,
    /// Its generation, or member epoch.
    pub generation: i32,
    /// The member.
    pub member: MemberId,
    /// Its static identity.
    pub instance: Option<InstanceId>,
}

/// Members go, by their own wish or an operator's.
#[derive(Clone, Debug)]
pub struct LeaveGroup {
    /// The group.
    pub group: GroupId,
    /// Who goes.
    pub members: Vec<LeavingMember>,
}

/// One who goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavingMember {
    /// The member; empty when only the instance is known.
    pub member: MemberId,
    /// Its static identity.
    pub instance: Option<InstanceId>,
}

/// One offset to be committed.
#[derive(Clone, Debug)]
pub struct CommitPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// The next offset the group will read.
    pub offset: Offset,
    /// The leader epoch of the last record read; `NONE` when unknown.
    pub leader_epoch: LeaderEpoch,
    /// The client's note.
    pub metadata: Option<Arc<str>>,
}

/// The offsets of one topic to be committed.
#[derive(Clone, Debug)]
pub struct CommitTopic {
    /// The topic.
    pub topic: TopicName,
    /// Its id, nil when unknown.
    pub id: TopicId,
    /// The offsets.
    pub partitions: Vec<CommitPartition>,
}

/// Offsets are to be remembered.
#[derive(Clone, Debug)]
pub struct OffsetCommit {
    /// The group.
    pub group: GroupId,
    /// The generation or member epoch; negative for a simple consumer.
    pub generation: i32,
    /// The member; empty for a simple consumer.
    pub member: MemberId,
    /// Its static identity.
    pub instance: Option<InstanceId>,
    /// Versions 2 to 4: how long to keep the offsets.
    pub retention: Option<Duration>,
    /// From version 9: the errors of the consumer protocol are understood.
    pub knows_epochs: bool,
    /// The offsets.
    pub topics: Vec<CommitTopic>,
}

/// Offsets are to be remembered if a transaction commits.
#[derive(Clone, Debug)]
pub struct TxnOffsetCommit {
    /// The group.
    pub group: GroupId,
    /// The producer whose transaction it is.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The generation or member epoch; negative when the client does not say.
    pub generation: i32,
    /// The member; empty when the client does not say.
    pub member: MemberId,
    /// Its static identity.
    pub instance: Option<InstanceId>,
    /// The offsets.
    pub topics: Vec<CommitTopic>,
}

/// Offsets are asked for.
#[derive(Clone, Debug)]
pub struct OffsetFetch {
    /// The group.
    pub group: GroupId,
    /// From version 9: the member that asks.
    pub member: Option<MemberId>,
    /// From version 9: its epoch; −1 when it does not say.
    pub epoch: i32,
    /// What is asked for; `None` for all there is.
    pub topics: Option<Vec<(TopicName, Vec<PartitionIndex>)>>,
    /// Refuse offsets that a pending transaction may yet change.
    pub require_stable: bool,
}

/// Offsets are to be forgotten.
#[derive(Clone, Debug)]
pub struct OffsetDelete {
    /// The group.
    pub group: GroupId,
    /// Which.
    pub topics: Vec<(TopicName, Vec<PartitionIndex>)>,
}

/// A member of the consumer protocol reports and asks. `None` means that the
/// field has not changed since the last heartbeat.
#[derive(Clone, Debug)]
pub struct ConsumerHeartbeat {
    /// The group.
    pub group: GroupId,
    /// The member; chosen by the client from version 1.
    pub member: MemberId,
    /// From version 1: the member may not be empty.
    pub member_id_required: bool,
    /// The member's epoch: 0 joins, −1 leaves, −2 leaves for a while (static).
    pub epoch: i32,
    /// Its static identity.
    pub instance: Option<InstanceId>,
    /// Where it runs.
    pub rack: Option<String>,
    /// How long it may take to give partitions up.
    pub rebalance_timeout: Option<Duration>,
    /// The topics it names.
    pub topics: Option<BTreeSet<String>>,
    /// The expression that chooses further topics; empty to drop it.
    pub regex: Option<String>,
    /// The assignor it prefers.
    pub assignor: Option<String>,
    /// What it owns.
    pub owned: Option<Vec<(TopicId, Vec<PartitionIndex>)>>,
    /// Who it is.
    pub client: Client,
}

/// What a group answers for [`crate::GroupShard::list`].
#[derive(Clone, Debug, Default)]
pub struct GroupFilter {
    /// States to show, in any case; empty for all.
    pub states: Vec<String>,
    /// Types to show (`classic`, `consumer`), in any case; empty for all.
    pub types: Vec<String>,
}

/// A moment in an offset's life, as fetches return it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The next offset the group will read.
    pub offset: Offset,
    /// The leader epoch of the last record read; `NONE` when unknown.
    pub leader_epoch: LeaderEpoch,
    /// The client's note.
    pub metadata: Arc<str>,
    /// When it was committed.
    pub committed_at: TimestampMs,
}
