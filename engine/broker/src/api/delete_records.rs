//! DeleteRecords 0–2: moves the start of a partition up to an offset; −1 is the
//! high watermark.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::delete_records_request::DeleteRecordsRequest;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use plimsoll_cluster::AclOperation;
use plimsoll_log::ReadError;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{Offset, PartitionIndex};

/// "Up to the high watermark."
const ALL: i64 = -1;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DeleteRecordsRequest| {
        let access = request.access(broker);
        let topics = query.topics.iter().map(|topic| {
            let permitted = access.check(AclOperation::Delete, Guarded::Topic(&topic.name.0));
            let partitions = topic.partitions.iter().map(|asked| {
                let index = PartitionIndex(asked.partition_index);
                let deleted =
                    permitted.and_then(|()| delete(broker, &topic.name.0, index, asked.offset));
                DeleteRecordsPartitionResult::default()
                    .with_partition_index(asked.partition_index)
                    .with_low_watermark(deleted.unwrap_or(Offset(-1)).get())
                    .with_error_code(deleted.err().unwrap_or(ErrorCode::None).code())
            });
            DeleteRecordsTopicResult::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        DeleteRecordsResponse::default().with_topics(topics.collect())
    })
}

/// Deletes up to `offset`. Answers with where the partition starts then.
fn delete(
    broker: &Broker,
    name: &str,
    index: PartitionIndex,
    offset: i64,
) -> Result<Offset, ErrorCode> {
    let catalog = broker.catalog();
    let topic = catalog
        .topic(name)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let partition = topic
        .partition(index)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if !topic.settings.load().log.cleanup_policy.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let mut held = partition.lock();
    let (log, _) = held.led_mut()?;
    let upto = if offset == ALL {
        log.high_watermark()
    } else {
        Offset(offset)
    };
    if upto.get() < 0 || upto > log.high_watermark() {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let start = log.delete_records_to(upto).map_err(|error| match error {
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Log(error) => {
            tracing::error!(%error, topic = name, partition = index.get(), "cannot delete records");
            ErrorCode::KafkaStorageError
        }
    })?;
    held.wake_all();
    Ok(start)
}
