//! The ISR holds the high watermark: the log of every replica that a leader
//! takes to be in sync reaches what the leader lets consumers read.

use super::Checker;
use crate::facts::Fact;
use crate::ledger::Ledger;

/// Nothing is kept.
#[derive(Default)]
pub struct InSync;

impl Checker for InSync {
    fn name(&self) -> &'static str {
        "ISR holds the high watermark"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        let Fact::InSync {
            of,
            high_watermark,
            ends,
        } = fact
        else {
            return Ok(());
        };
        match ends.iter().find(|(_, end)| end < high_watermark) {
            Some((node, end)) => Err(format!(
                "{of:?}: the high watermark is {high_watermark}, {node} is in sync and ends at {end}"
            )),
            None => Ok(()),
        }
    }
}
