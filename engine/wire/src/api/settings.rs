//! Configurations, client quotas, features and the metadata quorum.

use super::{ApiKey, ApiSpec};

pub(super) static DESCRIBE_CONFIGS: ApiSpec = ApiSpec::new(
    ApiKey::DescribeConfigs,
    "DescribeConfigs",
    1..=4,
    Some(4),
    "
    resources [
        resource_type i8
        resource_name str
        configuration_keys [str]?
    ]
    include_synonyms bool
    include_documentation bool 3+
",
);

pub(super) static ALTER_CONFIGS: ApiSpec = ApiSpec::new(
    ApiKey::AlterConfigs,
    "AlterConfigs",
    0..=2,
    Some(2),
    "
    resources [
        resource_type i8
        resource_name str
        configs [
            name str
            value str?
        ]
    ]
    validate_only bool
",
);

pub(super) static INCREMENTAL_ALTER_CONFIGS: ApiSpec = ApiSpec::new(
    ApiKey::IncrementalAlterConfigs,
    "IncrementalAlterConfigs",
    0..=1,
    Some(1),
    "
    resources [
        resource_type i8
        resource_name str
        configs [
            name str
            config_operation i8
            value str?
        ]
    ]
    validate_only bool
",
);

pub(super) static DESCRIBE_CLIENT_QUOTAS: ApiSpec = ApiSpec::new(
    ApiKey::DescribeClientQuotas,
    "DescribeClientQuotas",
    0..=1,
    Some(1),
    "
    components [
        entity_type str
        match_type i8
        match str?
    ]
    strict bool
",
);

pub(super) static ALTER_CLIENT_QUOTAS: ApiSpec = ApiSpec::new(
    ApiKey::AlterClientQuotas,
    "AlterClientQuotas",
    0..=1,
    Some(1),
    "
    entries [
        entity [
            entity_type str
            entity_name str?
        ]
        ops [
            key str
            value f64
            remove bool
        ]
    ]
    validate_only bool
",
);

pub(super) static DESCRIBE_QUORUM: ApiSpec = ApiSpec::new(
    ApiKey::DescribeQuorum,
    "DescribeQuorum",
    0..=2,
    Some(0),
    "
    topics [
        topic_name str
        partitions [
            partition_index i32
        ]
    ]
",
);

pub(super) static UPDATE_FEATURES: ApiSpec = ApiSpec::new(
    ApiKey::UpdateFeatures,
    "UpdateFeatures",
    0..=2,
    Some(0),
    "
    timeout_ms i32
    feature_updates [
        feature str
        max_version_level i16
        upgrade_type i8 1+
        allow_downgrade bool 0-0
    ]
    validate_only bool 1+
",
);

pub(super) static LIST_CONFIG_RESOURCES: ApiSpec = ApiSpec::new(
    ApiKey::ListConfigResources,
    "ListConfigResources",
    0..=1,
    Some(0),
    "
    resource_types [i8] 1+
",
);
