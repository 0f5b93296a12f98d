//! One leader per epoch: no two nodes lead a partition in the same epoch.

use super::Checker;
use crate::facts::{Fact, Partition};
use crate::ledger::Ledger;
use crate::world::NodeIx;
use std::collections::BTreeMap;

/// Who led when.
#[derive(Default)]
pub struct Leaders {
    led: BTreeMap<(Partition, i32), NodeIx>,
}

impl Checker for Leaders {
    fn name(&self) -> &'static str {
        "one leader per epoch"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        let Fact::Leads { node, of, epoch } = fact else {
            return Ok(());
        };
        let first = *self.led.entry((of.clone(), *epoch)).or_insert(*node);
        if first == *node {
            Ok(())
        } else {
            Err(format!(
                "{of:?}: {first} and {node} both lead in epoch {epoch}"
            ))
        }
    }
}
