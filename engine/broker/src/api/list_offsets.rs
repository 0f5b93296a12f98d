//! ListOffsets 1–10: the first offset at or after a time, or a named one:
//! −1 the end, −2 the start, −3 the largest timestamp (version 7), −4 the
//! local start (8), −5 the end of what is in remote storage (9).

use crate::access::Guarded;
use crate::broker::Broker;
use crate::outcome::Outcome;
use crate::partition::Partition;
use crate::request::Request;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use plimsoll_cluster::AclOperation;
use plimsoll_log::{LogError, PartitionLog};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex, TimestampMs};
use std::collections::HashSet;

/// `isolation_level` of read_committed.
const READ_COMMITTED: i8 = 1;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: ListOffsetsRequest| {
        let catalog = broker.catalog();
        let version = request.version();
        let committed = version >= 2 && query.isolation_level == READ_COMMITTED;
        let access = request.access(broker);
        let mut seen = HashSet::new();
        let mut topics = Vec::with_capacity(query.topics.len());
        for topic in &query.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            let permitted = access.check(AclOperation::Describe, Guarded::Topic(&topic.name.0));
            for asked in &topic.partitions {
                let first = seen.insert((topic.name.0.as_str(), asked.partition_index));
                let index = PartitionIndex(asked.partition_index);
                let found = match permitted {
                    Err(code) => Err(code),
                    Ok(()) if first => catalog
                        .partition(&topic.name.0, index)
                        .and_then(|partition| find(partition, asked, version, committed)),
                    Ok(()) => Err(ErrorCode::InvalidRequest),
                };
                partitions.push(answer(asked, found, version));
            }
            let topic = ListOffsetsTopicResponse::default().with_name(topic.name.clone());
            topics.push(topic.with_partitions(partitions));
        }
        ListOffsetsResponse::default().with_topics(topics)
    })
}

/// Where a search ended.
#[derive(Clone, Copy)]
struct Place {
    timestamp: TimestampMs,
    offset: Offset,
    epoch: LeaderEpoch,
}

impl Place {
    /// Nothing was found.
    const NOWHERE: Self = Self {
        timestamp: TimestampMs::NONE,
        offset: Offset(-1),
        epoch: LeaderEpoch::NONE,
    };

    /// A named offset, which has no timestamp.
    const fn named(offset: Offset, epoch: LeaderEpoch) -> Self {
        Self {
            timestamp: TimestampMs::NONE,
            offset,
            epoch,
        }
    }
}

fn find(
    partition: &Partition,
    asked: &ListOffsetsPartition,
    version: i16,
    committed: bool,
) -> Result<Place, ErrorCode> {
    const END: i64 = -1;
    const START: i64 = -2;
    const LARGEST_TIMESTAMP: i64 = -3;
    const LOCAL_START: i64 = -4;
    const REMOTE_END: i64 = -5;
    partition.check_epoch(LeaderEpoch(asked.current_leader_epoch))?;
    let held = partition.lock();
    let log = held.led()?;
    let storage = |error: LogError| partition.storage_failed("look up an offset", &error);
    let end = if committed {
        log.last_stable_offset()
    } else {
        log.high_watermark()
    };
    match asked.timestamp {
        END => Ok(Place::named(end, partition.leader_epoch())),
        START => Ok(start(log)),
        LARGEST_TIMESTAMP if version >= 7 => {
            let found = log.max_timestamp().map_err(storage)?;
            Ok(found.map_or(Place::NOWHERE, |found| Place {
                timestamp: found.timestamp,
                offset: found.offset,
                epoch: found.leader_epoch,
            }))
        }
        LOCAL_START if version >= 8 => Ok(start(log)),
        REMOTE_END if version >= 9 => Ok(Place::NOWHERE),
        time if time < 0 => Err(ErrorCode::UnsupportedVersion),
        time => {
            let found = log
                .offset_by_timestamp(TimestampMs(time))
                .map_err(storage)?;
            let readable = found.filter(|found| found.offset < end);
            Ok(readable.map_or(Place::NOWHERE, |found| Place {
                timestamp: found.timestamp,
                offset: found.offset,
                epoch: found.leader_epoch,
            }))
        }
    }
}

fn start(log: &PartitionLog) -> Place {
    Place::named(log.log_start(), log.epoch_of(log.log_start()))
}

fn answer(
    asked: &ListOffsetsPartition,
    found: Result<Place, ErrorCode>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let code = found.err().unwrap_or(ErrorCode::None);
    let place = found.unwrap_or(Place::NOWHERE);
    let epoch = if version >= 4 {
        place.epoch
    } else {
        LeaderEpoch::NONE
    };
    ListOffsetsPartitionResponse::default()
        .with_partition_index(asked.partition_index)
        .with_error_code(code.code())
        .with_timestamp(place.timestamp.get())
        .with_offset(place.offset.get())
        .with_leader_epoch(epoch.get())
}
