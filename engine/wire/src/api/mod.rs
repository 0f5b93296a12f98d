//! The APIs that the engine speaks: one table of keys, names, versions and
//! request shapes, which drives dispatch, ApiVersions and the guard.
//!
//! Versions are those of Apache Kafka 4.1. A request's shape says what its body
//! looks like in every version; [`crate::guard`] documents the language. The
//! tests compare every entry with the codec library, version by version.

mod controller;
mod data;
mod groups;
mod security;
mod settings;
mod topics;
mod transactions;

use crate::guard::Shape;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::OnceLock;
use thiserror::Error;

macro_rules! apis {
    ($($name:ident = $key:literal => $spec:path,)*) => {
        /// Which API a request is for. The discriminant is the key on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("Key ", $key, ".")]
                $name = $key,
            )*
        }

        impl ApiKey {
            /// Every API in the table, by key.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }

        impl TryFrom<i16> for ApiKey {
            type Error = UnknownApi;

            fn try_from(key: i16) -> Result<Self, UnknownApi> {
                match key {
                    $($key => Ok(Self::$name),)*
                    _ => Err(UnknownApi(key)),
                }
            }
        }

        /// The table's entry for `api`.
        pub fn spec(api: ApiKey) -> &'static ApiSpec {
            match api {
                $(ApiKey::$name => &$spec,)*
            }
        }
    };
}

apis! {
    Produce = 0 => data::PRODUCE,
    Fetch = 1 => data::FETCH,
    ListOffsets = 2 => data::LIST_OFFSETS,
    Metadata = 3 => data::METADATA,
    OffsetCommit = 8 => groups::OFFSET_COMMIT,
    OffsetFetch = 9 => groups::OFFSET_FETCH,
    FindCoordinator = 10 => groups::FIND_COORDINATOR,
    JoinGroup = 11 => groups::JOIN_GROUP,
    Heartbeat = 12 => groups::HEARTBEAT,
    LeaveGroup = 13 => groups::LEAVE_GROUP,
    SyncGroup = 14 => groups::SYNC_GROUP,
    DescribeGroups = 15 => groups::DESCRIBE_GROUPS,
    ListGroups = 16 => groups::LIST_GROUPS,
    SaslHandshake = 17 => security::SASL_HANDSHAKE,
    ApiVersions = 18 => data::API_VERSIONS,
    CreateTopics = 19 => topics::CREATE_TOPICS,
    DeleteTopics = 20 => topics::DELETE_TOPICS,
    DeleteRecords = 21 => topics::DELETE_RECORDS,
    InitProducerId = 22 => data::INIT_PRODUCER_ID,
    OffsetForLeaderEpoch = 23 => data::OFFSET_FOR_LEADER_EPOCH,
    AddPartitionsToTxn = 24 => transactions::ADD_PARTITIONS_TO_TXN,
    AddOffsetsToTxn = 25 => transactions::ADD_OFFSETS_TO_TXN,
    EndTxn = 26 => transactions::END_TXN,
    WriteTxnMarkers = 27 => transactions::WRITE_TXN_MARKERS,
    TxnOffsetCommit = 28 => transactions::TXN_OFFSET_COMMIT,
    DescribeAcls = 29 => security::DESCRIBE_ACLS,
    CreateAcls = 30 => security::CREATE_ACLS,
    DeleteAcls = 31 => security::DELETE_ACLS,
    DescribeConfigs = 32 => settings::DESCRIBE_CONFIGS,
    AlterConfigs = 33 => settings::ALTER_CONFIGS,
    AlterReplicaLogDirs = 34 => topics::ALTER_REPLICA_LOG_DIRS,
    DescribeLogDirs = 35 => topics::DESCRIBE_LOG_DIRS,
    SaslAuthenticate = 36 => security::SASL_AUTHENTICATE,
    CreatePartitions = 37 => topics::CREATE_PARTITIONS,
    DeleteGroups = 42 => groups::DELETE_GROUPS,
    ElectLeaders = 43 => topics::ELECT_LEADERS,
    IncrementalAlterConfigs = 44 => settings::INCREMENTAL_ALTER_CONFIGS,
    AlterPartitionReassignments = 45 => topics::ALTER_PARTITION_REASSIGNMENTS,
    ListPartitionReassignments = 46 => topics::LIST_PARTITION_REASSIGNMENTS,
    OffsetDelete = 47 => groups::OFFSET_DELETE,
    DescribeClientQuotas = 48 => settings::DESCRIBE_CLIENT_QUOTAS,
    AlterClientQuotas = 49 => settings::ALTER_CLIENT_QUOTAS,
    DescribeUserScramCredentials = 50 => security::DESCRIBE_USER_SCRAM_CREDENTIALS,
    AlterUserScramCredentials = 51 => security::ALTER_USER_SCRAM_CREDENTIALS,
    DescribeQuorum = 55 => settings::DESCRIBE_QUORUM,
    AlterPartition = 56 => controller::ALTER_PARTITION,
    UpdateFeatures = 57 => settings::UPDATE_FEATURES,
    Envelope = 58 => controller::ENVELOPE,
    DescribeCluster = 60 => topics::DESCRIBE_CLUSTER,
    DescribeProducers = 61 => transactions::DESCRIBE_PRODUCERS,
    BrokerRegistration = 62 => controller::BROKER_REGISTRATION,
    BrokerHeartbeat = 63 => controller::BROKER_HEARTBEAT,
    UnregisterBroker = 64 => controller::UNREGISTER_BROKER,
    DescribeTransactions = 65 => transactions::DESCRIBE_TRANSACTIONS,
    ListTransactions = 66 => transactions::LIST_TRANSACTIONS,
    AllocateProducerIds = 67 => controller::ALLOCATE_PRODUCER_IDS,
    ConsumerGroupHeartbeat = 68 => groups::CONSUMER_GROUP_HEARTBEAT,
    ConsumerGroupDescribe = 69 => groups::CONSUMER_GROUP_DESCRIBE,
    ListConfigResources = 74 => settings::LIST_CONFIG_RESOURCES,
    DescribeTopicPartitions = 75 => topics::DESCRIBE_TOPIC_PARTITIONS,
}

