//! No idempotent writer that did nothing wrong is told that its sequence is
//! broken: a broker knows the sequences of all that it acknowledged.

use super::Checker;
use crate::facts::Fact;
use crate::ledger::Ledger;

/// Nothing is kept.
#[derive(Default)]
pub struct Sequences;

impl Checker for Sequences {
    fn name(&self) -> &'static str {
        "sequences go on"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::SequenceBroken { writer, to, error } => {
                Err(format!("writer {writer} at {to:?} is answered {error}"))
            }
            _ => Ok(()),
        }
    }
}
