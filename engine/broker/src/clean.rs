//! Compaction: one log at a time, the dirtiest first.
//!
//! A pass reads and writes without the partition's lock. It takes as long as
//! the disk does, so it belongs on a thread of its own.

use crate::broker::Broker;
use crate::partition::Partition;
use plimsoll_log::{CleanPlan, LogError};
use plimsoll_wire::time::{Instant, Now};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How soon after a pass the next dirty log is looked for.
const AFTER_A_PASS: Duration = Duration::from_secs(1);

impl Broker {
    /// Compacts the dirtiest log, when it is time to look and one is dirty
    /// enough. Answers when to look next.
    pub fn clean(&self, now: Now) -> Instant {
        let limits = self.limits();
        if self.timers.is_clean_due(now) && self.pace().is_continue() {
            let cleaned = limits.compacts && self.clean_dirtiest(now, limits.clean_map_bytes);
            let rest = limits.clean_backoff;
            let rest = if cleaned {
                rest.min(AFTER_A_PASS)
            } else {
                rest
            };
            self.timers.clean_at(now.mono.after(rest));
        }
        self.timers.next_clean()
    }

    /// Ends the pass that is going on, and begins no other: the broker is about
    /// to shut down.
    pub fn stop_cleaning(&self) {
        self.stops_cleaning.store(true, Ordering::Release);
    }

    fn clean_dirtiest(&self, now: Now, map_bytes: usize) -> bool {
        let catalog = self.catalog();
        let dirty = catalog.partitions().filter_map(|partition| {
            let plan = plan(partition, now).unwrap_or_else(|error| {
                warn(partition, &error);
                None
            });
            plan.map(|plan| (partition, plan))
        });
        let dirtiest = dirty.max_by_key(|(_, plan)| plan.dirtiness().permille());
        let Some((partition, plan)) = dirtiest.map(|(p, plan)| (Arc::clone(p), plan)) else {
            return false;
        };
        drop(catalog);
        let (topic, index) = (&partition.topic, partition.index.get());
        match self.clean_one(&partition, &plan, map_bytes, now) {
            Ok(bytes) => {
                tracing::info!(%topic, partition = index, read = bytes.0, kept = bytes.1, "compacted");
                true
            }
            Err(error) => {
                warn(&partition, &error);
                false
            }
        }
    }

    fn pace(&self) -> ControlFlow<()> {
        if self.stops_cleaning.load(Ordering::Acquire) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Makes a pass. Answers with the bytes read and kept.
    fn clean_one(
        &self,
        partition: &Partition,
        plan: &CleanPlan,
        map_bytes: usize,
        now: Now,
    ) -> Result<(u64, u64), LogError> {
        let Some(cleaned) = plan.run(map_bytes, &mut |_| self.pace())? else {
            return Ok((0, 0));
        };
        let bytes = (cleaned.progress.read_bytes, cleaned.progress.written_bytes);
        if let Ok(log) = partition.lock().log_mut()
            && let Some(files) = log.install(cleaned, now.wall)?
        {
            self.timers.doom(files);
        }
        Ok(bytes)
    }
}

fn plan(partition: &Partition, now: Now) -> Result<Option<CleanPlan>, LogError> {
    let held = partition.lock();
    match held.log() {
        Ok(log) => log.plan_clean(now.wall, partition.stored_to()),
        Err(_) => Ok(None),
    }
}

fn warn(partition: &Partition, error: &LogError) {
    partition.storage_failed("compact a log", error);
}
