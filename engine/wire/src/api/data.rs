//! The data path: what every producer and consumer speaks.

use super::{ApiKey, ApiSpec};

pub(super) static PRODUCE: ApiSpec = ApiSpec::new(
    ApiKey::Produce,
    "Produce",
    3..=13,
    Some(9),
    "
    transactional_id str?
    acks i16
    timeout_ms i32
    topic_data [
        topic_id uuid 13+
        name str 3-12
        partition_data [
            index i32
            records bytes?
        ]
    ]
",
)
.advertised_from(0);

pub(super) static FETCH: ApiSpec = ApiSpec::new(
    ApiKey::Fetch,
    "Fetch",
    4..=18,
    Some(12),
    "
    replica_id i32 4-14
    max_wait_ms i32
    min_bytes i32
    max_bytes i32
    isolation_level i8
    session_id i32 7+
    session_epoch i32 7+
    topics [
        topic_id uuid 13+
        topic str 4-12
        partitions [
            partition i32
            current_leader_epoch i32 9+
            fetch_offset i64
            last_fetched_epoch i32 12+
            log_start_offset i64 5+
            partition_max_bytes i32
            #0 replica_directory_id uuid 17+
            #1 high_watermark i64 18+
        ]
    ]
    forgotten_topics_data [
        topic_id uuid 13+
        topic str 7-12
        partitions [i32]
    ] 7+
    rack_id str 11+
    #0 cluster_id str? 12+
    #1 replica_state {
        replica_id i32
        replica_epoch i64
    } 15+
",
);

pub(super) static LIST_OFFSETS: ApiSpec = ApiSpec::new(
    ApiKey::ListOffsets,
    "ListOffsets",
    1..=10,
    Some(6),
    "
    replica_id i32
    isolation_level i8 2+
    topics [
        name str
        partitions [
            partition_index i32
            current_leader_epoch i32 4+
            timestamp i64
        ]
    ]
    timeout_ms i32 10+
",
);

pub(super) static METADATA: ApiSpec = ApiSpec::new(
    ApiKey::Metadata,
    "Metadata",
    0..=13,
    Some(9),
    "
    topics [
        topic_id uuid 10+
        name str?10+
    ]?1+
    allow_auto_topic_creation bool 4+
    include_cluster_authorized_operations bool 8-10
    include_topic_authorized_operations bool 8+
",
);

pub(super) static API_VERSIONS: ApiSpec = ApiSpec::new(
    ApiKey::ApiVersions,
    "ApiVersions",
    0..=4,
    Some(3),
    "
    client_software_name str 3+
    client_software_version str 3+
",
);

pub(super) static INIT_PRODUCER_ID: ApiSpec = ApiSpec::new(
    ApiKey::InitProducerId,
    "InitProducerId",
    0..=5,
    Some(2),
    "
    transactional_id str?
    transaction_timeout_ms i32
    producer_id i64 3+
    producer_epoch i16 3+
",
);

pub(super) static OFFSET_FOR_LEADER_EPOCH: ApiSpec = ApiSpec::new(
    ApiKey::OffsetForLeaderEpoch,
    "OffsetForLeaderEpoch",
    2..=4,
    Some(4),
    "
    replica_id i32 3+
    topics [
        topic str
        partitions [
            partition i32
            current_leader_epoch i32
            leader_epoch i32
        ]
    ]
",
);
