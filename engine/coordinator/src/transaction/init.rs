//! InitProducerId, versions 0 to 5, for transactional ids.

use super::shard::{TransactionShard, TransactionWorld};
use super::{Decision, Entry, InitProducer, TransactionReply, bumped};
use crate::refusal::Refusal;
use crate::schema::{TransactionState, TransactionValue};
use crate::step::Producer;
use plimsoll_wire::types::{ProducerEpoch, ProducerId, TimestampMs};
use std::collections::BTreeMap;

fn refused(why: Refusal) -> TransactionReply {
    TransactionReply::Init(Err(why))
}

fn store(value: TransactionValue, last_epoch: ProducerEpoch) -> Decision {
    let producer = Producer {
        id: value.producer,
        epoch: value.epoch,
    };
    Decision::Store {
        value: Box::new(value),
        last_epoch,
        reply: TransactionReply::Init(Ok(producer)),
        refused,
    }
}

impl TransactionShard {
    pub(super) fn init(
        &self,
        request: &InitProducer,
        world: &mut TransactionWorld<'_>,
    ) -> Result<Decision, Refusal> {
        if request.id.is_empty() {
            return Err(Refusal::InvalidRequest);
        }
        if request.timeout.is_zero() || request.timeout > self.config.timeout_max {
            return Err(Refusal::InvalidTransactionTimeout);
        }
        let Some(entry) = self.entries.get(&request.id) else {
            let value = first(world.draw_producer_id()?, request, world.now.wall);
            return Ok(store(value, ProducerEpoch::NONE));
        };
        if entry.in_flux {
            return Err(Refusal::ConcurrentTransactions);
        }
        if !request.expected.is_none_or(|p| is_of(p, entry)) {
            return Err(Refusal::ProducerFenced);
        }
        match entry.value.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                Err(Refusal::ConcurrentTransactions)
            }
            TransactionState::Ongoing => Ok(Decision::Store {
                // Without a client version the old producer's retries are
                // refused, not taken for those of a raised epoch.
                value: Box::new(TransactionValue {
                    client_version: 0,
                    ..fence(entry, world.now.wall)
                }),
                last_epoch: ProducerEpoch::NONE,
                reply: refused(Refusal::ConcurrentTransactions),
                refused,
            }),
            TransactionState::Empty
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => next(entry, request, world),
            TransactionState::Dead | TransactionState::PrepareEpochFence => {
                Err(Refusal::UnknownServerError)
            }
        }
    }
}

/// Whether the producer that asks may be the one of this id: the present one,
/// or the last of the producer id before it.
fn is_of(asking: Producer, entry: &Entry) -> bool {
    let exhausted = asking.epoch.get() >= super::EPOCH_MAX;
    asking.id == entry.value.producer || (asking.id == entry.value.previous_producer && exhausted)
}

fn first(producer: ProducerId, request: &InitProducer, now: TimestampMs) -> TransactionValue {
    TransactionValue {
        producer,
        epoch: ProducerEpoch(0),
        previous_producer: ProducerId::NONE,
        next_producer: ProducerId::NONE,
        next_epoch: ProducerEpoch::NONE,
        timeout: request.timeout,
        state: TransactionState::Empty,
        partitions: BTreeMap::new(),
        updated_at: now,
        started_at: TimestampMs::NONE,
        client_version: 0,
    }
}

/// The next epoch, or the next producer id when epochs have run out.
fn next(
    entry: &Entry,
    request: &InitProducer,
    world: &mut TransactionWorld<'_>,
) -> Result<Decision, Refusal> {
    let present = entry.value.epoch;
    let expected = request.expected.map(|p| p.epoch);
    let from_present = expected.is_none_or(|epoch| epoch == present);
    let (producer, epoch, last_epoch) = if from_present && entry.is_exhausted() {
        (world.draw_producer_id()?, ProducerEpoch(0), present)
    } else if from_present {
        (entry.value.producer, bumped(present), present)
    } else if expected == Some(entry.last_epoch) {
        (entry.value.producer, present, entry.last_epoch)
    } else {
        return Err(Refusal::ProducerFenced);
    };
    let last_epoch = expected.map_or(ProducerEpoch::NONE, |_| last_epoch);
    let value = TransactionValue {
        producer,
        epoch,
        timeout: request.timeout,
        state: TransactionState::Empty,
        partitions: BTreeMap::new(),
        updated_at: world.now.wall,
        started_at: TimestampMs::NONE,
        client_version: 0,
        ..entry.cleared()
    };
    Ok(store(value, last_epoch))
}

/// The abort of an open transaction with a raised epoch, so that its producer
/// can do no more.
pub(super) fn fence(entry: &Entry, now: TimestampMs) -> TransactionValue {
    TransactionValue {
        epoch: bumped(entry.value.epoch),
        state: TransactionState::PrepareAbort,
        updated_at: now,
        ..entry.cleared()
    }
}
