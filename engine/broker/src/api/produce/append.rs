//! One partition's batch on its way into the log.

use super::recompress::recompress;
use crate::access::Access;
use crate::broker::Broker;
use crate::partition::Partition;
use crate::refusal::Refusal;
use crate::topic_settings::TopicSettings;
use crate::transactions::{Guard, Verified};
use plimsoll_coordinator::Producer;
use plimsoll_log::{AppendAs, AppendError, Origin, PartitionLog};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{BatchHeader, InvalidBatch, ProduceRules, validate_produce};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::frame::REQUEST_MAX_BYTES;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};

/// The first version that may carry zstd.
const ZSTD: i16 = 7;

/// What holds for all partitions of a request.
#[derive(Clone, Copy)]
pub(crate) struct Producing<'a> {
    /// The node.
    pub(crate) broker: &'a Broker,
    /// The producer's transactional id, if it has one.
    pub(crate) transactional_id: Option<&'a str>,
    /// Where its coordinator says that its transaction may write.
    pub(crate) verified: &'a Verified,
    /// What the client may do.
    pub(crate) access: &'a Access,
    /// Who must have the records before the answer.
    pub(crate) acks: i16,
    /// The request's version.
    pub(crate) version: i16,
    /// The time.
    pub(crate) now: Now,
    /// Whether the broker's own topics may be written.
    pub(crate) internal: bool,
}

/// Where a batch came to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) base_offset: Offset,
    pub(crate) log_append_time: Option<TimestampMs>,
    pub(crate) log_start: Offset,
    /// The term it was appended in, and the offset after it when that lies past
    /// the high watermark.
    pub(crate) epoch: LeaderEpoch,
    pub(crate) unreplicated_to: Option<Offset>,
}

/// Checks a batch and appends it. Waiting fetches hear of it.
pub(crate) fn append(
    partition: &Partition,
    settings: &TopicSettings,
    producing: &Producing<'_>,
    batch: &mut [u8],
) -> Result<Placed, Refusal> {
    let outcome = try_append(partition, settings, producing, batch);
    let traffic = partition.traffic();
    traffic.produce_requests.add(1);
    if let Err(refusal) = &outcome {
        traffic.failed_produce_requests.add(1);
        producing
            .broker
            .requests
            .failed(ApiKey::Produce, refusal.code);
    }
    outcome
}

fn try_append(
    partition: &Partition,
    settings: &TopicSettings,
    producing: &Producing<'_>,
    batch: &mut [u8],
) -> Result<Placed, Refusal> {
    if producing.acks == -1 && partition.in_sync() < settings.in_sync_min {
        let code = partition.lock().led_epoch().err();
        return Err(match code {
            Some(code) => Refusal::new(code, code.name()),
            None => {
                let need = settings.in_sync_min;
                refuse_short_isr(partition, need, ErrorCode::NotEnoughReplicas)
            }
        });
    }
    let rules = ProduceRules {
        message_max_bytes: settings.batch_bytes_max,
        timestamp_type: settings.log.timestamp_type,
        now: producing.now.wall,
        timestamp_before_max_ms: settings.timestamp_before_ms_max,
        timestamp_after_max_ms: settings.timestamp_after_ms_max,
        zstd_allowed: producing.version >= ZSTD,
        keys_required: settings.log.cleanup_policy.compact,
        inflated_max_bytes: REQUEST_MAX_BYTES,
    };
    let header = validate_produce(batch, &rules).map_err(invalid)?;
    let guard = match header.is_transactional() {
        true => transact(partition, producing, &header)?,
        false => None,
    };
    match settings.compression {
        Some((codec, level)) if codec != header.compression() => {
            let mut batch = recompress(batch, &header, codec, level).map_err(|error| {
                Refusal::new(
                    ErrorCode::CorruptMessage,
                    format!("cannot recompress: {error}"),
                )
            })?;
            let header = BatchHeader::parse(&batch)
                .map_err(|error| Refusal::new(ErrorCode::UnknownServerError, error.to_string()))?;
            place((partition, guard), producing, &mut batch, &header)
        }
        _ => place((partition, guard), producing, batch, &header),
    }
}

