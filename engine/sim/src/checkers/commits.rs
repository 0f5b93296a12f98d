//! No offset of a group is lost or made up: what is read back is the newest
//! acknowledged commit, or one whose answer the member never had.

use super::Checker;
use crate::facts::{Fact, Partition};
use crate::ledger::Ledger;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a group's offset of one partition.
#[derive(Default)]
struct Known {
    newest: Option<i64>,
    /// Commits that may yet take hold: late, or answered into the void.
    open: BTreeSet<i64>,
}

/// The commits of every group.
#[derive(Default)]
pub struct Commits {
    known: BTreeMap<(&'static str, Partition), Known>,
}

impl Checker for Commits {
    fn name(&self) -> &'static str {
        "no lost commit"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Commits { group, of, offset } => {
                let known = self.known.entry((*group, of.clone())).or_default();
                known.open.insert(*offset);
            }
            Fact::Committed { group, of, offset } => {
                let known = self.known.entry((*group, of.clone())).or_default();
                known.newest = Some(*offset);
                known.open.remove(offset);
            }
            Fact::CommitSeen { group, of, offset } => {
                let known = self.known.entry((*group, of.clone())).or_default();
                let newest = known.newest.unwrap_or(-1);
                if *offset != newest && !known.open.contains(offset) {
                    return Err(format!(
                        "{group} has {of:?} committed up to {offset}, {newest} was acknowledged"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
