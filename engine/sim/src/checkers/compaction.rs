//! Compaction keeps the latest record of each key: in the end a reader finds,
//! for each key, the newest acknowledged record or a newer one.

use super::Checker;
use crate::clients::compacting::TOPIC;
use crate::facts::{Fact, Partition, Reader};
use crate::ledger::Ledger;
use std::collections::BTreeMap;

/// The newest record of each key.
#[derive(Default)]
pub struct Compaction {
    acknowledged: BTreeMap<(Partition, u32), i64>,
    tombstones: BTreeMap<(Partition, i64), u32>,
    found: BTreeMap<(Partition, u32), i64>,
}

impl Checker for Compaction {
    fn name(&self) -> &'static str {
        "compaction keeps the latest"
    }

    fn see(&mut self, ledger: &Ledger, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Acknowledged { id, to, offset } if to.topic == TOPIC => {
                if let Some(key) = ledger.records.get(id).and_then(|entry| entry.key) {
                    let newest = self.acknowledged.entry((to.clone(), key)).or_insert(-1);
                    *newest = (*newest).max(*offset);
                }
            }
            Fact::Tombstone { to, key, offset } => {
                self.tombstones.insert((to.clone(), *offset), *key);
                let newest = self.acknowledged.entry((to.clone(), *key)).or_insert(-1);
                *newest = (*newest).max(*offset);
            }
            Fact::Polled {
                reader,
                from,
                records,
                ..
            } if *reader == Reader::AUDIT && from.topic == TOPIC => {
                for seen in records {
                    if let Some(key) = seen.key {
                        self.found.insert((from.clone(), key), seen.offset);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _: &Ledger) -> Result<(), String> {
        for ((partition, key), newest) in &self.acknowledged {
            let found = self.found.get(&(partition.clone(), *key));
            let is_gone = self.tombstones.contains_key(&(partition.clone(), *newest));
            match found {
                Some(offset) if offset >= newest => {}
                // A tombstone may go when its time is up, and takes all before it.
                None if is_gone => {}
                other => {
                    return Err(format!(
                        "{partition:?}: key {key} was written at {newest}, its latest record \
                         lies at {other:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}
