//! AlterPartition 2–3: a leader has the ISR of its partitions changed. Version
//! 3 carries the epoch of each member's run.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::controller::IsrWish;
use crate::convert::{broker_id, broker_ids};
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::alter_partition_request::PartitionData as Asked;
use kafka_protocol::messages::alter_partition_response::{PartitionData, TopicData};
use kafka_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};
use plimsoll_cluster::{AclOperation, PartitionImage};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex};
use uuid::Uuid;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: AlterPartitionRequest| {
        let answer = AlterPartitionResponse::default();
        let wishes: Vec<_> = query
            .topics
            .iter()
            .flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|asked| wish(topic.topic_id, asked))
            })
            .collect();
        let asker = (NodeId(query.broker_id.0), BrokerEpoch(query.broker_epoch));
        let permitted = request
            .access(broker)
            .check(AclOperation::ClusterAction, Guarded::Cluster);
        let altered = permitted.and_then(|()| broker.alter_isrs(asker, &wishes, request.now));
        let outcomes = match altered {
            Ok(outcomes) => outcomes,
            Err(code) => return answer.with_error_code(code.code()),
        };
        let mut outcomes = outcomes.iter();
        let topics = query.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().zip(outcomes.by_ref());
            let partitions = partitions.map(|(asked, outcome)| one(asked, outcome));
            TopicData::default()
                .with_topic_id(topic.topic_id)
                .with_partitions(partitions.collect())
        });
        answer.with_topics(topics.collect())
    })
}

fn wish(topic: Uuid, asked: &Asked) -> IsrWish {
    let with_epochs = asked
        .new_isr_with_epochs
        .iter()
        .map(|member| (NodeId(member.broker_id.0), BrokerEpoch(member.broker_epoch)));
    let plain = asked
        .new_isr
        .iter()
        .map(|member| (NodeId(member.0), BrokerEpoch(-1)));
    IsrWish {
        topic,
        partition: PartitionIndex(asked.partition_index),
        leader_epoch: LeaderEpoch(asked.leader_epoch),
        partition_epoch: asked.partition_epoch,
        isr: with_epochs.chain(plain).collect(),
    }
}

fn one(asked: &Asked, outcome: &Result<PartitionImage, ErrorCode>) -> PartitionData {
    let data = PartitionData::default().with_partition_index(asked.partition_index);
    match outcome {
        Ok(now) => data
            .with_leader_id(broker_id(now.leader))
            .with_leader_epoch(now.leader_epoch.get())
            .with_isr(broker_ids(&now.isr))
            .with_partition_epoch(now.partition_epoch),
        Err(code) => data.with_error_code(code.code()),
    }
}
