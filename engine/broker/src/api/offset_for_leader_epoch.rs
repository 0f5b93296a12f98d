//! OffsetForLeaderEpoch 2–4: where a leader's epoch ended, so that a consumer
//! can tell whether what it read was cut off (KIP-320).

use crate::access::Guarded;
use crate::broker::Broker;
use crate::outcome::Outcome;
use crate::partition::Partition;
use crate::request::Request;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use plimsoll_cluster::AclOperation;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: OffsetForLeaderEpochRequest| {
        let access = request.access(broker);
        let is_node = access.allows(AclOperation::ClusterAction, Guarded::Cluster);
        let catalog = broker.catalog();
        let topics = query.topics.iter().map(|topic| {
            let permitted = match is_node {
                true => Ok(()),
                false => access.check(AclOperation::Describe, Guarded::Topic(&topic.topic.0)),
            };
            let one = |asked: &OffsetForLeaderPartition| {
                let index = PartitionIndex(asked.partition);
                let found = permitted
                    .and_then(|()| catalog.partition(&topic.topic.0, index))
                    .and_then(|partition| end_of(partition, asked));
                answer(asked, found)
            };
            OffsetForLeaderTopicResult::default()
                .with_topic(topic.topic.clone())
                .with_partitions(topic.partitions.iter().map(one).collect())
        });
        OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
    })
}

fn end_of(
    partition: &Partition,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
    partition.check_epoch(LeaderEpoch(asked.current_leader_epoch))?;
    let held = partition.lock();
    let end = held
        .led()?
        .end_offset_for_epoch(LeaderEpoch(asked.leader_epoch));
    Ok(end.map(|end| (end.epoch, end.end)))
}

fn answer(
    asked: &OffsetForLeaderPartition,
    found: Result<Option<(LeaderEpoch, Offset)>, ErrorCode>,
) -> EpochEndOffset {
    let code = found.err().unwrap_or(ErrorCode::None);
    let (epoch, end) = found
        .ok()
        .flatten()
        .unwrap_or((LeaderEpoch::NONE, Offset(-1)));
    EpochEndOffset::default()
        .with_error_code(code.code())
        .with_partition(asked.partition)
        .with_leader_epoch(epoch.get())
        .with_end_offset(end.get())
}
