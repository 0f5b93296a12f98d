//! Everything acknowledged is finally read, at the offset that its writer was
//! told, once faults have ended.

use super::Checker;
use crate::clients::compacting;
use crate::facts::Fact;
use crate::ledger::Ledger;

/// Nothing is kept: the ledger has it all.
#[derive(Default)]
pub struct FinallyRead;

impl Checker for FinallyRead {
    fn name(&self) -> &'static str {
        "everything acknowledged is finally read"
    }

    fn see(&mut self, _: &Ledger, _: &Fact) -> Result<(), String> {
        Ok(())
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), String> {
        for (id, entry, offset) in ledger.promised() {
            if entry.to.topic == compacting::TOPIC {
                continue;
            }
            let to = &entry.to;
            if !ledger.finished.contains(&(to.clone(), false)) {
                return Err(format!("{to:?} was not read to its end"));
            }
            let found = ledger.audited.get(&(to.clone(), offset));
            if found != Some(&id) {
                return Err(format!(
                    "{id:?} was acknowledged at {to:?} {offset}, where {found:?} is read"
                ));
            }
        }
        Ok(())
    }
}
