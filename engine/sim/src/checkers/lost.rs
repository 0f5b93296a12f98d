//! No lost acknowledged write: no poll passes over the offset of a record that
//! was acknowledged before it without showing that record.

use super::Checker;
use crate::clients::compacting;
use crate::facts::{Fact, Partition, Promise, RecordId};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// The acknowledged records by place.
#[derive(Default)]
pub struct Lost {
    acknowledged: BTreeMap<(Partition, i64), RecordId>,
}

impl Checker for Lost {
    fn name(&self) -> &'static str {
        "no lost acknowledged write"
    }

    fn see(&mut self, ledger: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Acknowledged { id, to, offset } if to.topic != compacting::TOPIC => {
                let promise = ledger.records.get(id).map(|entry| entry.promise);
                if promise.is_some_and(|promise| promise != Promise::None) {
                    self.acknowledged.insert((to.clone(), *offset), *id);
                }
                Ok(())
            }
            // Who reads committed records rightly misses some.
            Fact::Polled {
                reader,
                from,
                offset,
                next,
                records,
                ..
            } if !reader.committed_only => {
                let passed = (from.clone(), *offset)..(from.clone(), *next);
                for ((_, at), id) in self.acknowledged.range(passed) {
                    let shown = records.iter().any(|seen| seen.offset == *at);
                    if !shown {
                        return Err(format!(
                            "{id:?} was acknowledged at {from:?} {at}, and a poll from {offset} \
                             to {next} does not show it"
                        ));
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
