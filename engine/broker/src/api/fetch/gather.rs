//! What the partitions of a fetch have to offer right now.

use crate::broker::Broker;
use crate::fetch_sessions::Target;
use crate::partition::{Held, Partition};
use crate::replica::leading::Heard;
use crate::replica::nearest;
use plimsoll_log::{PartitionLog, ReadError, Slices};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{AbortedTransaction, EpochEndOffset};
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{BrokerEpoch, LeaderEpoch, NodeId, Offset};
use std::sync::Arc;

/// How much a fetch wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many bytes are worth an answer before its time is up.
    pub(crate) bytes_min: u64,
    /// How many bytes of records may be answered, but for a first batch that
    /// is larger.
    pub(crate) bytes_max: usize,
    /// Whether records of open and aborted transactions are hidden.
    pub(crate) committed: bool,
    /// Who reads.
    pub(crate) reader: Reader,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A consumer, which reads what is committed. It may read from a follower
    /// when its client knows of that (KIP-392).
    Consumer { may_follow: bool },
    /// Another replica, in this run; it reads everything.
    Replica(NodeId, BrokerEpoch),
}

/// What all partitions of a fetch offer, in the order of its targets.
pub(crate) struct Gathered {
    pub(crate) reads: Vec<Read>,
    pub(crate) bytes: u64,
    /// Something should be answered at once, whatever the bytes.
    urgent: bool,
}

impl Gathered {
    /// Whether to answer now.
    pub(crate) fn is_enough(&self, limits: &Limits) -> bool {
        self.urgent || self.bytes >= limits.bytes_min || self.reads.is_empty()
    }
}

/// What one partition offers.
pub(crate) struct Read {
    pub(crate) error: ErrorCode,
    pub(crate) high_watermark: Offset,
    pub(crate) last_stable: Offset,
    pub(crate) log_start: Offset,
    pub(crate) aborted: Option<Vec<AbortedTransaction>>,
    pub(crate) diverging: Option<EpochEndOffset>,
    pub(crate) slices: Option<Slices>,
    /// Where the consumer had better read.
    pub(crate) nearer: Option<NodeId>,
}

impl Read {
    const fn failed(error: ErrorCode) -> Self {
        Self {
            error,
            high_watermark: Offset(-1),
            last_stable: Offset(-1),
            log_start: Offset(-1),
            aborted: None,
            diverging: None,
            slices: None,
            nearer: None,
        }
    }

    /// Bytes of records.
    pub(crate) fn bytes(&self) -> u64 {
        self.slices.as_ref().map_or(0, Slices::bytes)
    }
}

/// Plans the reads of all targets.
pub(crate) fn gather(broker: &Broker, targets: &[Target], limits: &Limits, now: Now) -> Gathered {
    let mut gathered = Gathered {
        reads: Vec::with_capacity(targets.len()),
        bytes: 0,
        urgent: false,
    };
    for target in targets {
        let taken = usize::try_from(gathered.bytes).unwrap_or(usize::MAX);
        let room = Room {
            bytes: target.bytes_max.min(limits.bytes_max.saturating_sub(taken)),
            first: gathered.bytes == 0,
            committed: limits.committed,
            reader: limits.reader,
        };
        let read = match &target.partition {
            Ok(partition) => read(broker, partition, target, &room, now),
            Err(code) => Err(*code),
        };
        let read = read.unwrap_or_else(Read::failed);
        gathered.bytes += read.bytes();
        gathered.urgent |= read.error.is_error() || read.diverging.is_some();
        gathered.reads.push(read);
    }
    gathered
}

/// Sends a consumer away from the partitions that a replica in its rack has: it
/// reads there from its next fetch on, and is told so at once.
pub(crate) fn send_nearer(
    broker: &Broker,
    targets: &[Target],
    rack: &str,
    gathered: &mut Gathered,
) {
    let image = broker.image();
    let rack_of = |node: NodeId| {
        let live = image.brokers().get(&node).filter(|found| !found.fenced);
        live.and_then(|found| found.rack.as_deref())
    };
    for (target, read) in targets.iter().zip(&mut gathered.reads) {
        let Ok(partition) = &target.partition else {
            continue;
        };
        if read.error.is_error() {
            continue;
        }
        let in_sync = {
            let mut held = partition.lock();
            held.leading()
                .map(|leading| leading.in_sync_with(target.from))
        };
        let Some(in_sync) = in_sync else {
            continue;
        };
        read.nearer = nearest::in_rack(rack, broker.node(), &in_sync, rack_of);
        if read.nearer.is_some() {
            gathered.bytes -= read.bytes();
            read.slices = None;
            gathered.urgent = true;
        }
    }
}

