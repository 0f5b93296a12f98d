//! Where the workers' intervals come together: totals, the timeline and the
//! histogram log.
//!
//! Invariants: histograms are merged, percentiles never averaged; memory does
//! not grow with the run except by one timeline entry a second.

use super::recorder::{Interval, Tally};
use parking_lot::Mutex;
use plimsoll_results::{Histograms, HlogWriter, LatencyKind, ResultError, Second};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many seconds an interval stays open for workers that are behind.
const OPEN_SECONDS: u32 = 3;
/// The most empty intervals kept for reuse.
const SPARE_MAX: usize = 64;

/// Where workers leave full intervals and take empty ones.
#[derive(Debug, Default)]
pub struct Depot {
    full: Mutex<Vec<Interval>>,
    spare: Mutex<Vec<Interval>>,
    /// Records acknowledged so far, ahead of the intervals.
    acknowledged: AtomicU64,
    /// Of those, records of transactions that were aborted.
    aborted: AtomicU64,
    /// Records that each group has read.
    read: Vec<AtomicU64>,
}

impl Depot {
    /// Records acknowledged so far by all workers, warm-up included: for
    /// showing progress.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(super) fn count_acknowledged(&self, records: u64) {
        self.acknowledged.fetch_add(records, Ordering::Relaxed);
    }

    /// Records that were there before the load.
    pub fn prefilled(&self, records: u64) {
        self.count_acknowledged(records);
    }

    pub(super) fn count_aborted(&self, records: u64) {
        self.aborted.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn count_read(&self, group: u32, records: u64) {
        if let Some(read) = self.read.get(group as usize) {
            read.fetch_add(records, Ordering::Relaxed);
        }
    }

    /// Acknowledged records that each group has not read yet.
    pub fn backlogs(&self) -> impl Iterator<Item = u64> {
        let aborted = self.aborted.load(Ordering::Relaxed);
        let there = self.acknowledged().saturating_sub(aborted);
        let read = self.read.iter();
        read.map(move |read| there.saturating_sub(read.load(Ordering::Relaxed)))
    }

    pub(super) fn deliver(&self, interval: Interval) {
        self.full.lock().push(interval);
    }

    pub(super) fn fresh(&self, second: u32, kinds: &[LatencyKind]) -> Interval {
        let mut spare = self.spare.lock();
        let fits = |interval: &Interval| {
            LatencyKind::ALL
                .iter()
                .all(|kind| interval.histogram(*kind).is_some() == kinds.contains(kind))
        };
        match spare.iter().position(fits) {
            Some(at) => {
                let mut interval = spare.swap_remove(at);
                interval.second = second;
                interval
            }
            None => Interval::new(second, kinds),
        }
    }

    fn take_back(&self, mut interval: Interval) {
        let mut spare = self.spare.lock();
        if spare.len() < SPARE_MAX {
            interval.clear();
            spare.push(interval);
        }
    }
}

/// What a run measured so far.
#[derive(Debug, Default)]
pub struct Collected {
    /// All samples, merged.
    pub histograms: Histograms,
    /// All counts.
    pub tally: Tally,
    /// One entry a second.
    pub timeline: Vec<Second>,
}

/// Puts the intervals of all workers together.
pub struct Collector {
    depot: Arc<Depot>,
    open: BTreeMap<u32, Interval>,
    /// Seconds before this one are closed; stragglers count in it.
    closed_before: u32,
    collected: Collected,
    log: Option<HlogWriter>,
    /// Closed intervals, where they are to be sent on.
    kept: Option<Vec<Interval>>,
    /// Where closed intervals go that another collector puts together with those
    /// of others.
    onward: Option<Arc<Depot>>,
}

impl Collector {
    /// A collector that writes interval histograms to `log`, when there is one.
    pub fn new(log: Option<HlogWriter>) -> Self {
        Self::of_groups(log, 0)
    }

