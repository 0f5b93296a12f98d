//! What one worker measures, second by second.
//!
//! A worker records into its own [`Interval`] without locks and hands it over
//! when the second ends. The whole measurement is the sum of the intervals, so
//! each sample is recorded once.
//!
//! Invariant: latencies enter by intended time, whatever became of the record
//! later; rates by the time the event happened.

use super::collector::Depot;
use super::window::Window;
use crate::clock::Mono;
use plimsoll_results::{Histogram, LatencyKind};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One second of one worker.
#[derive(Debug, Serialize, Deserialize)]
pub struct Interval {
    pub(super) second: u32,
    pub(super) tally: Tally,
    histograms: [Option<Histogram>; LatencyKind::ALL.len()],
}

/// What is counted in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records acknowledged.
    pub acknowledged: u64,
    /// Their bytes of keys, values and headers.
    pub acknowledged_bytes: u64,
    /// Records consumed.
    pub consumed: u64,
    /// Their bytes.
    pub consumed_bytes: u64,
    /// Failed deliveries and failed attempts.
    pub errors: u64,
    /// Milliseconds for which brokers held clients back by a quota.
    pub throttled_ms: u64,
    /// Transactions committed.
    pub committed: u64,
    /// Transactions aborted.
    pub aborted: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.acknowledged_bytes += other.acknowledged_bytes;
        self.consumed += other.consumed;
        self.consumed_bytes += other.consumed_bytes;
        self.errors += other.errors;
        self.throttled_ms += other.throttled_ms;
        self.committed += other.committed;
        self.aborted += other.aborted;
    }
}

impl Interval {
    pub(super) fn new(second: u32, kinds: &[LatencyKind]) -> Self {
        let histograms = LatencyKind::ALL.map(|kind| kinds.contains(&kind).then(Histogram::new));
        Self {
            second,
            tally: Tally::default(),
            histograms,
        }
    }

    pub(super) fn histogram(&self, kind: LatencyKind) -> Option<&Histogram> {
        self.histograms.get(kind as usize)?.as_ref()
    }

    pub(super) fn clear(&mut self) {
        self.tally = Tally::default();
        self.histograms
            .iter_mut()
            .flatten()
            .filter(|h| !h.is_empty())
            .for_each(Histogram::reset);
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.tally.add(&other.tally);
        for (own, its) in self.histograms.iter_mut().zip(&other.histograms) {
            if let Some(its) = its.as_ref().filter(|its| !its.is_empty()) {
                own.get_or_insert_with(Histogram::new).merge(its);
            }
        }
    }

    fn record(&mut self, kind: LatencyKind, nanos: i64, times: u64) {
        if let Some(Some(histogram)) = self.histograms.get_mut(kind as usize) {
            histogram.record_ns_times(nanos, times);
        }
    }
}

/// When a record was due, and when the client took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When the schedule wanted it sent.
    pub intended: Mono,
    /// When it was handed to the client.
    pub handed_off: Mono,
    /// Bytes of key, value and headers.
    pub bytes: u32,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// It was aborted.
    pub aborted: bool,
    /// When that was asked for, all its records being acknowledged.
    pub asked: Mono,
    /// When the answer came.
    pub answered: Mono,
}

/// Records what one worker measures.
#[derive(Debug)]
pub struct Recorder {
    window: Window,
    kinds: &'static [LatencyKind],
    current: Interval,
    depot: Arc<Depot>,
    /// The consumer's group, and what it read since it last told.
    group: u32,
    read: u64,
    /// Acknowledgements count: not those of records that are written again.
    counts: bool,
}

/// What producers of a scheduled load measure.
const SCHEDULED: &[LatencyKind] = &[
    LatencyKind::Response,
    LatencyKind::Service,
    LatencyKind::ScheduleLag,
];
/// Without a schedule nothing can be late for it.
const UNSCHEDULED: &[LatencyKind] = &[LatencyKind::Response, LatencyKind::Service];
const SCHEDULED_IN_TRANSACTIONS: &[LatencyKind] = &[
    LatencyKind::Response,
    LatencyKind::Service,
    LatencyKind::ScheduleLag,
    LatencyKind::Commit,
];
const UNSCHEDULED_IN_TRANSACTIONS: &[LatencyKind] = &[
    LatencyKind::Response,
    LatencyKind::Service,
    LatencyKind::Commit,
];
const PROCESSED: &[LatencyKind] = &[LatencyKind::Commit];
const CONSUMED: &[LatencyKind] = &[LatencyKind::EndToEnd];
const CONSUMED_AFTER_COMMITS: &[LatencyKind] = &[LatencyKind::EndToEnd, LatencyKind::Visibility];

