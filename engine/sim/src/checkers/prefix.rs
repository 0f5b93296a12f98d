//! Committed prefixes agree: at every offset that two replicas let be read,
//! they hold the same record of the same leader's epoch.

use super::Checker;
use crate::facts::{Fact, Partition, RecordId};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// What the first replica that was read in the end holds.
#[derive(Default)]
pub struct Prefix {
    held: BTreeMap<(Partition, i64), (i32, Option<RecordId>)>,
}

impl Checker for Prefix {
    fn name(&self) -> &'static str {
        "committed prefixes agree"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        let Fact::Polled {
            reader,
            from,
            records,
            ..
        } = fact
        else {
            return Ok(());
        };
        if !reader.is_replica() {
            return Ok(());
        }
        for seen in records {
            let here = (seen.epoch, seen.id);
            let at = (from.clone(), seen.offset);
            let first = *self.held.entry(at.clone()).or_insert(here);
            if first != here {
                return Err(format!(
                    "{at:?}: one replica holds {first:?}, another {here:?}"
                ));
            }
        }
        Ok(())
    }
}
