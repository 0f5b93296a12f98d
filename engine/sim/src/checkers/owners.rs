//! No partition is worked on by two members of a group at once.
//!
//! A member stops by itself when it has not heard from its coordinator for a
//! session, as every client does, so this holds at every instant.

use super::Checker;
use crate::facts::{Fact, Partition};
use crate::ledger::Ledger;
use crate::moment::Moment;
use std::collections::BTreeMap;

/// What the members of one group work on.
type Owned = BTreeMap<usize, (Vec<Partition>, Moment)>;

/// Who owns what, by group.
#[derive(Default)]
pub struct Owners {
    groups: BTreeMap<&'static str, Owned>,
}

impl Checker for Owners {
    fn name(&self) -> &'static str {
        "one owner a partition"
    }

    fn see(&mut self, ledger: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Owns {
                group,
                member,
                epoch,
                partitions,
                until,
            } => {
                let members = self.groups.entry(group).or_default();
                members.insert(*member, (partitions.clone(), *until));
                let now = ledger.now;
                let others = members
                    .iter()
                    .filter(|(other, (_, until))| *other != member && now < *until);
                for (other, (theirs, _)) in others {
                    if let Some(both) = partitions.iter().find(|p| theirs.contains(p)) {
                        return Err(format!(
                            "{group}: members {other} and {member} both own {both:?}, the \
                             second since epoch {epoch}"
                        ));
                    }
                }
                Ok(())
            }
            Fact::Disowns { group, member } => {
                self.groups.entry(group).or_default().remove(member);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
