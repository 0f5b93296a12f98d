//! What a client must be allowed for each API that is served: the table that the
//! tests of `access` go through.
//!
//! Whoever adds an API says here what it needs, or why everyone may ask for it.

use crate::client::{batch, body_of, fetch_query};
use crate::groups::{orders, text};
use crate::guarded::*;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Encodable;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::fetch::Replica;
use plimsoll_wire::produce::{PartitionData, ProduceRequest, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{BrokerEpoch, NodeId, PartitionIndex};

/// APIs that everyone may ask for: how to speak, who one is, and where the nodes
/// are.
pub const OPEN: &[ApiKey] = &[
    ApiKey::ApiVersions,
    ApiKey::SaslHandshake,
    ApiKey::SaslAuthenticate,
    ApiKey::DescribeCluster,
];

/// How a client that may not is told.
pub enum Denied {
    /// By an error whose name ends in `_AUTHORIZATION_FAILED`.
    Refused,
    /// By leaving this out.
    Hidden(&'static str),
}

/// One request, and all that its client needs to be allowed.
pub struct Case {
    pub api: ApiKey,
    pub version: i16,
    pub body: Vec<u8>,
    pub needs: &'static [Grant],
    pub denied: Denied,
}

fn case<Q: Encodable>(api: ApiKey, version: i16, query: &Q, needs: &'static [Grant]) -> Case {
    let mut body = BytesMut::new();
    let encoded = query.encode(&mut body, version);
    encoded.unwrap_or_else(|error| panic!("{api} {version}: {error:#}"));
    of_body(api, version, body.to_vec(), needs)
}

fn framed(api: ApiKey, version: i16, frame: &[u8], needs: &'static [Grant]) -> Case {
    of_body(api, version, body_of(frame, api, version), needs)
}

fn of_body(api: ApiKey, version: i16, body: Vec<u8>, needs: &'static [Grant]) -> Case {
    Case {
        api,
        version,
        body,
        needs,
        denied: Denied::Refused,
    }
}

fn hidden<Q: Encodable>(
    api: ApiKey,
    version: i16,
    query: &Q,
    (name, needs): (&'static str, &'static [Grant]),
) -> Case {
    Case {
        denied: Denied::Hidden(name),
        ..case(api, version, query, needs)
    }
}

const CLUSTER_NAME: &str = "kafka-cluster";
const MAY_ALTER: &[Grant] = &[(CLUSTER, CLUSTER_NAME, ALTER)];
const MAY_DESCRIBE: &[Grant] = &[(CLUSTER, CLUSTER_NAME, DESCRIBE)];
const IS_NODE: &[Grant] = &[(CLUSTER, CLUSTER_NAME, CLUSTER_ACTION)];
const READS: &[Grant] = &[(TOPIC, "orders", READ)];
const WRITES: &[Grant] = &[(TOPIC, "orders", WRITE)];
const SEES: &[Grant] = &[(TOPIC, "orders", DESCRIBE)];
const JOINS: &[Grant] = &[(GROUP, "readers", READ)];
const TRANSACTS: &[Grant] = &[(TRANSACTION, "tx", WRITE)];

fn group() -> GroupId {
    GroupId(text("readers"))
}

fn transaction() -> TransactionalId {
    TransactionalId(text("tx"))
}

/// Every API that is not open, most of them once.
pub fn cases() -> Vec<Case> {
    let mut cases = data();
    cases.extend(groups());
    cases.extend(transactions());
    cases.extend(topics());
    cases.extend(cluster());
    cases.extend(security());
    cases.extend(nodes());
    cases
}

fn data() -> Vec<Case> {
    use list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    use metadata_request::MetadataRequestTopic;
    use offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    let produce = |id: Option<&'static str>, needs| {
        let partition = PartitionData {
            index: PartitionIndex(0),
            records: Bytes::from(batch(1)),
        };
        let query = ProduceRequest {
            transactional_id: id,
            acks: 1,
            timeout_ms: 1000,
            topics: vec![TopicData {
                topic: Topic::Name("orders"),
                partitions: vec![partition],
            }],
        };
        let frame = query.encode_frame(9, 42, Some("tests")).concat();
        framed(ApiKey::Produce, 9, &frame, needs)
    };
    let fetch = |replica, needs| {
        let mut query = fetch_query(Topic::Name("orders"), 0);
        query.replica = replica;
        let frame = query.encode_frame(12, 42, Some("tests"));
        framed(ApiKey::Fetch, 12, &frame, needs)
    };
    let node = Replica {
        id: NodeId(1),
        epoch: BrokerEpoch(-1),
    };
    let asked = ListOffsetsTopic::default()
        .with_name(orders())
        .with_partitions(vec![ListOffsetsPartition::default()]);
    let offsets = ListOffsetsRequest::default().with_topics(vec![asked]);
    let named = MetadataRequestTopic::default().with_name(Some(orders()));
    let metadata = MetadataRequest::default().with_topics(Some(vec![named]));
    let asked = OffsetForLeaderTopic::default()
        .with_topic(orders())
        .with_partitions(vec![OffsetForLeaderPartition::default()]);
    let ends = OffsetForLeaderEpochRequest::default().with_topics(vec![asked]);
    let plain = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    vec![
        produce(None, WRITES),
        produce(
            Some("tx"),
            &[(TRANSACTION, "tx", WRITE), (TOPIC, "orders", WRITE)],
        ),
        fetch(Replica::CONSUMER, READS),
        fetch(node, IS_NODE),
        case(ApiKey::ListOffsets, 5, &offsets, SEES),
        case(ApiKey::Metadata, 9, &metadata, SEES),
        hidden(
            ApiKey::Metadata,
            9,
            &MetadataRequest::default().with_topics(None),
            ("orders", SEES),
        ),
        case(ApiKey::OffsetForLeaderEpoch, 4, &ends, SEES),
        case(
            ApiKey::InitProducerId,
            4,
            &plain,
            &[(CLUSTER, CLUSTER_NAME, IDEMPOTENT_WRITE)],
        ),
        case(ApiKey::InitProducerId, 4, &plain, WRITES),
        case(
            ApiKey::InitProducerId,
            4,
            &plain.with_transactional_id(Some(transaction())),
            TRANSACTS,
        ),
    ]
}

fn groups() -> Vec<Case> {
    use leave_group_request::MemberIdentity;
    use offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    use offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
    use offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
    let committed = OffsetCommitRequestTopic::default()
        .with_name(orders())
        .with_partitions(vec![OffsetCommitRequestPartition::default()]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![committed]);
    let fetched = OffsetFetchRequestTopics::default()
        .with_name(orders())
        .with_partition_indexes(vec![0]);
    let fetched = OffsetFetchRequestGroup::default()
        .with_group_id(group())
        .with_topics(Some(vec![fetched]));
    let everything = OffsetFetchRequest::default()
        .with_group_id(group())
        .with_topics(None);
    let coordinator = FindCoordinatorRequest::default();
    let deleted = OffsetDeleteRequestTopic::default()
        .with_name(orders())
        .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
    let delete = OffsetDeleteRequest::default()
        .with_group_id(group())
        .with_topics(vec![deleted]);
    let join = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(10_000)
        .with_protocol_type(text("consumer"));
    let sees_group: &[Grant] = &[(GROUP, "readers", DESCRIBE)];
    let sees_both: &[Grant] = &[(GROUP, "readers", DESCRIBE), (TOPIC, "orders", DESCRIBE)];
    let reads_both: &[Grant] = &[(GROUP, "readers", READ), (TOPIC, "orders", READ)];
    let heartbeat = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(text("m"))
        .with_rebalance_timeout_ms(1000)
        .with_subscribed_topic_names(Some(vec![orders()]))
        .with_topic_partitions(Some(Vec::new()));
    let gone = MemberIdentity::default().with_member_id(text("m"));
    let leave = LeaveGroupRequest::default()
        .with_group_id(group())
        .with_members(vec![gone]);
    vec![
        case(ApiKey::OffsetCommit, 8, &commit, reads_both),
        case(
            ApiKey::OffsetFetch,
            8,
            &OffsetFetchRequest::default().with_groups(vec![fetched]),
            sees_both,
        ),
        hidden(ApiKey::OffsetFetch, 7, &everything, ("orders", sees_both)),
        case(
            ApiKey::FindCoordinator,
            3,
            &coordinator.clone().with_key(text("readers")),
            sees_group,
        ),
        case(
            ApiKey::FindCoordinator,
            3,
            &coordinator.with_key(text("tx")).with_key_type(1),
            &[(TRANSACTION, "tx", DESCRIBE)],
        ),
        case(ApiKey::JoinGroup, 5, &join, JOINS),
        case(
            ApiKey::Heartbeat,
            4,
            &HeartbeatRequest::default().with_group_id(group()),
            JOINS,
        ),
        case(ApiKey::LeaveGroup, 4, &leave, JOINS),
        case(
            ApiKey::SyncGroup,
            4,
            &SyncGroupRequest::default().with_group_id(group()),
            JOINS,
        ),
        case(
            ApiKey::DescribeGroups,
            5,
            &DescribeGroupsRequest::default().with_groups(vec![group()]),
            sees_group,
        ),
        hidden(
            ApiKey::ListGroups,
            4,
            &ListGroupsRequest::default(),
            ("readers", sees_group),
        ),
        hidden(
            ApiKey::ListGroups,
            4,
            &ListGroupsRequest::default(),
            ("readers", MAY_DESCRIBE),
        ),
        case(
            ApiKey::DeleteGroups,
            2,
            &DeleteGroupsRequest::default().with_groups_names(vec![group()]),
            &[(GROUP, "readers", DELETE)],
        ),
        case(
            ApiKey::OffsetDelete,
            0,
            &delete,
            &[(GROUP, "readers", DELETE), (TOPIC, "orders", READ)],
        ),
        case(
            ApiKey::ConsumerGroupHeartbeat,
            1,
            &heartbeat,
            &[(GROUP, "readers", READ), (TOPIC, "orders", DESCRIBE)],
        ),
        case(
            ApiKey::ConsumerGroupHeartbeat,
            1,
            &heartbeat
                .with_subscribed_topic_names(None)
                .with_subscribed_topic_regex(Some(text("or.*"))),
            &[(GROUP, "readers", READ), (TOPIC, "*", DESCRIBE)],
        ),
        case(
            ApiKey::ConsumerGroupDescribe,
            1,
            &ConsumerGroupDescribeRequest::default().with_group_ids(vec![group()]),
            sees_group,
        ),
    ]
}

fn transactions() -> Vec<Case> {
    use add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
    use describe_producers_request::TopicRequest;
    use txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
    use write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
    let added = AddPartitionsToTxnTopic::default()
        .with_name(orders())
        .with_partitions(vec![0]);
    let add = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transaction())
        .with_v3_and_below_topics(vec![added.clone()]);
    let of_many = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(transaction())
        .with_topics(vec![added]);
    let add_many = AddPartitionsToTxnRequest::default().with_transactions(vec![of_many]);
    let offsets = AddOffsetsToTxnRequest::default()
        .with_transactional_id(transaction())
        .with_group_id(group());
    let marked = WritableTxnMarkerTopic::default()
        .with_name(orders())
        .with_partition_indexes(vec![0]);
    let marker = WritableTxnMarker::default().with_topics(vec![marked]);
    let markers = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let committed = TxnOffsetCommitRequestTopic::default()
        .with_name(orders())
        .with_partitions(vec![TxnOffsetCommitRequestPartition::default()]);
    let commit = TxnOffsetCommitRequest::default()
        .with_transactional_id(transaction())
        .with_group_id(group())
        .with_topics(vec![committed]);
    let producers = TopicRequest::default()
        .with_name(orders())
        .with_partition_indexes(vec![0]);
    let sees: &[Grant] = &[(TRANSACTION, "tx", DESCRIBE)];
    vec![
        case(
            ApiKey::AddPartitionsToTxn,
            3,
            &add,
            &[(TRANSACTION, "tx", WRITE), (TOPIC, "orders", WRITE)],
        ),
        case(
            ApiKey::AddPartitionsToTxn,
            4,
            &add_many,
            &[
                (CLUSTER, CLUSTER_NAME, CLUSTER_ACTION),
                (TOPIC, "orders", WRITE),
            ],
        ),
        case(
            ApiKey::AddOffsetsToTxn,
            3,
            &offsets,
            &[(TRANSACTION, "tx", WRITE), (GROUP, "readers", READ)],
        ),
        case(
            ApiKey::EndTxn,
            3,
            &EndTxnRequest::default().with_transactional_id(transaction()),
            TRANSACTS,
        ),
        case(ApiKey::WriteTxnMarkers, 1, &markers, IS_NODE),
        case(ApiKey::WriteTxnMarkers, 1, &markers, MAY_ALTER),
        case(
            ApiKey::TxnOffsetCommit,
            3,
            &commit,
            &[(TRANSACTION, "tx", WRITE), (GROUP, "readers", READ)],
        ),
        case(
            ApiKey::DescribeProducers,
            0,
            &DescribeProducersRequest::default().with_topics(vec![producers]),
            READS,
        ),
        case(
            ApiKey::DescribeTransactions,
            0,
            &DescribeTransactionsRequest::default().with_transactional_ids(vec![transaction()]),
            sees,
        ),
        hidden(
            ApiKey::ListTransactions,
            1,
            &ListTransactionsRequest::default().with_duration_filter(-1),
            ("tx", sees),
        ),
    ]
}

