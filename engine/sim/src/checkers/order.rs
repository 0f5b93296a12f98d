//! An idempotent writer's records lie in the order in which it sent them.

use super::Checker;
use crate::facts::{Fact, Partition, Promise};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// The numbers of each writer by offset.
#[derive(Default)]
pub struct Order {
    numbers: BTreeMap<(Partition, u32), BTreeMap<i64, u32>>,
}

impl Checker for Order {
    fn name(&self) -> &'static str {
        "order per writer"
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
            let of_writer = self.numbers.entry((from.clone(), id.writer)).or_default();
            let before = of_writer.range(..seen.offset).next_back();
            if let Some((offset, number)) = before
                && *number >= id.number
            {
                return Err(format!(
                    "{from:?}: {id:?} at {} comes after number {number} at {offset}",
                    seen.offset
                ));
            }
            of_writer.insert(seen.offset, id.number);
        }
        Ok(())
    }
}
