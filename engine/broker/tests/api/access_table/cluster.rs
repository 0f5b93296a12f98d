//! What the cluster, its security and its nodes need.

use super::*;

pub(super) fn cluster() -> Vec<Case> {
    use alter_configs_request::AlterConfigsResource as Replaced;
    use describe_configs_request::DescribeConfigsResource;
    use describe_quorum_request::{PartitionData, TopicData};
    use incremental_alter_configs_request::AlterConfigsResource as Altered;
    let of_topic = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("orders"));
    let of_broker = DescribeConfigsResource::default()
        .with_resource_type(4)
        .with_resource_name(text("1"));
    let described = |one| DescribeConfigsRequest::default().with_resources(vec![one]);
    let replaced = Replaced::default()
        .with_resource_type(2)
        .with_resource_name(text("orders"));
    let altered = Altered::default().with_resource_type(4);
    let quorum = TopicData::default()
        .with_topic_name(TopicName(text("__cluster_metadata")))
        .with_partitions(vec![PartitionData::default()]);
    vec![
        case(
            ApiKey::DescribeConfigs,
            4,
            &described(of_topic),
            &[(TOPIC, "orders", DESCRIBE_CONFIGS)],
        ),
        case(
            ApiKey::DescribeConfigs,
            4,
            &described(of_broker),
            &[(CLUSTER, CLUSTER_NAME, DESCRIBE_CONFIGS)],
        ),
        case(
            ApiKey::AlterConfigs,
            2,
            &AlterConfigsRequest::default().with_resources(vec![replaced]),
            &[(TOPIC, "orders", ALTER_CONFIGS)],
        ),
        case(
            ApiKey::IncrementalAlterConfigs,
            1,
            &IncrementalAlterConfigsRequest::default().with_resources(vec![altered]),
            &[(CLUSTER, CLUSTER_NAME, ALTER_CONFIGS)],
        ),
        case(
            ApiKey::ListConfigResources,
            1,
            &ListConfigResourcesRequest::default(),
            &[(CLUSTER, CLUSTER_NAME, DESCRIBE_CONFIGS)],
        ),
        case(
            ApiKey::DescribeLogDirs,
            4,
            &DescribeLogDirsRequest::default(),
            MAY_DESCRIBE,
        ),
        case(
            ApiKey::ElectLeaders,
            2,
            &ElectLeadersRequest::default().with_topic_partitions(None),
            MAY_ALTER,
        ),
        case(
            ApiKey::AlterPartitionReassignments,
            0,
            &AlterPartitionReassignmentsRequest::default(),
            MAY_ALTER,
        ),
        case(
            ApiKey::ListPartitionReassignments,
            0,
            &ListPartitionReassignmentsRequest::default().with_topics(None),
            MAY_DESCRIBE,
        ),
        case(
            ApiKey::DescribeQuorum,
            1,
            &DescribeQuorumRequest::default().with_topics(vec![quorum]),
            MAY_DESCRIBE,
        ),
        case(
            ApiKey::UpdateFeatures,
            1,
            &UpdateFeaturesRequest::default(),
            MAY_ALTER,
        ),
        case(
            ApiKey::UnregisterBroker,
            0,
            &UnregisterBrokerRequest::default().with_broker_id(BrokerId(77)),
            MAY_ALTER,
        ),
    ]
}

pub(super) fn security() -> Vec<Case> {
    use delete_acls_request::DeleteAclsFilter;
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(3)
        .with_pattern_type_filter(3)
        .with_operation(1)
        .with_permission_type(1);
    let described = DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1);
    let upserted = alter_user_scram_credentials_request::ScramCredentialUpsertion::default()
        .with_name(text("carol"));
    let quota = alter_client_quotas_request::EntryData::default();
    vec![
        case(
            ApiKey::CreateAcls,
            3,
            &CreateAclsRequest::default().with_creations(vec![allow((TOPIC, "orders", READ))]),
            MAY_ALTER,
        ),
        case(ApiKey::DescribeAcls, 3, &described, MAY_DESCRIBE),
        case(
            ApiKey::DeleteAcls,
            3,
            &DeleteAclsRequest::default().with_filters(vec![filter]),
            MAY_ALTER,
        ),
        case(
            ApiKey::DescribeClientQuotas,
            1,
            &DescribeClientQuotasRequest::default(),
            &[(CLUSTER, CLUSTER_NAME, DESCRIBE_CONFIGS)],
        ),
        case(
            ApiKey::AlterClientQuotas,
            1,
            &AlterClientQuotasRequest::default().with_entries(vec![quota]),
            &[(CLUSTER, CLUSTER_NAME, ALTER_CONFIGS)],
        ),
        case(
            ApiKey::DescribeUserScramCredentials,
            0,
            &DescribeUserScramCredentialsRequest::default(),
            MAY_DESCRIBE,
        ),
        case(
            ApiKey::AlterUserScramCredentials,
            0,
            &AlterUserScramCredentialsRequest::default().with_upsertions(vec![upserted]),
            MAY_ALTER,
        ),
    ]
}

pub(super) fn nodes() -> Vec<Case> {
    vec![
        case(
            ApiKey::AlterPartition,
            3,
            &AlterPartitionRequest::default(),
            IS_NODE,
        ),
        case(ApiKey::Envelope, 0, &EnvelopeRequest::default(), IS_NODE),
        case(
            ApiKey::BrokerRegistration,
            3,
            &BrokerRegistrationRequest::default().with_broker_id(BrokerId(77)),
            IS_NODE,
        ),
        case(
            ApiKey::BrokerHeartbeat,
            1,
            &BrokerHeartbeatRequest::default().with_broker_id(BrokerId(77)),
            IS_NODE,
        ),
        case(
            ApiKey::AllocateProducerIds,
            0,
            &AllocateProducerIdsRequest::default(),
            IS_NODE,
        ),
    ]
}
