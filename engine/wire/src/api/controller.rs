//! What brokers ask the active controller, and what goes on between nodes.

use super::{ApiKey, ApiSpec};

pub(super) static ALTER_PARTITION: ApiSpec = ApiSpec::new(
    ApiKey::AlterPartition,
    "AlterPartition",
    2..=3,
    Some(0),
    "
    broker_id i32
    broker_epoch i64
    topics [
        topic_id uuid
        partitions [
            partition_index i32
            leader_epoch i32
            new_isr [i32] 2-2
            new_isr_with_epochs [
                broker_id i32
                broker_epoch i64
            ] 3+
            leader_recovery_state i8
            partition_epoch i32
        ]
    ]
",
);

pub(super) static ENVELOPE: ApiSpec = ApiSpec::new(
    ApiKey::Envelope,
    "Envelope",
    0..=0,
    Some(0),
    "
    request_data bytes
    request_principal bytes?
    client_host_address bytes
",
);

pub(super) static BROKER_REGISTRATION: ApiSpec = ApiSpec::new(
    ApiKey::BrokerRegistration,
    "BrokerRegistration",
    0..=4,
    Some(0),
    "
    broker_id i32
    cluster_id str
    incarnation_id uuid
    listeners [
        name str
        host str
        port u16
        security_protocol i16
    ]
    features [
        name str
        min_supported_version i16
        max_supported_version i16
    ]
    rack str?
    is_migrating_zk_broker bool 1+
    log_dirs [uuid] 2+
    previous_broker_epoch i64 3+
",
);

pub(super) static BROKER_HEARTBEAT: ApiSpec = ApiSpec::new(
    ApiKey::BrokerHeartbeat,
    "BrokerHeartbeat",
    0..=1,
    Some(0),
    "
    broker_id i32
    broker_epoch i64
    current_metadata_offset i64
    want_fence bool
    want_shut_down bool
    #0 offline_log_dirs [uuid] 1+
",
);

pub(super) static UNREGISTER_BROKER: ApiSpec = ApiSpec::new(
    ApiKey::UnregisterBroker,
    "UnregisterBroker",
    0..=0,
    Some(0),
    "
    broker_id i32
",
);

pub(super) static ALLOCATE_PRODUCER_IDS: ApiSpec = ApiSpec::new(
    ApiKey::AllocateProducerIds,
    "AllocateProducerIds",
    0..=0,
    Some(0),
    "
    broker_id i32
    broker_epoch i64
",
);
