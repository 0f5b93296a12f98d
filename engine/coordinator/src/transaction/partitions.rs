//! AddPartitionsToTxn and AddOffsetsToTxn.

use super::shard::TransactionShard;
use super::{AddPartitions, Decision, TransactionReply};
use crate::refusal::Refusal;
use crate::schema::{TransactionState, TransactionValue};
use plimsoll_wire::types::TimestampMs;

fn refused(why: Refusal) -> TransactionReply {
    TransactionReply::AddPartitions(Err(why))
}

impl TransactionShard {
    pub(super) fn add_partitions(
        &self,
        request: AddPartitions,
        now: TimestampMs,
    ) -> Result<Decision, Refusal> {
        if request.id.is_empty() {
            return Err(Refusal::InvalidRequest);
        }
        let entry = self.entries.get(&request.id);
        let entry = entry.ok_or(Refusal::InvalidProducerIdMapping)?;
        let value = &entry.value;
        if value.producer != request.producer.id {
            return Err(Refusal::InvalidProducerIdMapping);
        }
        if value.epoch != request.producer.epoch {
            return Err(Refusal::ProducerFenced);
        }
        if entry.is_preparing() || (entry.in_flux && !request.verify_only) {
            return Err(Refusal::ConcurrentTransactions);
        }
        let mut missing = request.partitions;
        missing.retain(|(topic, partition)| {
            let known = value.partitions.get(topic);
            !known.is_some_and(|p| p.contains(partition))
        });
        if request.verify_only {
            return Ok(Decision::Say(TransactionReply::AddPartitions(Ok(missing))));
        }
        let ongoing = value.state == TransactionState::Ongoing;
        if ongoing && missing.is_empty() {
            return Ok(Decision::Say(TransactionReply::AddPartitions(Ok(missing))));
        }
        let mut partitions = value.partitions.clone();
        for (topic, partition) in missing {
            partitions.entry(topic).or_default().insert(partition);
        }
        Ok(Decision::Store {
            value: Box::new(TransactionValue {
                state: TransactionState::Ongoing,
                partitions,
                started_at: if ongoing { value.started_at } else { now },
                updated_at: now,
                client_version: request.client_version,
                ..entry.cleared()
            }),
            last_epoch: entry.last_epoch,
            reply: TransactionReply::AddPartitions(Ok(Vec::new())),
            refused,
        })
    }
}
