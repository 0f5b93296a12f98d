//! DescribeProducers 0: who writes to a partition, and since when in a
//! transaction.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::ProducerId as WireProducerId;
use kafka_protocol::messages::describe_producers_request::DescribeProducersRequest;
use kafka_protocol::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use plimsoll_cluster::AclOperation;
use plimsoll_log::ProducerView;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{Offset, PartitionIndex};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeProducersRequest| {
        let access = request.access(broker);
        let topics = query.topics.iter().map(|topic| {
            let permitted = access.check(AclOperation::Read, Guarded::Topic(&topic.name.0));
            let partitions = topic.partition_indexes.iter().map(|index| {
                let found = permitted
                    .and_then(|()| producers(broker, &topic.name.0, PartitionIndex(*index)));
                let code = found.as_ref().err().copied().unwrap_or(ErrorCode::None);
                PartitionResponse::default()
                    .with_partition_index(*index)
                    .with_error_code(code.code())
                    .with_active_producers(found.unwrap_or_default())
            });
            TopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        DescribeProducersResponse::default().with_topics(topics.collect())
    })
}

fn producers(
    broker: &Broker,
    topic: &str,
    index: PartitionIndex,
) -> Result<Vec<ProducerState>, ErrorCode> {
    let catalog = broker.catalog();
    let held = catalog.partition(topic, index)?.lock();
    let state = |view: ProducerView| {
        ProducerState::default()
            .with_producer_id(WireProducerId(view.producer_id.get()))
            .with_producer_epoch(view.epoch.get().into())
            .with_last_sequence(view.last_sequence.get())
            .with_last_timestamp(view.last_timestamp.get())
            .with_coordinator_epoch(view.coordinator_epoch)
            .with_current_txn_start_offset(view.txn_start.unwrap_or(Offset(-1)).get())
    };
    Ok(held.led()?.producers().map(state).collect())
}
