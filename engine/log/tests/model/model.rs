//! What a log should hold, as plainly as it can be said.

use crate::view::Seen;
use plimsoll_log::AbortedTxn;
use plimsoll_wire::batch::{self, BatchBuilder, BatchHeader, BatchSettings, Producer};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Plain,
    /// Producer and first sequence.
    Idempotent(i64, i32),
    Transactional(i64, i32),
    /// Producer, and whether it commits.
    Marker(i64, bool),
}

#[derive(Clone, Debug)]
pub struct Batch {
    pub base: i64,
    pub leader_epoch: i32,
    pub role: Role,
    pub codec: Compression,
    pub records: Vec<Record>,
    pub len: usize,
}

impl Batch {
    pub fn next(&self) -> i64 {
        self.base + self.records.len() as i64
    }

    pub fn producer(&self) -> Option<i64> {
        match self.role {
            Role::Plain => None,
            Role::Idempotent(id, _) | Role::Transactional(id, _) | Role::Marker(id, _) => Some(id),
        }
    }

    /// The sequence after this batch, for data of an idempotent producer.
    pub fn next_sequence(&self) -> Option<i32> {
        match self.role {
            Role::Idempotent(_, first) | Role::Transactional(_, first) => {
                Some(Sequence(first).plus(self.records.len() as i32).get())
            }
            Role::Plain | Role::Marker(..) => None,
        }
    }

    /// As a producer sends it.
    pub fn encode(&self) -> Vec<u8> {
        let producer = |id: i64, sequence: i32| Producer {
            id: ProducerId(id),
            epoch: ProducerEpoch(0),
            base_sequence: Sequence(sequence),
        };
        let settings = BatchSettings {
            compression: self.codec,
            producer: match self.role {
                Role::Plain => Producer::NONE,
                Role::Idempotent(id, first) | Role::Transactional(id, first) => producer(id, first),
                Role::Marker(id, _) => producer(id, -1),
            },
            transactional: matches!(self.role, Role::Transactional(..) | Role::Marker(..)),
            control: matches!(self.role, Role::Marker(..)),
            ..BatchSettings::default()
        };
        let mut builder = BatchBuilder::new(settings);
        for record in &self.records {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            builder.push(TimestampMs(record.timestamp), key, value);
        }
        builder.build().unwrap()
    }
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub batches: Vec<Batch>,
    pub start: i64,
    /// Where a log without batches begins.
    pub floor: i64,
}

impl Model {
    /// A log that begins at `offset` and holds nothing.
    pub fn empty_at(offset: i64) -> Self {
        Self {
            batches: Vec::new(),
            start: offset,
            floor: offset,
        }
    }

    pub fn end(&self) -> i64 {
        self.batches.last().map_or(self.floor, Batch::next)
    }

    pub fn push(&mut self, batch: Batch) {
        assert_eq!(batch.base, self.end());
        self.batches.push(batch);
    }

    /// Drops batches that reach `offset`; `offset` at or below the start drops
    /// all.
    pub fn truncate(&mut self, offset: i64) {
        if offset >= self.end() {
            return;
        }
        if offset <= self.start {
            *self = Self::empty_at(offset);
            return;
        }
        let floor = self.batches.first().map_or(self.floor, |batch| batch.base);
        self.batches.retain(|batch| batch.next() <= offset);
        self.floor = floor;
        self.start = self.start.min(self.end());
    }

    /// The batches below `end`, which must be a boundary between two.
    pub fn prefix(&self, end: i64) -> Option<Self> {
        let mut prefix = self.clone();
        prefix.batches.retain(|batch| batch.next() <= end);
        prefix.floor = self.batches.first().map_or(self.floor, |batch| batch.base);
        (prefix.end() == end).then_some(prefix)
    }

    pub fn last_of(&self, producer: i64) -> Option<&Batch> {
        let data = |b: &&Batch| b.producer() == Some(producer) && b.next_sequence().is_some();
        self.batches.iter().rev().find(data)
    }

    /// Producers with an open transaction, and its first offset.
    pub fn open(&self) -> BTreeMap<i64, i64> {
        let mut open = BTreeMap::new();
        for batch in &self.batches {
            match batch.role {
                Role::Transactional(id, _) => {
                    open.entry(id).or_insert(batch.base);
                }
                Role::Marker(id, _) => {
                    open.remove(&id);
                }
                Role::Plain | Role::Idempotent(..) => {}
            }
        }
        open
    }

