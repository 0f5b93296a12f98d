//! The high watermark of a leader never goes back within its epoch. A new
//! leader may begin below the last one's: it learns how far its followers are.

use super::Checker;
use crate::facts::{Fact, Partition};
use crate::ledger::Ledger;
use crate::world::NodeIx;
use std::collections::BTreeMap;

/// The highest that each leader has shown in each epoch.
#[derive(Default)]
pub struct HighWatermark {
    shown: BTreeMap<(NodeIx, Partition, i32), i64>,
}

impl Checker for HighWatermark {
    fn name(&self) -> &'static str {
        "monotonic high watermark"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::HighWatermark {
                node,
                of,
                epoch,
                at,
            } => {
                let before = self.shown.insert((*node, of.clone(), *epoch), *at);
                match before {
                    Some(before) if before > *at => Err(format!(
                        "{of:?}: {node} had {before} and has {at} in epoch {epoch}"
                    )),
                    _ => Ok(()),
                }
            }
            // A process that begins anew may be told to lead in the same epoch.
            Fact::Started { node } => {
                self.shown.retain(|(of, ..), _| of != node);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