impl Recorder {
    /// A producer's recorder.
    pub fn producer(window: Window, scheduled: bool, depot: Arc<Depot>) -> Self {
        let kinds = if scheduled { SCHEDULED } else { UNSCHEDULED };
        Self::new(window, kinds, depot)
    }

    /// The recorder of a producer that sends in transactions.
    pub fn transactional(window: Window, scheduled: bool, depot: Arc<Depot>) -> Self {
        let kinds = if scheduled {
            SCHEDULED_IN_TRANSACTIONS
        } else {
            UNSCHEDULED_IN_TRANSACTIONS
        };
        Self::new(window, kinds, depot)
    }

    /// The recorder of a worker that reads, writes again and commits both.
    pub fn processor(window: Window, depot: Arc<Depot>) -> Self {
        let mut recorder = Self::new(window, PROCESSED, depot);
        recorder.counts = false;
        recorder
    }

    /// The recorder of a consumer that begins late, beside others that do not:
    /// it is counted, and its latencies, which are those of the backlog, are not.
    pub fn late(window: Window, group: u32, depot: Arc<Depot>) -> Self {
        let mut recorder = Self::new(window, &[], depot);
        recorder.group = group;
        recorder
    }

    /// The recorder of a consumer in a group; `sees_commits` where it waits for
    /// them.
    pub fn consumer(window: Window, group: u32, sees_commits: bool, depot: Arc<Depot>) -> Self {
        let kinds = if sees_commits {
            CONSUMED_AFTER_COMMITS
        } else {
            CONSUMED
        };
        let mut recorder = Self::new(window, kinds, depot);
        recorder.group = group;
        recorder
    }

    fn new(window: Window, kinds: &'static [LatencyKind], depot: Arc<Depot>) -> Self {
        let current = Interval::new(0, kinds);
        Self {
            window,
            kinds,
            current,
            depot,
            group: 0,
            read: 0,
            counts: true,
        }
    }

    /// Another recorder of the same worker, for another thread.
    pub fn sibling(&self) -> Self {
        Self::new(self.window, self.kinds, Arc::clone(&self.depot))
    }

    /// The phases of the cell.
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// A record has been handed to the client.
    pub fn handed_off(&mut self, mark: &Mark) {
        if self.window.measures(mark.intended) {
            let lag = signed(mark.handed_off, mark.intended);
            self.current.record(LatencyKind::ScheduleLag, lag, 1);
        }
    }

    /// Records have been acknowledged together at `now`.
    pub fn acknowledged(&mut self, marks: &[Mark], now: Mono) {
        self.turn(now);
        if !self.counts {
            return;
        }
        self.depot.count_acknowledged(marks.len() as u64);
        let mut bytes = 0;
        for mark in marks {
            bytes += u64::from(mark.bytes);
            if self.window.measures(mark.intended) {
                self.current
                    .record(LatencyKind::Response, signed(now, mark.intended), 1);
                self.current
                    .record(LatencyKind::Service, signed(now, mark.handed_off), 1);
            }
        }
        if self.window.measures(now) {
            self.current.tally.acknowledged += marks.len() as u64;
            self.current.tally.acknowledged_bytes += bytes;
        }
    }

    /// A record that was due at `intended` has been read at `now`.
    pub fn consumed(&mut self, intended: Mono, now: Mono, bytes: u64) {
        if self.window.measures(intended) {
            self.current
                .record(LatencyKind::EndToEnd, signed(now, intended), 1);
        }
        self.read += 1;
        if self.window.measures(now) {
            self.current.tally.consumed += 1;
            self.current.tally.consumed_bytes += bytes;
        }
    }

    /// A record has been read at `now` of a transaction whose commit was asked
    /// for at `asked`.
    pub fn visible(&mut self, asked: Mono, now: Mono) {
        if self.window.measures(asked) {
            self.current
                .record(LatencyKind::Visibility, signed(now, asked), 1);
        }
    }

