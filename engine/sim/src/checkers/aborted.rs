//! No aborted read: who reads committed records only never sees a record of a
//! transaction that was aborted, before or after.

use super::Checker;
use crate::facts::{Fact, Outcome, RecordId, Txn};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// The transactions whose records were read as committed.
#[derive(Default)]
pub struct Aborted {
    read: BTreeMap<Txn, RecordId>,
}

impl Checker for Aborted {
    fn name(&self) -> &'static str {
        "no aborted read"
    }

    fn see(&mut self, ledger: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Polled {
                reader,
                from,
                records,
                ..
            } if reader.committed_only => {
                for seen in records {
                    let Some(id) = seen.id else { continue };
                    let Some(txn) = ledger.records.get(&id).and_then(|entry| entry.txn) else {
                        continue;
                    };
                    self.read.insert(txn, id);
                    if ledger.outcome(txn) == Outcome::Aborted {
                        let offset = seen.offset;
                        return Err(format!(
                            "{id:?} of the aborted transaction {txn:?} was read at {from:?} {offset}"
                        ));
                    }
                }
                Ok(())
            }
            Fact::TxnEnds {
                txn,
                outcome: Outcome::Aborted,
            } => match self.read.get(txn) {
                Some(id) => Err(format!("{id:?} was read before {txn:?} was aborted")),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