    /// The same for workers that are in `groups` groups of consumers.
    pub fn of_groups(log: Option<HlogWriter>, groups: u32) -> Self {
        let depot = Depot {
            read: (0..groups).map(|_| AtomicU64::new(0)).collect(),
            ..Depot::default()
        };
        Self {
            depot: Arc::new(depot),
            open: BTreeMap::new(),
            closed_before: 0,
            collected: Collected::default(),
            log,
            kept: None,
            onward: None,
        }
    }

    /// The same, each closed interval being delivered to `depot` in turn.
    #[must_use]
    pub fn passing_on(mut self, depot: Arc<Depot>) -> Self {
        self.onward = Some(depot);
        self
    }

    /// A collector that keeps every interval, for another to take in.
    pub fn keeping(groups: u32) -> Self {
        Self {
            kept: Some(Vec::new()),
            ..Self::of_groups(None, groups)
        }
    }

    /// Takes in what another collector kept. To be called before anything is
    /// closed.
    pub fn take_in(&self, intervals: Vec<Interval>) {
        self.depot.full.lock().extend(intervals);
    }

    /// As [`Collector::finish`], for one that keeps its intervals.
    pub fn finish_kept(mut self) -> Result<Vec<Interval>, ResultError> {
        self.collect(u32::MAX)?;
        Ok(self.kept.unwrap_or_default())
    }

    /// Where this collector's workers deliver.
    pub fn depot(&self) -> Arc<Depot> {
        Arc::clone(&self.depot)
    }

    /// Takes in what was delivered, and closes the seconds before `second` for
    /// which nobody can be late any more.
    pub fn collect(&mut self, second: u32) -> Result<(), ResultError> {
        let full = std::mem::take(&mut *self.depot.full.lock());
        for interval in full {
            let second = interval.second.max(self.closed_before);
            self.open
                .entry(second)
                .or_insert_with(|| Interval::new(second, &[]))
                .absorb(&interval);
            self.depot.take_back(interval);
        }
        while let Some(entry) = self.open.first_entry() {
            if entry.key().saturating_add(OPEN_SECONDS) >= second {
                break;
            }
            self.closed_before = entry.key().saturating_add(1);
            let interval = entry.remove();
            self.close(&interval)?;
            match (&mut self.kept, &self.onward) {
                (Some(kept), _) => kept.push(interval),
                (None, Some(onward)) => onward.deliver(interval),
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// The newest second of which something is known, and all errors so far.
    pub fn newest(&self) -> Option<(Second, u64)> {
        let open = self.open.values().next_back().map(entry);
        let second = open.or_else(|| self.collected.timeline.last().cloned())?;
        let open: u64 = self
            .open
            .values()
            .map(|interval| interval.tally.errors)
            .sum();
        Some((second, self.collected.tally.errors + open))
    }

    /// Takes in the rest. Every recorder must have been dropped.
    pub fn finish(mut self) -> Result<Collected, ResultError> {
        self.collect(u32::MAX)?;
        if let Some(log) = self.log.take() {
            log.finish()?;
        }
        Ok(self.collected)
    }

    fn close(&mut self, interval: &Interval) -> Result<(), ResultError> {
        let start = Duration::from_secs(u64::from(interval.second));
        for kind in LatencyKind::ALL {
            let Some(histogram) = interval.histogram(kind).filter(|h| !h.is_empty()) else {
                continue;
            };
            self.collected.histograms.get_mut(kind).merge(histogram);
            if let Some(log) = &mut self.log {
                log.write(kind, histogram, start, Duration::from_secs(1))?;
            }
        }
        self.collected.tally.add(&interval.tally);
        self.collected.timeline.push(entry(interval));
        Ok(())
    }
}

fn entry(interval: &Interval) -> Second {
    let response = interval
        .histogram(LatencyKind::Response)
        .filter(|h| !h.is_empty());
    let at = |percentile: f64| response.map(|h| h.percentile_us(percentile));
    let tally = &interval.tally;
    Second {
        second: interval.second,
        records: tally.acknowledged,
        bytes: tally.acknowledged_bytes,
        p50_us: at(50.0),
        p99_us: at(99.0),
        p999_us: at(99.9),
        max_us: at(100.0),
        errors: tally.errors,
        consumed: Some(tally.consumed),
        ..Second::default()
    }
}
