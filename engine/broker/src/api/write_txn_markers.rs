//! WriteTxnMarkers 1: ends transactions in partitions, as another coordinator
//! or an operator with a hanging transaction asks.

use crate::broker::Broker;
use crate::outcome::Outcome;
use crate::request::Request;
use crate::transactions::Ending;
use kafka_protocol::messages::write_txn_markers_request::WriteTxnMarkersRequest;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersResponse,
};
use plimsoll_coordinator::Producer;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: WriteTxnMarkersRequest| {
        let markers = query.markers.iter().map(|marker| {
            let ending = Ending {
                producer: Producer {
                    id: ProducerId(marker.producer_id.0),
                    epoch: ProducerEpoch(marker.producer_epoch),
                },
                commit: marker.transaction_result,
                coordinator_epoch: marker.coordinator_epoch,
            };
            let topics = marker.topics.iter().map(|topic| {
                let partitions = topic.partition_indexes.iter().map(|index| {
                    let at = PartitionIndex(*index);
                    let written = broker.write_marker(&topic.name.0, at, &ending, request.now);
                    WritableTxnMarkerPartitionResult::default()
                        .with_partition_index(*index)
                        .with_error_code(written.err().unwrap_or(ErrorCode::None).code())
                });
                WritableTxnMarkerTopicResult::default()
                    .with_name(topic.name.clone())
                    .with_partitions(partitions.collect())
            });
            WritableTxnMarkerResult::default()
                .with_producer_id(marker.producer_id)
                .with_topics(topics.collect())
        });
        WriteTxnMarkersResponse::default().with_markers(markers.collect())
    })
}