/// How much may be read of one partition.
struct Room {
    bytes: usize,
    /// Nothing was found yet: a first batch may be larger than the room.
    first: bool,
    committed: bool,
    reader: Reader,
}

fn read(
    broker: &Broker,
    partition: &Arc<Partition>,
    target: &Target,
    room: &Room,
    now: Now,
) -> Result<Read, ErrorCode> {
    partition.check_epoch(target.epoch)?;
    let mut held = partition.lock();
    let log = match room.reader {
        Reader::Consumer { may_follow: true } => held.log()?,
        _ => held.led()?,
    };
    let diverging = diverging(log, target)?;
    let in_log = target.from >= log.log_start() && target.from <= log.log_end();
    if let Reader::Replica(node, run) = room.reader
        && diverging.is_none()
        && in_log
    {
        let heard = Heard {
            node,
            run,
            from: target.from,
            at: now.mono,
        };
        if held.hear_follower(heard)? {
            broker.isr_changes.want(partition);
        }
    } else if let Reader::Replica(..) = room.reader
        && diverging.is_none()
    {
        return Ok(Read {
            log_start: log.log_start(),
            ..Read::failed(ErrorCode::OffsetOutOfRange)
        });
    }
    let rate = match room.reader {
        Reader::Replica(node, _) => throttled_rate(broker, partition, &mut held, node),
        Reader::Consumer { .. } => None,
    };
    let waits = rate.is_some() && broker.sent_throttle.is_exceeded(now.mono);
    let log = held.log()?;
    let (high_watermark, last_stable) = (log.high_watermark(), log.last_stable_offset());
    let upto = match room.reader {
        Reader::Replica(..) => log.log_end(),
        Reader::Consumer { .. } if mutation::is(Mutation::IgnoreLastStable) => high_watermark,
        Reader::Consumer { .. } if room.committed => last_stable,
        Reader::Consumer { .. } => high_watermark,
    };
    let failed = |error| match error {
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Log(error) => partition.storage_failed("read a log", &error),
    };
    let slices = match diverging {
        None if !waits => Some(
            log.read(target.from, room.bytes, room.first, upto)
                .map_err(failed)?,
        ),
        _ => None,
    };
    if let (Some(rate), Some(slices)) = (rate, &slices) {
        broker.sent_throttle.count(slices.bytes(), rate, now.mono);
    }
    let aborted = match &slices {
        Some(slices) if room.committed => {
            let found = log
                .aborted_transactions(target.from, slices.next_offset())
                .map_err(|error| partition.storage_failed("read a log", &error))?;
            let of = |txn: &plimsoll_log::AbortedTxn| AbortedTransaction {
                producer_id: txn.producer_id,
                first_offset: txn.first_offset,
            };
            let shown = |_: &&_| !mutation::is(Mutation::HideAborted);
            Some(found.iter().filter(shown).map(of).collect())
        }
        _ => None,
    };
    Ok(Read {
        error: ErrorCode::None,
        high_watermark,
        last_stable,
        log_start: log.log_start(),
        aborted,
        diverging,
        slices,
        nearer: None,
    })
}

/// To how many bytes a second a replica is held back, when it is: one that
/// catches up, in a topic that lists it.
fn throttled_rate(
    broker: &Broker,
    partition: &Partition,
    held: &mut Held,
    node: NodeId,
) -> Option<u64> {
    let rate = broker.limits().cluster.leader_throttle?;
    let catalog = broker.catalog();
    let settings = catalog.topic(&partition.topic)?.settings.load();
    let is_listed = settings.leader_throttled.has(partition.index, node);
    let in_sync = held
        .leading()
        .is_some_and(|leading| leading.is_in_sync(node));
    (is_listed && !in_sync).then_some(rate)
}

/// Where the client's log and this one part, when they do (KIP-320).
fn diverging(log: &PartitionLog, target: &Target) -> Result<Option<EpochEndOffset>, ErrorCode> {
    if target.last_epoch == LeaderEpoch::NONE || mutation::is(Mutation::SkipEpochCheck) {
        return Ok(None);
    }
    let end = log
        .end_offset_for_epoch(target.last_epoch)
        .ok_or(ErrorCode::OffsetOutOfRange)?;
    let parted = end.epoch < target.last_epoch || end.end < target.from;
    Ok(parted.then_some(EpochEndOffset {
        epoch: end.epoch,
        end_offset: end.end,
    }))
}
