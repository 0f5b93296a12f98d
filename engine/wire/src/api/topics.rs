//! Topics, partitions and where their replicas lie.

use super::{ApiKey, ApiSpec};

pub(super) static CREATE_TOPICS: ApiSpec = ApiSpec::new(
    ApiKey::CreateTopics,
    "CreateTopics",
    2..=7,
    Some(5),
    "
    topics [
        name str
        num_partitions i32
        replication_factor i16
        assignments [
            partition_index i32
            broker_ids [i32]
        ]
        configs [
            name str
            value str?
        ]
    ]
    timeout_ms i32
    validate_only bool
",
);

pub(super) static DELETE_TOPICS: ApiSpec = ApiSpec::new(
    ApiKey::DeleteTopics,
    "DeleteTopics",
    1..=6,
    Some(4),
    "
    topics [
        name str?
        topic_id uuid
    ] 6+
    topic_names [str] 1-5
    timeout_ms i32
",
);

pub(super) static DELETE_RECORDS: ApiSpec = ApiSpec::new(
    ApiKey::DeleteRecords,
    "DeleteRecords",
    0..=2,
    Some(2),
    "
    topics [
        name str
        partitions [
            partition_index i32
            offset i64
        ]
    ]
    timeout_ms i32
",
);

pub(super) static ALTER_REPLICA_LOG_DIRS: ApiSpec = ApiSpec::new(
    ApiKey::AlterReplicaLogDirs,
    "AlterReplicaLogDirs",
    1..=2,
    Some(2),
    "
    dirs [
        path str
        topics [
            name str
            partitions [i32]
        ]
    ]
",
);

pub(super) static DESCRIBE_LOG_DIRS: ApiSpec = ApiSpec::new(
    ApiKey::DescribeLogDirs,
    "DescribeLogDirs",
    1..=4,
    Some(2),
    "
    topics [
        topic str
        partitions [i32]
    ]?
",
);

pub(super) static CREATE_PARTITIONS: ApiSpec = ApiSpec::new(
    ApiKey::CreatePartitions,
    "CreatePartitions",
    0..=3,
    Some(2),
    "
    topics [
        name str
        count i32
        assignments [
            broker_ids [i32]
        ]?
    ]
    timeout_ms i32
    validate_only bool
",
);

pub(super) static ELECT_LEADERS: ApiSpec = ApiSpec::new(
    ApiKey::ElectLeaders,
    "ElectLeaders",
    0..=2,
    Some(2),
    "
    election_type i8 1+
    topic_partitions [
        topic str
        partitions [i32]
    ]?
    timeout_ms i32
",
);

pub(super) static ALTER_PARTITION_REASSIGNMENTS: ApiSpec = ApiSpec::new(
    ApiKey::AlterPartitionReassignments,
    "AlterPartitionReassignments",
    0..=1,
    Some(0),
    "
    timeout_ms i32
    allow_replication_factor_change bool 1+
    topics [
        name str
        partitions [
            partition_index i32
            replicas [i32]?
        ]
    ]
",
);

pub(super) static LIST_PARTITION_REASSIGNMENTS: ApiSpec = ApiSpec::new(
    ApiKey::ListPartitionReassignments,
    "ListPartitionReassignments",
    0..=0,
    Some(0),
    "
    timeout_ms i32
    topics [
        name str
        partition_indexes [i32]
    ]?
",
);

pub(super) static DESCRIBE_CLUSTER: ApiSpec = ApiSpec::new(
    ApiKey::DescribeCluster,
    "DescribeCluster",
    0..=2,
    Some(0),
    "
    include_cluster_authorized_operations bool
    endpoint_type i8 1+
    include_fenced_brokers bool 2+
",
);

pub(super) static DESCRIBE_TOPIC_PARTITIONS: ApiSpec = ApiSpec::new(
    ApiKey::DescribeTopicPartitions,
    "DescribeTopicPartitions",
    0..=0,
    Some(0),
    "
    topics [
        name str
    ]
    response_partition_limit i32
    cursor {
        topic_name str
        partition_index i32
    }?
",
);
