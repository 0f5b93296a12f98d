//! The shadow model: what records and transactions there are, as far as their
//! writers know, and what the last readers found.

use crate::facts::{Fact, Outcome, Partition, Promise, Reader, RecordId, Txn};
use crate::moment::Moment;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it was sent.
    pub to: Partition,
    /// Its key.
    pub key: Option<u32>,
    /// What its writer was promised.
    pub promise: Promise,
    /// In which transaction.
    pub txn: Option<Txn>,
    /// Where it lies, once its writer has been told.
    pub offset: Option<i64>,
}

/// Everything that was written.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The instant.
    pub now: Moment,
    /// Every record that was sent.
    pub records: BTreeMap<RecordId, Entry>,
    /// Every transaction, and how it ended.
    pub txns: BTreeMap<Txn, Option<Outcome>>,
    /// The records of each transaction.
    pub txn_records: BTreeMap<Txn, Vec<RecordId>>,
    /// What the last readers saw, by record and offset.
    pub audited: BTreeMap<(Partition, i64), RecordId>,
    /// What the last reader of committed records saw.
    pub audited_committed: BTreeSet<RecordId>,
    /// Partitions that the last reader is through with, by isolation.
    pub finished: BTreeSet<(Partition, bool)>,
}

impl Ledger {
    /// Takes a fact in.
    pub fn see(&mut self, at: Moment, fact: &Fact) {
        self.now = at;
        match fact {
            Fact::Sent {
                id,
                to,
                key,
                promise,
                txn,
            } => {
                let entry = Entry {
                    to: to.clone(),
                    key: *key,
                    promise: *promise,
                    txn: *txn,
                    offset: None,
                };
                self.records.insert(*id, entry);
                if let Some(txn) = txn {
                    self.txn_records.entry(*txn).or_default().push(*id);
                }
            }
            Fact::Acknowledged { id, offset, .. } => {
                if let Some(entry) = self.records.get_mut(id) {
                    entry.offset = Some(*offset);
                }
            }
            Fact::TxnBegins { txn } => drop(self.txns.insert(*txn, None)),
            Fact::TxnEnds { txn, outcome } => drop(self.txns.insert(*txn, Some(*outcome))),
            Fact::Polled {
                reader,
                from,
                records,
                ..
            } if reader.is_last() => {
                for seen in records {
                    let Some(id) = seen.id else { continue };
                    if *reader == Reader::AUDIT_COMMITTED {
                        self.audited_committed.insert(id);
                    } else {
                        self.audited.insert((from.clone(), seen.offset), id);
                    }
                }
            }
            Fact::ReadToEnd {
                from,
                committed_only,
                ..
            } => {
                self.finished.insert((from.clone(), *committed_only));
            }
            _ => {}
        }
    }

    /// How a transaction ended.
    pub fn outcome(&self, txn: Txn) -> Outcome {
        self.txns
            .get(&txn)
            .copied()
            .flatten()
            .unwrap_or(Outcome::Unknown)
    }

    /// The acknowledged records that must survive.
    pub fn promised(&self) -> impl Iterator<Item = (RecordId, &Entry, i64)> {
        self.records.iter().filter_map(|(id, entry)| {
            let offset = entry.offset?;
            (entry.promise != Promise::None).then_some((*id, entry, offset))
        })
    }
}
