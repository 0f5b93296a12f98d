//! Consumer groups, classic and new (KIP-848), and their offsets.

use super::{ApiKey, ApiSpec};

pub(super) static OFFSET_COMMIT: ApiSpec = ApiSpec::new(
    ApiKey::OffsetCommit,
    "OffsetCommit",
    2..=9,
    Some(8),
    "
    group_id str
    generation_id_or_member_epoch i32
    member_id str
    group_instance_id str? 7+
    retention_time_ms i64 2-4
    topics [
        name str
        partitions [
            partition_index i32
            committed_offset i64
            committed_leader_epoch i32 6+
            committed_metadata str?
        ]
    ]
",
);

pub(super) static OFFSET_FETCH: ApiSpec = ApiSpec::new(
    ApiKey::OffsetFetch,
    "OffsetFetch",
    1..=9,
    Some(6),
    "
    groups [
        group_id str
        member_id str? 9+
        member_epoch i32 9+
        topics [
            name str
            partition_indexes [i32]
        ]?
    ] 8+
    group_id str 1-7
    topics [
        name str
        partition_indexes [i32]
    ]?2+ 1-7
    require_stable bool 7+
",
);

pub(super) static FIND_COORDINATOR: ApiSpec = ApiSpec::new(
    ApiKey::FindCoordinator,
    "FindCoordinator",
    0..=6,
    Some(3),
    "
    key str 0-3
    key_type i8 1+
    coordinator_keys [str] 4+
",
);

pub(super) static JOIN_GROUP: ApiSpec = ApiSpec::new(
    ApiKey::JoinGroup,
    "JoinGroup",
    0..=9,
    Some(6),
    "
    group_id str
    session_timeout_ms i32
    rebalance_timeout_ms i32 1+
    member_id str
    group_instance_id str? 5+
    protocol_type str
    protocols [
        name str
        metadata bytes
    ]
    reason str? 8+
",
);

pub(super) static HEARTBEAT: ApiSpec = ApiSpec::new(
    ApiKey::Heartbeat,
    "Heartbeat",
    0..=4,
    Some(4),
    "
    group_id str
    generation_id i32
    member_id str
    group_instance_id str? 3+
",
);

pub(super) static LEAVE_GROUP: ApiSpec = ApiSpec::new(
    ApiKey::LeaveGroup,
    "LeaveGroup",
    0..=5,
    Some(4),
    "
    group_id str
    members [
        member_id str
        group_instance_id str?
        reason str? 5+
    ] 3+
    member_id str 0-2
",
);

pub(super) static SYNC_GROUP: ApiSpec = ApiSpec::new(
    ApiKey::SyncGroup,
    "SyncGroup",
    0..=5,
    Some(4),
    "
    group_id str
    generation_id i32
    member_id str
    group_instance_id str? 3+
    protocol_type str? 5+
    protocol_name str? 5+
    assignments [
        member_id str
        assignment bytes
    ]
",
);

pub(super) static DESCRIBE_GROUPS: ApiSpec = ApiSpec::new(
    ApiKey::DescribeGroups,
    "DescribeGroups",
    0..=6,
    Some(5),
    "
    groups [str]
    include_authorized_operations bool 3+
",
);

pub(super) static LIST_GROUPS: ApiSpec = ApiSpec::new(
    ApiKey::ListGroups,
    "ListGroups",
    0..=5,
    Some(3),
    "
    states_filter [str] 4+
    types_filter [str] 5+
",
);

pub(super) static DELETE_GROUPS: ApiSpec = ApiSpec::new(
    ApiKey::DeleteGroups,
    "DeleteGroups",
    0..=2,
    Some(2),
    "
    groups_names [str]
",
);

pub(super) static OFFSET_DELETE: ApiSpec = ApiSpec::new(
    ApiKey::OffsetDelete,
    "OffsetDelete",
    0..=0,
    None,
    "
    group_id str
    topics [
        name str
        partitions [
            partition_index i32
        ]
    ]
",
);

pub(super) static CONSUMER_GROUP_HEARTBEAT: ApiSpec = ApiSpec::new(
    ApiKey::ConsumerGroupHeartbeat,
    "ConsumerGroupHeartbeat",
    0..=1,
    Some(0),
    "
    group_id str
    member_id str
    member_epoch i32
    instance_id str?
    rack_id str?
    rebalance_timeout_ms i32
    subscribed_topic_names [str]?
    subscribed_topic_regex str? 1+
    server_assignor str?
    topic_partitions [
        topic_id uuid
        partitions [i32]
    ]?
",
);

pub(super) static CONSUMER_GROUP_DESCRIBE: ApiSpec = ApiSpec::new(
    ApiKey::ConsumerGroupDescribe,
    "ConsumerGroupDescribe",
    0..=1,
    Some(0),
    "
    group_ids [str]
    include_authorized_operations bool
",
);
