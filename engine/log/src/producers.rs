//! What the log knows of idempotent producers and their transactions.
//!
//! State is a function of the batches below [`Producers::end`]: a batch is
//! first checked, then written, then noted, and recovery notes the same batches
//! in the same order. Snapshots only shorten that.
//!
//! Rules (KIP-98, KIP-360): a hit among a producer's last five batches is a
//! duplicate and keeps its first offsets; an unknown producer may start with
//! any sequence; a new epoch starts at 0; sequences wrap past `i32::MAX` to 0.

mod producer;
mod snapshot;

pub(crate) use producer::{BatchMark, Producer};
pub use producer::{ProducerView, TxnEnd};
pub(crate) use snapshot::{decode, encode};

use crate::error::AppendError;
use crate::index::AbortedTxn;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::types::{Offset, ProducerEpoch, ProducerId, TimestampMs};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Who hands a batch to the leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A client's produce request: sequences are checked.
    #[default]
    Client,
    /// A coordinator on this broker: offsets, transaction state, markers.
    Coordinator,
}

/// The producers of one partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Producers {
    by_id: HashMap<ProducerId, Producer>,
    /// Open transactions by their first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Ended transactions whose marker lies at or above the high watermark:
    /// first offset to marker offset.
    unreplicated: BTreeMap<Offset, Offset>,
    /// The offset after the last batch that was noted.
    end: Offset,
}

/// What a check says about a batch that may be answered with success.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    New,
    Duplicate(BatchMark),
}

impl Producers {
    pub(crate) fn starting_at(end: Offset) -> Self {
        Self {
            end,
            ..Self::default()
        }
    }

    pub(crate) fn from_snapshot(end: Offset, producers: Vec<(ProducerId, Producer)>) -> Self {
        let open = producers
            .iter()
            .filter_map(|(id, producer)| Some((producer.txn_start?, *id)))
            .collect();
        Self {
            by_id: producers.into_iter().collect(),
            open,
            unreplicated: BTreeMap::new(),
            end,
        }
    }

    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let mut producers: Vec<_> = self.by_id.iter().collect();
        producers.sort_by_key(|(id, _)| **id);
        encode(&producers)
    }

    /// Whether a batch of `origin` may be appended.
    #[inline]
    pub(crate) fn check(
        &self,
        header: &BatchHeader,
        origin: Origin,
    ) -> Result<Verdict, AppendError> {
        if !header.producer_id.is_some() {
            return Ok(Verdict::New);
        }
        match self.by_id.get(&header.producer_id) {
            Some(producer) => producer.check(header, origin),
            None => Ok(Verdict::New),
        }
    }

    /// Whether a transaction marker may be appended.
    pub(crate) fn check_marker(
        &self,
        header: &BatchHeader,
        end: TxnEnd,
    ) -> Result<(), AppendError> {
        match self.by_id.get(&header.producer_id) {
            Some(producer) => producer.check_marker(header, end),
            None => Ok(()),
        }
    }

    /// Notes a data batch, whose offsets are final.
    #[inline]
    pub(crate) fn note(&mut self, header: &BatchHeader) {
        self.end = header.next_offset();
        if !header.producer_id.is_some() {
            return;
        }
        let producer = self
            .by_id
            .entry(header.producer_id)
            .or_insert_with(|| Producer::new(header));
        producer.note(header);
        // Compaction empties a batch only once its transaction has ended.
        let opens = header.is_transactional() && header.record_count > 0;
        if opens && producer.txn_start.is_none() {
            producer.txn_start = Some(header.base_offset);
            self.open.insert(header.base_offset, header.producer_id);
        }
    }

    /// The first offset of the transaction that a producer has open.
    pub(crate) fn txn_start(&self, id: ProducerId) -> Option<Offset> {
        self.by_id.get(&id)?.txn_start
    }

    /// Notes a transaction marker. An abort of a transaction with data gives
    /// its entry for the transaction index.
    pub(crate) fn note_marker(&mut self, header: &BatchHeader, end: TxnEnd) -> Option<AbortedTxn> {
        self.end = header.next_offset();
        let producer = self
            .by_id
            .entry(header.producer_id)
            .or_insert_with(|| Producer::new(header));
        producer.end_txn(header, end);
        let first_offset = producer.txn_start.take()?;
        self.open.remove(&first_offset);
        let last_offset = header.last_offset();
        self.unreplicated.insert(first_offset, last_offset);
        if end.committed {
            return None;
        }
        let next_open = self.open.first_key_value().map(|(first, _)| *first);
        Some(AbortedTxn {
            producer_id: header.producer_id,
            first_offset,
            last_offset,
            last_stable_offset: next_open.unwrap_or(header.next_offset()),
        })
    }

    /// Notes a batch that says nothing about producers.
    pub(crate) fn note_other(&mut self, header: &BatchHeader) {
        self.end = header.next_offset();
    }

    /// Forgets ended transactions whose marker is below the high watermark.
    #[inline]
    pub(crate) fn replicated_to(&mut self, high_watermark: Offset) {
        while let Some(first) = self.unreplicated.first_entry()
            && *first.get() < high_watermark
        {
            first.remove();
        }
    }

    /// The first offset that a read_committed reader must not pass.
    #[inline]
    pub(crate) fn first_unstable(&self) -> Option<Offset> {
        let open = self.open.first_key_value().map(|(first, _)| *first);
        let unreplicated = self.unreplicated.first_key_value().map(|(first, _)| *first);
        match (open, unreplicated) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Forgets producers without an open transaction that wrote nothing for
    /// `idle_max`.
    pub(crate) fn expire(&mut self, now: TimestampMs, idle_max: Duration) {
        let idle_max = i64::try_from(idle_max.as_millis()).unwrap_or(i64::MAX);
        let limit = now.get().saturating_sub(idle_max);
        self.by_id
            .retain(|_, p| p.txn_start.is_some() || p.last_timestamp.get() > limit);
        self.by_id.shrink_to_fit();
    }

    /// The state of every producer, as DescribeProducers answers.
    pub(crate) fn views(&self) -> impl Iterator<Item = ProducerView> {
        self.by_id.iter().map(|(id, producer)| producer.view(*id))
    }

    /// The state of one producer.
    pub(crate) fn view(&self, id: ProducerId) -> Option<ProducerView> {
        self.by_id.get(&id).map(|producer| producer.view(id))
    }

    /// What each producer wrote last: what compaction must not lose.
    pub(crate) fn last_written(&self) -> HashMap<ProducerId, LastWritten> {
        let last = |producer: &Producer| match producer.last_batch() {
            Some(mark) => LastWritten::Data(mark.last_offset),
            None => LastWritten::Marker(producer.epoch),
        };
        self.by_id
            .iter()
            .map(|(id, producer)| (*id, last(producer)))
            .collect()
    }
}

/// What a producer wrote last in its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastWritten {
    /// A data batch that ends with the offset.
    Data(Offset),
    /// No data, only a marker, in the epoch.
    Marker(ProducerEpoch),
}

#[cfg(test)]
mod tests;
