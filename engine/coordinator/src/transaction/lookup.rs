//! Read-only looks at a shard: DescribeTransactions and ListTransactions.

use super::TopicPartition;
use super::shard::TransactionShard;
use crate::names::TransactionalId;
use crate::refusal::Refusal;
use crate::schema::TransactionState;
use crate::step::Producer;
use plimsoll_wire::types::{ProducerId, TimestampMs};
use std::time::Duration;

/// A transaction, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedTransaction {
    /// Where it stands.
    pub state: TransactionState,
    /// Whose it is.
    pub producer: Producer,
    /// After how long it is aborted.
    pub timeout: Duration,
    /// When it began; −1 when none has.
    pub started_at: TimestampMs,
    /// Where it writes.
    pub partitions: Vec<TopicPartition>,
}

/// A transactional id in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTransaction {
    /// The id.
    pub id: TransactionalId,
    /// Its producer id.
    pub producer: ProducerId,
    /// Where its transaction stands.
    pub state: TransactionState,
}

/// Which ids to list.
#[derive(Clone, Debug, Default)]
pub struct TransactionFilter {
    /// By state's name; empty for all.
    pub states: Vec<String>,
    /// By producer id; empty for all.
    pub producers: Vec<ProducerId>,
    /// Only transactions that have been open for longer.
    pub open_longer_than: Option<Duration>,
    /// Only ids that match as a whole.
    pub pattern: Option<regex::Regex>,
}

impl TransactionShard {
    /// One transactional id.
    ///
    /// # Errors
    /// `InvalidRequest` for the empty id, `TransactionalIdNotFound`.
    pub fn describe(&self, id: &TransactionalId) -> Result<DescribedTransaction, Refusal> {
        if id.is_empty() {
            return Err(Refusal::InvalidRequest);
        }
        let entry = self.entries.get(id);
        let entry = entry.ok_or(Refusal::TransactionalIdNotFound)?;
        let topics = entry.value.partitions.iter();
        let partitions = topics.flat_map(|(t, ps)| ps.iter().map(|p| (t.clone(), *p)));
        Ok(DescribedTransaction {
            state: entry.value.state,
            producer: entry.producer(),
            timeout: entry.value.timeout,
            started_at: entry.value.started_at,
            partitions: partitions.collect(),
        })
    }

    /// The transactional ids that pass the filter.
    pub fn list(&self, filter: &TransactionFilter, now: TimestampMs) -> Vec<ListedTransaction> {
        let passes = |listed: &ListedTransaction, started: TimestampMs| {
            let state = listed.state.name();
            let open = now.get().saturating_sub(started.get());
            let longer = |limit: Duration| {
                started.get() >= 0 && i128::from(open) > limit.as_millis().cast_signed()
            };
            (filter.states.is_empty() || filter.states.iter().any(|s| s == state))
                && (filter.producers.is_empty() || filter.producers.contains(&listed.producer))
                && filter.open_longer_than.is_none_or(longer)
                && filter
                    .pattern
                    .as_ref()
                    .is_none_or(|p| p.is_match(listed.id.as_str()))
        };
        let mut found = Vec::new();
        for (id, entry) in &self.entries {
            let listed = ListedTransaction {
                id: id.clone(),
                producer: entry.value.producer,
                state: entry.value.state,
            };
            if passes(&listed, entry.value.started_at) {
                found.push(listed);
            }
        }
        found
    }
}