fn topics() -> Vec<Case> {
    use create_partitions_request::CreatePartitionsTopic;
    use create_topics_request::CreatableTopic;
    use delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    use describe_topic_partitions_request::TopicRequest;
    let new = CreatableTopic::default()
        .with_name(TopicName(text("new")))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let create = CreateTopicsRequest::default().with_topics(vec![new]);
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![orders()]);
    let records = DeleteRecordsTopic::default()
        .with_name(orders())
        .with_partitions(vec![DeleteRecordsPartition::default()]);
    let grown = CreatePartitionsTopic::default()
        .with_name(orders())
        .with_count(2)
        .with_assignments(None);
    let described = TopicRequest::default().with_name(orders());
    let deletes: &[Grant] = &[(TOPIC, "orders", DELETE)];
    vec![
        case(ApiKey::CreateTopics, 5, &create, &[(TOPIC, "new", CREATE)]),
        case(
            ApiKey::CreateTopics,
            5,
            &create,
            &[(CLUSTER, CLUSTER_NAME, CREATE)],
        ),
        case(ApiKey::DeleteTopics, 5, &delete, deletes),
        case(
            ApiKey::DeleteRecords,
            2,
            &DeleteRecordsRequest::default().with_topics(vec![records]),
            deletes,
        ),
        case(
            ApiKey::CreatePartitions,
            3,
            &CreatePartitionsRequest::default().with_topics(vec![grown]),
            &[(TOPIC, "orders", ALTER)],
        ),
        case(
            ApiKey::DescribeTopicPartitions,
            0,
            &DescribeTopicPartitionsRequest::default()
                .with_topics(vec![described])
                .with_response_partition_limit(10),
            SEES,
        ),
        hidden(
            ApiKey::DescribeTopicPartitions,
            0,
            &DescribeTopicPartitionsRequest::default().with_response_partition_limit(10),
            ("orders", SEES),
        ),
    ]
}

fn cluster() -> Vec<Case> {
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

fn security() -> Vec<Case> {
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

fn nodes() -> Vec<Case> {
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
