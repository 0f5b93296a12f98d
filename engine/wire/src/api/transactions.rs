//! Transactions: their coordination, and looking at them.

use super::{ApiKey, ApiSpec};

pub(super) static ADD_PARTITIONS_TO_TXN: ApiSpec = ApiSpec::new(
    ApiKey::AddPartitionsToTxn,
    "AddPartitionsToTxn",
    0..=5,
    Some(3),
    "
    transactions [
        transactional_id str
        producer_id i64
        producer_epoch i16
        verify_only bool
        topics [
            name str
            partitions [i32]
        ]
    ] 4+
    v3_and_below_transactional_id str 0-3
    v3_and_below_producer_id i64 0-3
    v3_and_below_producer_epoch i16 0-3
    v3_and_below_topics [
        name str
        partitions [i32]
    ] 0-3
",
);

pub(super) static ADD_OFFSETS_TO_TXN: ApiSpec = ApiSpec::new(
    ApiKey::AddOffsetsToTxn,
    "AddOffsetsToTxn",
    0..=4,
    Some(3),
    "
    transactional_id str
    producer_id i64
    producer_epoch i16
    group_id str
",
);

pub(super) static END_TXN: ApiSpec = ApiSpec::new(
    ApiKey::EndTxn,
    "EndTxn",
    0..=5,
    Some(3),
    "
    transactional_id str
    producer_id i64
    producer_epoch i16
    committed bool
",
);

pub(super) static WRITE_TXN_MARKERS: ApiSpec = ApiSpec::new(
    ApiKey::WriteTxnMarkers,
    "WriteTxnMarkers",
    1..=1,
    Some(1),
    "
    markers [
        producer_id i64
        producer_epoch i16
        transaction_result bool
        topics [
            name str
            partition_indexes [i32]
        ]
        coordinator_epoch i32
    ]
",
);

pub(super) static TXN_OFFSET_COMMIT: ApiSpec = ApiSpec::new(
    ApiKey::TxnOffsetCommit,
    "TxnOffsetCommit",
    0..=5,
    Some(3),
    "
    transactional_id str
    group_id str
    producer_id i64
    producer_epoch i16
    generation_id i32 3+
    member_id str 3+
    group_instance_id str? 3+
    topics [
        name str
        partitions [
            partition_index i32
            committed_offset i64
            committed_leader_epoch i32 2+
            committed_metadata str?
        ]
    ]
",
);

pub(super) static DESCRIBE_PRODUCERS: ApiSpec = ApiSpec::new(
    ApiKey::DescribeProducers,
    "DescribeProducers",
    0..=0,
    Some(0),
    "
    topics [
        name str
        partition_indexes [i32]
    ]
",
);

pub(super) static DESCRIBE_TRANSACTIONS: ApiSpec = ApiSpec::new(
    ApiKey::DescribeTransactions,
    "DescribeTransactions",
    0..=0,
    Some(0),
    "
    transactional_ids [str]
",
);

pub(super) static LIST_TRANSACTIONS: ApiSpec = ApiSpec::new(
    ApiKey::ListTransactions,
    "ListTransactions",
    0..=2,
    Some(0),
    "
    state_filters [str]
    producer_id_filters [i64]
    duration_filter i64 1+
    transactional_id_pattern str? 2+
",
);
