//! No offset inconsistency: an offset names one record for ever, whoever reads
//! it and whatever its writer was told.

use super::Checker;
use crate::facts::{Fact, Partition, Promise, RecordId};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// Which record lies where.
#[derive(Default)]
pub struct Offsets {
    content: BTreeMap<(Partition, i64), RecordId>,
}

impl Offsets {
    fn hold(&mut self, ledger: &Ledger, at: (Partition, i64), id: RecordId) -> Result<(), String> {
        let Some(entry) = ledger.records.get(&id) else {
            return Err(format!("{id:?} at {at:?} was never sent"));
        };
        if entry.to != at.0 {
            let to = &entry.to;
            return Err(format!("{id:?} was sent to {to:?} and lies at {at:?}"));
        }
        if entry.promise == Promise::None {
            return Ok(());
        }
        let first = *self.content.entry(at.clone()).or_insert(id);
        if first == id {
            Ok(())
        } else {
            Err(format!("{at:?} held {first:?} and now holds {id:?}"))
        }
    }
}

impl Checker for Offsets {
    fn name(&self) -> &'static str {
        "no offset inconsistency"
    }

    fn see(&mut self, ledger: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Acknowledged { id, to, offset } => self.hold(ledger, (to.clone(), *offset), *id),
            Fact::Polled { from, records, .. } => {
                for seen in records {
                    if let Some(id) = seen.id {
                        self.hold(ledger, (from.clone(), seen.offset), id)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
