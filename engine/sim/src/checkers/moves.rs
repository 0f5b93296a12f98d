//! A move that was accepted ends where it was asked to: once all is at rest the
//! partition has the replicas of the last one, in its order, all in sync.

use super::Checker;
use crate::facts::{Fact, Partition};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// The last move of each partition that has not arrived.
#[derive(Default)]
pub struct Moves {
    under_way: BTreeMap<Partition, Vec<i32>>,
}

impl Checker for Moves {
    fn name(&self) -> &'static str {
        "moves of partitions arrive"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Moves { of, to } => {
                self.under_way.insert(of.clone(), to.clone());
                Ok(())
            }
            Fact::Placed {
                of,
                replicas,
                in_sync,
            } => {
                let Some(wanted) = self.under_way.remove(of) else {
                    return Ok(());
                };
                if *replicas == wanted && wanted.iter().all(|node| in_sync.contains(node)) {
                    return Ok(());
                }
                Err(format!(
                    "{of:?} was sent to {wanted:?} and is on {replicas:?}, in sync {in_sync:?}"
                ))
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, _: &Ledger) -> Result<(), String> {
        match self.under_way.first_key_value() {
            None => Ok(()),
            Some((of, to)) => Err(format!("{of:?} was sent to {to:?} and not seen there")),
        }
    }
}
