//! What groups and transactions need.

use super::*;

pub(super) fn groups() -> Vec<Case> {
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

pub(super) fn transactions() -> Vec<Case> {
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
