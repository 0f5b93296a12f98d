//! What a client must be allowed for each API that is served: the table that the
//! tests of `access` go through.
//!
//! Whoever adds an API says here what it needs, or why everyone may ask for it.

mod cluster;
mod coordinators;

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
    cases.extend(coordinators::groups());
    cases.extend(coordinators::transactions());
    cases.extend(topics());
    cases.extend(cluster::cluster());
    cases.extend(cluster::security());
    cases.extend(cluster::nodes());
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
