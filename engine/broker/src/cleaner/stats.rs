//! What the cleaner has done, and how far the passes under way are.

use crate::metrics::Counter;
use crate::partition::Partition;
use parking_lot::Mutex;
use plimsoll_log::{CleanPlan, CleanProgress};
use plimsoll_wire::time::Now;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a key takes in the map.
const MAP_BYTES_A_KEY: u64 = 24;

/// Counts of all passes since the start.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) passes: Counter,
    pub(super) failures: Counter,
    pub(super) bytes: Counter,
    pub(super) throttled_ms: Counter,
    pub(super) last: Mutex<Option<Last>>,
    underway: Mutex<Vec<Weak<Progress>>>,
}

/// The last pass that came to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub(super) ended: Now,
    pub(super) took: Duration,
    /// Bytes written for each 100 that were read.
    pub(super) recopied_percent: f64,
    /// How full the map of keys was.
    pub(super) buffer_percent: f64,
}

/// A pass under way, as others see it.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) labels: Vec<(&'static str, String)>,
    bytes: u64,
    done: AtomicU64,
}

/// A pass under way; it is out of sight when this is dropped.
pub(super) struct Underway {
    progress: Arc<Progress>,
    began: Now,
    moved: AtomicU64,
}

impl Progress {
    /// The part that is done, from 0 to 1.
    pub(super) fn ratio(&self) -> f64 {
        let done = self.done.load(Ordering::Relaxed).min(self.bytes);
        done as f64 / self.bytes.max(1) as f64
    }
}

impl Underway {
    /// Takes note of how far the pass has come. Answers with the bytes read and
    /// written since the last time.
    pub(super) fn advance(&self, progress: &CleanProgress) -> u64 {
        let read = progress.mapped_bytes + progress.read_bytes;
        self.progress.done.store(read, Ordering::Relaxed);
        let moved = read + progress.written_bytes;
        moved.saturating_sub(self.moved.swap(moved, Ordering::Relaxed))
    }
}

impl Stats {
    pub(super) fn begin(&self, partition: &Partition, plan: &CleanPlan, now: Now) -> Underway {
        let progress = Arc::new(Progress {
            labels: partition.labels(),
            bytes: plan.bytes_to_read(),
            done: AtomicU64::new(0),
        });
        let mut underway = self.underway.lock();
        underway.retain(|pass| pass.strong_count() > 0);
        underway.push(Arc::downgrade(&progress));
        Underway {
            progress,
            began: now,
            moved: AtomicU64::new(0),
        }
    }

    pub(super) fn moved(&self, bytes: u64) {
        self.bytes.add(bytes);
    }

    pub(super) fn throttled(&self, time: Duration) {
        self.throttled_ms
            .add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    pub(super) fn failed(&self) {
        self.failures.add(1);
    }

    pub(super) fn finished(
        &self,
        underway: &Underway,
        progress: &CleanProgress,
        map_bytes: usize,
        now: Now,
    ) {
        self.passes.add(1);
        let percent = |part: u64, whole: u64| part as f64 * 100.0 / whole.max(1) as f64;
        *self.last.lock() = Some(Last {
            ended: now,
            took: now.mono.since(underway.began.mono),
            recopied_percent: percent(progress.written_bytes, progress.read_bytes),
            buffer_percent: percent(progress.keys * MAP_BYTES_A_KEY, map_bytes as u64),
        });
    }

    /// The passes under way.
    pub(super) fn underway(&self) -> Vec<Arc<Progress>> {
        self.underway
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }
}