    pub fn aborted(&self) -> Vec<AbortedTxn> {
        let mut aborted = Vec::new();
        let mut open: BTreeMap<i64, i64> = BTreeMap::new();
        for batch in &self.batches {
            match batch.role {
                Role::Transactional(id, _) => {
                    open.entry(id).or_insert(batch.base);
                }
                Role::Marker(id, committed) => {
                    let Some(first) = open.remove(&id).filter(|_| !committed) else {
                        continue;
                    };
                    let stable = open.values().min().copied().unwrap_or(batch.next());
                    aborted.push(AbortedTxn {
                        producer_id: ProducerId(id),
                        first_offset: Offset(first),
                        last_offset: Offset(batch.base),
                        last_stable_offset: Offset(stable),
                    });
                }
                Role::Plain | Role::Idempotent(..) => {}
            }
        }
        aborted
    }

    /// Every data record that may be read, as a client sees it.
    pub fn view(&self) -> BTreeMap<i64, Seen> {
        let aborted = self.aborted();
        let mut view = BTreeMap::new();
        for batch in &self.batches {
            if matches!(batch.role, Role::Marker(..)) {
                continue;
            }
            let within = |txn: &AbortedTxn| {
                Some(txn.producer_id.get()) == batch.producer()
                    && (txn.first_offset.get()..txn.last_offset.get()).contains(&batch.base)
            };
            let in_txn = matches!(batch.role, Role::Transactional(..));
            let aborted = in_txn && aborted.iter().any(within);
            // A batch is read whole when the log starts within it.
            if batch.next() <= self.start {
                continue;
            }
            for (offset, record) in (batch.base..).zip(&batch.records) {
                let seen = Seen {
                    key: record.key.clone().unwrap_or_default(),
                    value: record.value.clone(),
                    timestamp: record.timestamp,
                    aborted,
                };
                view.insert(offset, seen);
            }
        }
        view
    }

    /// Offset and timestamp of every record that may be read.
    pub fn timestamps(&self) -> impl Iterator<Item = (i64, i64)> {
        let all = self.batches.iter().flat_map(|batch| {
            batch
                .records
                .iter()
                .enumerate()
                .map(|(i, r)| (batch.base + i as i64, r.timestamp))
        });
        all.filter(|(offset, _)| *offset >= self.start)
    }

    pub fn first_since(&self, timestamp: i64) -> Option<i64> {
        self.timestamps()
            .find(|(_, t)| *t >= timestamp)
            .map(|(offset, _)| offset)
    }

    /// The first of the records with the newest timestamp.
    pub fn newest(&self) -> Option<i64> {
        let newest = self.timestamps().map(|(_, t)| t).max()?;
        self.first_since(newest)
    }
}

/// Fails unless `bytes` are exactly `batches` as the log stores them.
pub fn assert_batches(bytes: &[u8], batches: &[Batch], context: &str) {
    let mut rest = bytes;
    for expected in batches {
        let header = BatchHeader::parse(rest)
            .unwrap_or_else(|e| panic!("{context}: {e} where batch {} should be", expected.base));
        let (bytes, after) = rest.split_at(header.total_len());
        assert_eq!(header.base_offset, Offset(expected.base), "{context}");
        assert_eq!(
            header.partition_leader_epoch,
            LeaderEpoch(expected.leader_epoch),
            "{context}"
        );
        batch::verify_crc(bytes).unwrap_or_else(|e| panic!("{context}: {e}"));
        let mut scratch = Vec::new();
        let records: Vec<Record> = batch::records(bytes, &mut scratch, 1 << 20)
            .unwrap()
            .map(|record| {
                let record = record.unwrap();
                Record {
                    timestamp: record.timestamp.get(),
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.map(<[u8]>::to_vec),
                }
            })
            .collect();
        assert_eq!(
            records, expected.records,
            "{context}: batch {}",
            expected.base
        );
        rest = after;
    }
    assert!(rest.is_empty(), "{context}: {} bytes too many", rest.len());
}
