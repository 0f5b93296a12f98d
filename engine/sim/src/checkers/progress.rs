//! Everybody finally gets on: once faults have ended, writers, groups and
//! transactions finish what they have begun.

use super::Checker;
use crate::facts::Fact;
use crate::ledger::Ledger;

/// Nothing is kept.
#[derive(Default)]
pub struct Progress;

impl Checker for Progress {
    fn name(&self) -> &'static str {
        "progress once faults end"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Stuck { who } => Err(format!("not finished in time: {who}")),
            _ => Ok(()),
        }
    }
}
