//! Compaction: one log at a time a thread, the dirtiest first.
//!
//! A pass reads and writes without the partition's lock. It takes as long as
//! the disk and `log.cleaner.io.max.bytes.per.second` let it, so it belongs on
//! a thread of its own; several may run at once, each on another log. A log
//! that cannot be read is left alone until the broker restarts, so that it does
//! not keep the others waiting.

mod families;
mod stats;
mod throttle;

use crate::broker::Broker;
use crate::partition::{Life, Partition};
use plimsoll_log::{CleanPlan, CleanProgress, Cleaned, LogError};
use plimsoll_wire::time::{Instant, Now};
use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stats::{Stats, Underway};
use throttle::Throttle;

/// How soon after a pass the next dirty log is looked for.
const AFTER_A_PASS: Duration = Duration::from_secs(1);

/// The longest wait before it is looked whether the broker shuts down.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// Tells a pass the time, and lets it wait.
pub trait CleanerClock {
    /// What time it is.
    fn now(&self) -> Now;
    /// Waits for so long.
    fn pause(&self, time: Duration);
}

/// What all cleaning threads share.
#[derive(Debug, Default)]
pub(crate) struct Cleaner {
    stops: AtomicBool,
    throttle: Throttle,
    stats: Stats,
}

/// A clock that stands still: nobody can wait for it.
struct Still(Now);

impl CleanerClock for Still {
    fn now(&self) -> Now {
        self.0
    }

    fn pause(&self, _: Duration) {}
}

/// A partition that one thread cleans, until it is dropped.
struct Claim(Arc<Partition>);

/// What a pass shall do, and to which of the partition's logs.
struct Planned {
    plan: CleanPlan,
    life: Life,
}

impl Claim {
    fn on(partition: &Arc<Partition>) -> Option<Self> {
        let free = !partition.cleaning.swap(true, Ordering::AcqRel);
        free.then(|| Self(Arc::clone(partition)))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.cleaning.store(false, Ordering::Release);
    }
}

impl Broker {
    /// Compacts the dirtiest log, when it is time to look and one is dirty
    /// enough, without a limit on its speed. Answers when to look next.
    pub fn clean(&self, now: Now) -> Instant {
        self.clean_paced(&Still(now))
    }

    /// Compacts the dirtiest log that no other thread compacts, when it is time
    /// to look and one is dirty enough. Answers when to look next.
    pub fn clean_paced(&self, clock: &dyn CleanerClock) -> Instant {
        let now = clock.now();
        if self.timers.is_clean_due(now) && !self.cleaner.stops.load(Ordering::Acquire) {
            let limits = self.limits();
            let cleaned = limits.compacts && self.clean_dirtiest(clock);
            let rest = if cleaned {
                limits.clean_backoff.min(AFTER_A_PASS)
            } else {
                limits.clean_backoff
            };
            self.timers.clean_at(clock.now().mono.after(rest));
        }
        self.timers.next_clean()
    }

    /// How many threads should call [`Self::clean_paced`].
    pub fn cleaner_threads(&self) -> usize {
        let limits = self.limits();
        if limits.compacts {
            limits.clean_threads
        } else {
            0
        }
    }

    /// Ends the passes that are going on, and begins no other: the broker is
    /// about to shut down.
    pub fn stop_cleaning(&self) {
        self.cleaner.stops.store(true, Ordering::Release);
    }

    fn clean_dirtiest(&self, clock: &dyn CleanerClock) -> bool {
        let now = clock.now();
        let mut plans: Vec<_> = self
            .catalog()
            .partitions()
            .filter(|partition| !partition.uncleanable.load(Ordering::Relaxed))
            .filter_map(|partition| {
                let planned = plan(partition, now).unwrap_or_else(|error| {
                    give_up(partition, &error);
                    None
                });
                planned.map(|planned| (Arc::clone(partition), planned))
            })
            .collect();
        plans.sort_by_key(|(_, planned)| Reverse(planned.plan.dirtiness().permille()));
        let claimed = plans
            .into_iter()
            .find_map(|(partition, planned)| Claim::on(&partition).map(|claim| (claim, planned)));
        let Some((Claim(partition), planned)) = &claimed else {
            return false;
        };
        let (topic, index) = (&partition.topic, partition.index.get());
        match self.clean_one(partition, planned, clock) {
            Ok(Some(CleanProgress {
                read_bytes,
                written_bytes,
                ..
            })) => {
                tracing::info!(
                    %topic, partition = index, read_bytes, written_bytes, "compacted"
                );
                true
            }
            Ok(None) => false,
            // Its files went meanwhile, for the topic was deleted.
            Err(_) if partition.lock().life() != planned.life => false,
            Err(error) => {
                self.cleaner.stats.failed();
                give_up(partition, &error);
                self.act_on_faults();
                false
            }
        }
    }

    /// Makes a pass. Answers with what it took, unless it was stopped.
    fn clean_one(
        &self,
        partition: &Partition,
        planned: &Planned,
        clock: &dyn CleanerClock,
    ) -> Result<Option<CleanProgress>, LogError> {
        let map_bytes = self.limits().clean_map_bytes;
        let underway = self
            .cleaner
            .stats
            .begin(partition, &planned.plan, clock.now());
        let mut pace = |progress: &CleanProgress| self.pace(progress, &underway, clock);
        let Some(cleaned) = planned.plan.run(map_bytes, &mut pace)? else {
            return Ok(None);
        };
        let Cleaned { progress, .. } = cleaned;
        underway.advance(&progress);
        self.cleaner
            .stats
            .finished(&underway, &progress, map_bytes, clock.now());
        let now = clock.now().wall;
        let mut held = partition.lock();
        if held.life() == planned.life
            && let Ok(log) = held.log_mut()
            && let Some(files) = log.install(cleaned, now)?
        {
            self.timers.doom(files);
        }
        Ok(Some(progress))
    }

    /// Takes note of how far a pass has come, and waits until it may go on.
    fn pace(
        &self,
        progress: &CleanProgress,
        underway: &Underway,
        clock: &dyn CleanerClock,
    ) -> ControlFlow<()> {
        let bytes = underway.advance(progress);
        self.cleaner.stats.moved(bytes);
        let limit = self.limits().clean_bytes_per_second;
        let mut left = self.cleaner.throttle.wait(bytes, limit, clock.now().mono);
        self.cleaner.stats.throttled(left);
        loop {
            if self.cleaner.stops.load(Ordering::Acquire) {
                return ControlFlow::Break(());
            }
            if left.is_zero() {
                return ControlFlow::Continue(());
            }
            let pause = left.min(PAUSE_MAX);
            clock.pause(pause);
            left -= pause;
        }
    }
}

fn plan(partition: &Partition, now: Now) -> Result<Option<Planned>, LogError> {
    let held = partition.lock();
    let Ok(log) = held.log() else {
        return Ok(None);
    };
    let life = held.life();
    let plan = log.plan_clean(now.wall, partition.stored_to())?;
    Ok(plan.map(|plan| Planned { plan, life }))
}

fn give_up(partition: &Partition, error: &LogError) {
    partition.uncleanable.store(true, Ordering::Relaxed);
    partition.storage_failed(
        "compact a log, which is left as it is until a restart",
        error,
    );
}
