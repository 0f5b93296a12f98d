//! Exactly once from input to output: among the outputs that readers of
//! committed records find, no input was used twice; in the end every
//! acknowledged input was used.

use super::Checker;
use crate::clients::transactional::{INPUT, OUTPUT};
use crate::facts::{Fact, RecordId};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// Which output each input went into.
#[derive(Default)]
pub struct Processed {
    input_of: BTreeMap<RecordId, RecordId>,
    is_running: bool,
}

impl Checker for Processed {
    fn name(&self) -> &'static str {
        "exactly once from input to output"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        if let Fact::TxnConsumes { id, output, .. } = fact {
            self.is_running = true;
            self.input_of.insert(*output, *id);
        }
        Ok(())
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), String> {
        let mut used: BTreeMap<RecordId, RecordId> = BTreeMap::new();
        for output in &ledger.audited_committed {
            let is_output = ledger
                .records
                .get(output)
                .is_some_and(|e| e.to.topic == OUTPUT);
            let Some(input) = self.input_of.get(output).filter(|_| is_output) else {
                continue;
            };
            if let Some(other) = used.insert(*input, *output) {
                return Err(format!("{input:?} went into {other:?} and into {output:?}"));
            }
        }
        if !self.is_running {
            return Ok(());
        }
        let unused = ledger
            .promised()
            .find(|(id, entry, _)| entry.to.topic == INPUT && !used.contains_key(id));
        match unused {
            Some((id, ..)) => Err(format!("{id:?} was acknowledged and never processed")),
            None => Ok(()),
        }
    }
}
