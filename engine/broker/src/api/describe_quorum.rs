//! DescribeQuorum 0–2: who votes on the metadata log, who leads, how far each is.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::{broker_id, text, topic};
use crate::observing::Observed;
use crate::outcome::Outcome;
use crate::request::Request;
use crate::topic_name::METADATA_TOPIC;
use kafka_protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use kafka_protocol::messages::{BrokerId, DescribeQuorumRequest, DescribeQuorumResponse};
use plimsoll_cluster::AclOperation;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{NodeId, TimestampMs};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeQuorumRequest| {
        let version = request.version();
        let answer = DescribeQuorumResponse::default();
        let permitted = request
            .access(broker)
            .check(AclOperation::Describe, Guarded::Cluster);
        if let Err(code) = permitted {
            return refuse(answer, version, code, code.name().to_owned());
        }
        let known = query.topics.iter().all(|asked| {
            asked.topic_name.0.as_str() == METADATA_TOPIC
                && asked.partitions.iter().all(|p| p.partition_index == 0)
        });
        if !known || query.topics.is_empty() {
            let words = format!("only {METADATA_TOPIC}, partition 0, has a quorum");
            return refuse(answer, version, ErrorCode::UnknownTopicOrPartition, words);
        }
        if !broker.metadata.is_active() {
            let words = "this node is not the active controller".to_owned();
            return refuse(answer, version, ErrorCode::NotController, words);
        }
        let data = TopicData::default()
            .with_topic_name(topic(METADATA_TOPIC))
            .with_partitions(vec![describe(broker, version, request.now.wall.get())]);
        let answer = answer.with_topics(vec![data]);
        if version >= 2 {
            answer.with_nodes(nodes(broker))
        } else {
            answer
        }
    })
}

fn refuse(
    answer: DescribeQuorumResponse,
    version: i16,
    code: ErrorCode,
    words: String,
) -> DescribeQuorumResponse {
    let answer = answer.with_error_code(code.code());
    if version >= 2 {
        answer.with_error_message(Some(text(words)))
    } else {
        answer
    }
}

fn describe(broker: &Broker, version: i16, now_ms: i64) -> PartitionData {
    let standing = broker.metadata.standing();
    let state = |node: NodeId, end: i64| {
        let state = ReplicaState::default()
            .with_replica_id(broker_id(node))
            .with_log_end_offset(end);
        if version >= 1 {
            let caught_up = if end > standing.committed.get() {
                now_ms
            } else {
                -1
            };
            state
                .with_last_fetch_timestamp(now_ms)
                .with_last_caught_up_timestamp(caught_up)
        } else {
            state
        }
    };
    let voters = broker.metadata.voters();
    let ids: Vec<NodeId> = voters.iter().map(|voter| voter.node).collect();
    let observers = broker.observers.at(TimestampMs(now_ms));
    let observers = observers.iter().filter(|(node, _)| !ids.contains(node));
    let observer = |node: NodeId, seen: &Observed| {
        let state = ReplicaState::default()
            .with_replica_id(broker_id(node))
            .with_log_end_offset(seen.end.plus(1).get());
        match version {
            0 => state,
            _ => state
                .with_last_fetch_timestamp(seen.asked_at.get())
                .with_last_caught_up_timestamp(seen.caught_up_at.get()),
        }
    };
    PartitionData::default()
        .with_partition_index(0)
        .with_leader_id(standing.leader.map_or(BrokerId(-1), broker_id))
        .with_leader_epoch(standing.term.get())
        .with_high_watermark(standing.committed.plus(1).get())
        .with_current_voters(
            voters
                .iter()
                .map(|voter| state(voter.node, voter.end.plus(1).get()))
                .collect(),
        )
        .with_observers(
            observers
                .map(|(node, seen)| observer(*node, seen))
                .collect(),
        )
}

fn nodes(broker: &Broker) -> Vec<Node> {
    let node = |peer: &std::sync::Arc<crate::outgoing::Peer>| {
        Node::default()
            .with_node_id(broker_id(peer.node))
            .with_listeners(vec![
                Listener::default()
                    .with_name(text("CONTROLLER"))
                    .with_host(text(peer.host.as_str()))
                    .with_port(peer.port),
            ])
    };
    broker.config.voters.iter().map(node).collect()
}
