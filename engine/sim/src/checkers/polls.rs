//! Polls are monotonic and without gaps: each begins where the last one ended,
//! its records lie in order between its ends, and batches follow one another
//! without a hole where nothing is compacted.

use super::Checker;
use crate::clients::compacting;
use crate::facts::{Fact, Partition, Reader};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// Where each reader stands.
#[derive(Default)]
pub struct Polls {
    positions: BTreeMap<(Reader, Partition), i64>,
}

impl Checker for Polls {
    fn name(&self) -> &'static str {
        "polls are monotonic and gapless"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Polled {
                reader,
                from,
                offset,
                next,
                records,
                hole,
            } => {
                let key = (*reader, from.clone());
                let stands = self.positions.insert(key, *next).unwrap_or(*offset);
                if stands != *offset {
                    return Err(format!(
                        "{reader:?} stood at {from:?} {stands}, not {offset}"
                    ));
                }
                let mut least = *offset;
                for seen in records {
                    if seen.offset < least || seen.offset >= *next {
                        return Err(format!(
                            "{from:?}: offset {} in a poll from {least} to {next}",
                            seen.offset
                        ));
                    }
                    least = seen.offset + 1;
                }
                match hole {
                    Some((end, begin)) if from.topic != compacting::TOPIC => Err(format!(
                        "{from:?}: the batch after offset {end} begins at {begin}"
                    )),
                    _ => Ok(()),
                }
            }
            Fact::Repositioned {
                reader, from, to, ..
            } => {
                self.positions.insert((*reader, from.clone()), *to);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
