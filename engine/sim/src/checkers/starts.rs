//! A node starts on whatever a crash left of its disk, and what was created
//! is there.

use super::Checker;
use crate::facts::Fact;
use crate::ledger::Ledger;
use std::collections::BTreeSet;

/// The topics whose creation was acknowledged.
#[derive(Default)]
pub struct Starts {
    made: BTreeSet<String>,
}

impl Checker for Starts {
    fn name(&self) -> &'static str {
        "nodes start and topics stay"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::CannotStart { node, error } => Err(format!("{node} cannot start: {error}")),
            Fact::TopicMade { topic } => {
                self.made.insert(topic.clone());
                Ok(())
            }
            Fact::TopicMissing { topic } if self.made.contains(topic) => {
                Err(format!("topic {topic} was created and is gone"))
            }
            _ => Ok(()),
        }
    }
}