/// A key that is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("api key {0} is unknown")]
pub struct UnknownApi(pub i16);

impl ApiKey {
    /// The key on the wire.
    pub const fn key(self) -> i16 {
        self as i16
    }

    /// The table's entry.
    pub fn spec(self) -> &'static ApiSpec {
        spec(self)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}

/// What the engine knows of one API.
#[derive(Debug)]
pub struct ApiSpec {
    /// The API.
    pub key: ApiKey,
    /// Kafka's name for it.
    pub name: &'static str,
    /// The oldest version that is served.
    pub min: i16,
    /// The newest version that is served.
    pub max: i16,
    /// The oldest version that ApiVersions names. Produce names 0, which it
    /// does not serve, because librdkafka takes a missing Produce 0 for a broker
    /// without compression.
    pub advertised_min: i16,
    /// The first version with compact lengths and tagged fields, if any has them.
    pub flexible_from: Option<i16>,
    request: &'static str,
    shape: OnceLock<Shape>,
}

impl ApiSpec {
    const fn new(
        key: ApiKey,
        name: &'static str,
        versions: RangeInclusive<i16>,
        flexible_from: Option<i16>,
        request: &'static str,
    ) -> Self {
        Self {
            key,
            name,
            min: *versions.start(),
            max: *versions.end(),
            advertised_min: *versions.start(),
            flexible_from,
            request,
            shape: OnceLock::new(),
        }
    }

    const fn advertised_from(mut self, min: i16) -> Self {
        self.advertised_min = min;
        self
    }

    /// Whether `version` is served.
    pub const fn serves(&self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// Every version that is served.
    pub const fn versions(&self) -> RangeInclusive<i16> {
        self.min..=self.max
    }

    /// Whether `version` has compact lengths and tagged fields.
    pub const fn is_flexible(&self, version: i16) -> bool {
        match self.flexible_from {
            Some(from) => version >= from,
            None => false,
        }
    }

    /// The version of the header before a request: 2 has tagged fields.
    pub const fn request_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header before a response: 1 has tagged fields.
    /// ApiVersions always has 0, so that a client can read the answer to a
    /// version that the broker does not know (KIP-511).
    pub const fn response_header_version(&self, version: i16) -> i16 {
        match self.key {
            ApiKey::ApiVersions => 0,
            _ if self.is_flexible(version) => 1,
            _ => 0,
        }
    }

    /// What the request's body looks like.
    pub fn shape(&self) -> &Shape {
        self.shape.get_or_init(|| Shape::parse(self.request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_library_on_headers() {
        for &api in ApiKey::ALL {
            let theirs = kafka_protocol::messages::ApiKey::try_from(api.key()).unwrap();
            let spec = spec(api);
            assert_eq!((spec.key, ApiKey::try_from(api.key())), (api, Ok(api)));
            assert_eq!(format!("{theirs:?}"), spec.name);
            for version in spec.versions() {
                assert_eq!(
                    (
                        spec.request_header_version(version),
                        spec.response_header_version(version)
                    ),
                    (
                        theirs.request_header_version(version),
                        theirs.response_header_version(version)
                    ),
                    "{api} {version}"
                );
            }
        }
    }

    #[test]
    fn every_shape_parses() {
        for &api in ApiKey::ALL {
            let _shape = spec(api).shape();
        }
    }
}