/// The refusal for want of replicas in sync.
pub(super) fn refuse_short_isr(partition: &Partition, need: i32, code: ErrorCode) -> Refusal {
    let have = partition.in_sync();
    let words = format!("{have} replicas in sync, min.insync.replicas asks for {need}");
    Refusal::new(code, words)
}

/// Makes sure that the partition is in the producer's transaction. It is when
/// the producer has written to it in this transaction before; else the answer is
/// the guard under which the coordinator said so.
fn transact(
    partition: &Partition,
    producing: &Producing<'_>,
    header: &BatchHeader,
) -> Result<Option<Guard>, Refusal> {
    if producing.transactional_id.is_none() {
        let code = ErrorCode::TransactionalIdAuthorizationFailed;
        let words = "a transactional batch without a transactional id";
        return Err(Refusal::new(code, words));
    }
    let producer = producer_of(header);
    {
        let held = partition.lock();
        let led = held.led_epoch();
        led.map_err(|code| Refusal::new(code, code.name()))?;
        if held.is_open_to(producer) {
            return Ok(None);
        }
    }
    producing.verified.guard(partition, producer).map(Some)
}

pub(super) const fn producer_of(header: &BatchHeader) -> Producer {
    Producer {
        id: header.producer_id,
        epoch: header.producer_epoch,
    }
}

fn place(
    (partition, guard): (&Partition, Option<Guard>),
    producing: &Producing<'_>,
    batch: &mut [u8],
    header: &BatchHeader,
) -> Result<Placed, Refusal> {
    let mut held = partition.lock();
    if header.is_transactional() {
        held.admit(producer_of(header), guard).map_err(|code| {
            let words = "the transaction ended before these records could be written";
            Refusal::new(code, words)
        })?;
        held.guards.lower(header.producer_id);
    }
    let (log, leader_epoch) = held
        .led_mut()
        .map_err(|code| Refusal::new(code, code.name()))?;
    let how = AppendAs {
        leader_epoch,
        now: producing.now.wall,
        origin: Origin::Client,
    };
    let outcome = log.append(batch, header, how);
    let log_start = log.log_start();
    let appended = outcome.map_err(|error| refused(partition, error))?;
    if !appended.duplicate {
        held.grew(batch.len());
        let traffic = partition.traffic();
        traffic
            .messages_in
            .add(u64::try_from(header.record_count).unwrap_or(0));
        traffic.bytes_in.add(batch.len() as u64);
    }
    let end = appended.last_offset.plus(1);
    let high_watermark = held.log().map_or(end, PartitionLog::high_watermark);
    Ok(Placed {
        epoch: leader_epoch,
        unreplicated_to: (high_watermark < end).then_some(end),
        base_offset: appended.base_offset,
        log_append_time: appended.log_append_time,
        log_start,
    })
}

/// The error of a batch that does not pass.
fn invalid(why: InvalidBatch) -> Refusal {
    let code = match &why {
        InvalidBatch::TooLarge { .. } => ErrorCode::MessageTooLarge,
        InvalidBatch::Corrupt(_) => ErrorCode::CorruptMessage,
        InvalidBatch::ZstdTooEarly => ErrorCode::UnsupportedCompressionType,
        InvalidBatch::Timestamp { .. } | InvalidBatch::TimestampType => ErrorCode::InvalidTimestamp,
        _ => ErrorCode::InvalidRecord,
    };
    Refusal::new(code, why.to_string())
}

/// The error of a batch that the log does not take.
fn refused(partition: &Partition, why: AppendError) -> Refusal {
    let code = match &why {
        AppendError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
        AppendError::StaleProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        AppendError::StaleCoordinatorEpoch { .. } => ErrorCode::TransactionCoordinatorFenced,
        AppendError::OutsideTransaction { .. } => ErrorCode::InvalidTxnState,
        AppendError::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
        AppendError::OffsetsWentBack { .. } => ErrorCode::UnknownServerError,
        AppendError::Malformed(_) => ErrorCode::CorruptMessage,
        AppendError::Log(error) => partition.storage_failed("write to a log", error),
    };
    Refusal::new(code, why.to_string())
}