    /// A transaction of so many records has ended.
    pub fn transaction(&mut self, ended: &Ended, records: u64) {
        self.turn(ended.answered);
        if ended.aborted && self.counts {
            self.depot.count_aborted(records);
        }
        if self.window.measures(ended.asked) && !ended.aborted {
            let took = signed(ended.answered, ended.asked);
            self.current.record(LatencyKind::Commit, took, 1);
        }
        if self.window.measures(ended.answered) {
            self.current.tally.committed += u64::from(!ended.aborted);
            self.current.tally.aborted += u64::from(ended.aborted);
        }
    }

    /// `count` deliveries or attempts have failed.
    pub const fn failed(&mut self, count: u64) {
        self.current.tally.errors += count;
    }

    /// A broker has held this client back by a quota.
    pub fn throttled(&mut self, millis: u32) {
        self.current.tally.throttled_ms += u64::from(millis);
    }

    /// Hands the interval over when its second has ended. Consumers call this
    /// once a batch; producers need not.
    pub fn turn(&mut self, now: Mono) {
        if self.read > 0 {
            let read = std::mem::take(&mut self.read);
            self.depot.count_read(self.group, read);
        }
        let second = self.window.second(now);
        if second != self.current.second {
            let next = self.depot.fresh(second, self.kinds);
            let full = std::mem::replace(&mut self.current, next);
            self.depot.deliver(full);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let empty = Interval {
            second: 0,
            tally: Tally::default(),
            histograms: [const { None }; LatencyKind::ALL.len()],
        };
        self.depot.count_read(self.group, self.read);
        self.depot
            .deliver(std::mem::replace(&mut self.current, empty));
    }
}

fn signed(later: Mono, earlier: Mono) -> i64 {
    later.0.wrapping_sub(earlier.0).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::super::collector::Collector;
    use super::*;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    fn window() -> Window {
        let second = Duration::from_secs(1);
        Window::new(Mono(0), second, second * 2, second)
    }

    fn mark(intended: u64, handed_off: u64) -> Mark {
        Mark {
            intended: Mono(intended),
            handed_off: Mono(handed_off),
            bytes: 100,
        }
    }

    #[test]
    fn latency_counts_by_intended_time_and_rates_by_the_event() {
        let collector = Collector::new(None);
        let mut recorder = Recorder::producer(window(), true, collector.depot());
        // Due in the warm-up, acknowledged in the measurement: a rate only.
        recorder.acknowledged(&[mark(SECOND - 10, SECOND - 5)], Mono(SECOND + 10));
        // Due in the measurement, acknowledged in the drain: a latency only.
        let late = mark(3 * SECOND - 1_000, 3 * SECOND - 400);
        recorder.handed_off(&late);
        recorder.acknowledged(&[late], Mono(3 * SECOND + 1_000));
        drop(recorder);
        assert_eq!(collector.depot().acknowledged(), 2);
        let Ok(collected) = collector.finish() else {
            panic!("nothing is written");
        };
        assert_eq!(collected.tally.acknowledged_bytes, 100);
        let histograms = &collected.histograms;
        assert_eq!(histograms.response.count(), 1);
        assert_eq!(histograms.response.max_us(), 2.0);
        assert_eq!(histograms.service.max_us(), 1.4);
        assert_eq!(histograms.schedule_lag.max_us(), 0.6);
        let seconds: Vec<_> = collected
            .timeline
            .iter()
            .map(|s| (s.second, s.records))
            .collect();
        assert_eq!(seconds, [(0, 1), (2, 0)]);
    }

    #[test]
    fn workers_are_merged_and_negative_latencies_are_kept() {
        let mut collector = Collector::new(None);
        for worker in 0..3u64 {
            let mut recorder = Recorder::consumer(window(), 0, false, collector.depot());
            recorder.consumed(Mono(SECOND + 50), Mono(SECOND + 49 + worker), 10);
            recorder.turn(Mono(2 * SECOND + 1));
            recorder.consumed(Mono(2 * SECOND), Mono(2 * SECOND + 5_000), 10);
        }
        assert!(collector.collect(9).is_ok());
        let collected = collector.finish().unwrap_or_default();
        let end_to_end = collected.histograms.end_to_end.summary();
        assert_eq!(end_to_end.map(|s| (s.count, s.not_positive)), Some((6, 2)));
        assert_eq!(
            collected
                .timeline
                .iter()
                .map(|s| s.consumed)
                .collect::<Vec<_>>(),
            [Some(3), Some(3)]
        );
    }
}
