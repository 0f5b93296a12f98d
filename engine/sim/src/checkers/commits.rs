//! No offset of a group is lost or made up: what is read back was asked for, and
//! no commit that began after that one was acknowledged has been acknowledged too.
//! Of commits that overlap either may be the later, whichever is answered first.

use super::Checker;
use crate::facts::{Fact, Partition};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// A commit of one offset.
struct Commit {
    offset: i64,
    /// When it was asked for, and acknowledged: the how-manieth fact.
    asked: u64,
    acknowledged: Option<u64>,
}

/// The commits of every group that may still be read back.
#[derive(Default)]
pub struct Commits {
    facts: u64,
    known: BTreeMap<(&'static str, Partition), Vec<Commit>>,
}

impl Checker for Commits {
    fn name(&self) -> &'static str {
        "no lost commit"
    }

    fn see(&mut self, _: &Ledger, fact: &Fact) -> Result<(), String> {
        self.facts += 1;
        let now = self.facts;
        match fact {
            Fact::Commits { group, of, offset } => {
                let known = self.known.entry((*group, of.clone())).or_default();
                known.push(Commit {
                    offset: *offset,
                    asked: now,
                    acknowledged: None,
                });
            }
            Fact::Committed { group, of, offset } => {
                let known = self.known.entry((*group, of.clone())).or_default();
                let open = |commit: &&mut Commit| {
                    commit.offset == *offset && commit.acknowledged.is_none()
                };
                let Some(commit) = known.iter_mut().find(open) else {
                    return Ok(());
                };
                commit.acknowledged = Some(now);
                let asked = commit.asked;
                known.retain(|other| other.acknowledged.is_none_or(|at| at > asked));
            }
            Fact::CommitSeen { group, of, offset } => {
                let known = self.known.entry((*group, of.clone())).or_default();
                let nothing = known.iter().all(|commit| commit.acknowledged.is_none());
                let fits = known.iter().any(|commit| commit.offset == *offset)
                    || (nothing && *offset == -1);
                if !fits {
                    let wanted: Vec<i64> = known.iter().map(|commit| commit.offset).collect();
                    return Err(format!(
                        "{group} has {of:?} committed up to {offset}, one of {wanted:?} was due"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
