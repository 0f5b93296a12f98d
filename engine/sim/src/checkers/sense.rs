//! Answers make sense: no node answers with what can only be its own fault.

use super::Checker;
use crate::facts::Fact;
use crate::ledger::Ledger;

/// Nothing is kept.
#[derive(Default)]
pub struct Sense;

impl Checker for Sense {
    fn name(&self) -> &'static str {
        "answers make sense"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Nonsense { what } => Err(what.clone()),
            _ => Ok(()),
        }
    }
}
