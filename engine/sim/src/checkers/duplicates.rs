//! No duplicate with idempotence: a record of an idempotent writer lies at one
//! offset.

use super::Checker;
use crate::facts::{Fact, Partition, Promise, RecordId};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// Where each record was seen.
#[derive(Default)]
pub struct Duplicates {
    places: BTreeMap<RecordId, (Partition, i64)>,
}

impl Checker for Duplicates {
    fn name(&self) -> &'static str {
        "no duplicate with idempotence"
    }

    fn see(&mut self, ledger: &Ledger, fact: &Fact) -> Result<(), String> {
        let Fact::Polled { from, records, .. } = fact else {
            return Ok(());
        };
        for seen in records {
            let Some(id) = seen.id else { continue };
            let promise = ledger.records.get(&id).map(|entry| entry.promise);
            if promise != Some(Promise::Once) {
                continue;
            }
            let here = (from.clone(), seen.offset);
            let first = self.places.entry(id).or_insert_with(|| here.clone());
            if *first != here {
                return Err(format!("{id:?} lies at {first:?} and at {here:?}"));
            }
        }
        Ok(())
    }
}
