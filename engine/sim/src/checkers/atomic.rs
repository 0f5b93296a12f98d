//! Transactions are whole: in the end the records of each are all there for
//! readers of committed records, or none is.

use super::Checker;
use crate::facts::{Fact, Outcome, RecordId};
use crate::ledger::Ledger;

/// Nothing is kept: the ledger has it all.
#[derive(Default)]
pub struct Atomic;

impl Checker for Atomic {
    fn name(&self) -> &'static str {
        "transactions are whole"
    }

    fn see(&mut self, _: &Ledger, _: &Fact) -> Result<(), String> {
        Ok(())
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), String> {
        for (txn, records) in &ledger.txn_records {
            // Records that were never acknowledged need not be there at all.
            let kept = |id: &&_| ledger.records.get(id).is_some_and(|e| e.offset.is_some());
            let (seen, missing): (Vec<&RecordId>, Vec<&RecordId>) = records
                .iter()
                .filter(kept)
                .partition(|id| ledger.audited_committed.contains(id));
            let outcome = ledger.outcome(*txn);
            let broken = match outcome {
                Outcome::Committed => !missing.is_empty(),
                Outcome::Aborted => !seen.is_empty(),
                Outcome::Unknown => !seen.is_empty() && !missing.is_empty(),
            };
            if broken {
                return Err(format!(
                    "transaction {txn:?} ended {outcome:?}: {seen:?} can be read, {missing:?} cannot"
                ));
            }
        }
        Ok(())
    }
}
