//! EndTxn, versions 0 to 5, and what follows it: markers, then Complete.

use super::shard::{TransactionShard, TransactionWorld};
use super::{BUMPS_EPOCH, Decision, EPOCH_MAX, EndTransaction, Entry, TransactionReply, bumped};
use crate::refusal::Refusal;
use crate::schema::{TransactionState, TransactionValue};
use crate::step::Producer;
use plimsoll_wire::types::{ProducerEpoch, ProducerId, TimestampMs};

fn refused(why: Refusal) -> TransactionReply {
    TransactionReply::End(Err(why))
}

/// How the epoch in a request relates to the one that is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// They are the same.
    Now,
    /// The request is one that has been carried out, and is sent again.
    Again,
}

impl TransactionShard {
    pub(super) fn end(
        &self,
        request: &EndTransaction,
        world: &mut TransactionWorld<'_>,
    ) -> Result<Decision, Refusal> {
        use TransactionState::{
            CompleteAbort, CompleteCommit, Dead, Empty, Ongoing, PrepareAbort, PrepareCommit,
            PrepareEpochFence,
        };
        if request.id.is_empty() {
            return Err(Refusal::InvalidRequest);
        }
        let entry = self.entries.get(&request.id);
        let entry = entry.ok_or(Refusal::InvalidProducerIdMapping)?;
        let asked = relate(entry, request.producer)?;
        if entry.in_flux {
            return Err(Refusal::ConcurrentTransactions);
        }
        let bumps = request.client_version >= BUMPS_EPOCH;
        match (entry.value.state, request.commit) {
            (Ongoing, _) => prepare(entry, request, world),
            (PrepareCommit, true) | (PrepareAbort, false) => Err(Refusal::ConcurrentTransactions),
            (CompleteCommit, true) | (CompleteAbort, false) if asked == Asked::Again || !bumps => {
                let reply = TransactionReply::End(Ok(entry.producer()));
                Ok(Decision::Say(reply))
            }
            // A transaction that reached no partition may still be aborted.
            (Empty | CompleteCommit | CompleteAbort, false) if bumps && asked == Asked::Now => {
                prepare(entry, request, world)
            }
            (PrepareCommit | PrepareAbort | CompleteCommit | CompleteAbort | Empty, _) => {
                Err(Refusal::InvalidTxnState)
            }
            (Dead | PrepareEpochFence, _) => Err(Refusal::UnknownServerError),
        }
    }
}

/// Checks the producer of a request against the stored one.
fn relate(entry: &Entry, asking: Producer) -> Result<Asked, Refusal> {
    let value = &entry.value;
    let raised_before = value.client_version >= BUMPS_EPOCH;
    let is_done = !matches!(
        value.state,
        TransactionState::Ongoing | TransactionState::Empty
    );
    let overflowed = raised_before
        && is_done
        && value.previous_producer == asking.id
        && asking.epoch.get() == EPOCH_MAX
        && value.epoch.get() == 0;
    if overflowed {
        return Ok(Asked::Again);
    }
    if value.producer != asking.id {
        return Err(Refusal::InvalidProducerIdMapping);
    }
    if raised_before && is_done && value.epoch == bumped(asking.epoch) {
        return Ok(Asked::Again);
    }
    let fits = value.epoch == asking.epoch && !(raised_before && entry.is_preparing());
    if fits {
        Ok(Asked::Now)
    } else {
        Err(Refusal::ProducerFenced)
    }
}

/// The decision itself. With KIP-890 the epoch goes up, or on to a new
/// producer id when it cannot.
fn prepare(
    entry: &Entry,
    request: &EndTransaction,
    world: &mut TransactionWorld<'_>,
) -> Result<Decision, Refusal> {
    let bumps = request.client_version >= BUMPS_EPOCH;
    let (mut value, mut last_epoch) = (entry.cleared(), entry.last_epoch);
    value.state = match request.commit {
        true => TransactionState::PrepareCommit,
        false => TransactionState::PrepareAbort,
    };
    value.updated_at = world.now.wall;
    value.client_version = request.client_version;
    if entry.value.state != TransactionState::Ongoing {
        value.started_at = world.now.wall;
    }
    if bumps {
        last_epoch = value.epoch;
        value.epoch = bumped(value.epoch);
        if entry.is_exhausted() {
            value.next_producer = world.draw_producer_id()?;
            value.next_epoch = ProducerEpoch(0);
        }
    }
    let reply = TransactionReply::End(Ok(successor(&value)));
    Ok(Decision::Store {
        value: Box::new(value),
        last_epoch,
        reply,
        refused,
    })
}

/// The producer that goes on once the transaction is complete.
fn successor(value: &TransactionValue) -> Producer {
    if value.next_producer == ProducerId::NONE {
        Producer {
            id: value.producer,
            epoch: value.epoch,
        }
    } else {
        Producer {
            id: value.next_producer,
            epoch: ProducerEpoch(0),
        }
    }
}

/// The record of a transaction whose markers are all written.
pub(super) fn complete(entry: &Entry, now: TimestampMs) -> TransactionValue {
    let next = successor(&entry.value);
    TransactionValue {
        producer: next.id,
        epoch: next.epoch,
        state: match entry.value.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        },
        partitions: Default::default(),
        updated_at: now,
        ..entry.cleared()
    }
}
