//! Several workloads at once: each on a topic of its own, all in one window.
//!
//! Each workload is conducted by a thread of its own, as if it were alone, and
//! judged by itself. This thread puts their intervals together, tells how the
//! cell gets on, and ends all of them when one fails or the user stops the run.
//! Percentiles of all together come from merged histograms, as ever.

use super::progress::{Interrupt, Options, Phase, Progress};
use super::run::{Bench, Filled, Finished, Sink, TICK_NANOS, histogram_log, window_of};
use super::together;
use crate::clock::{Mono, sleep_until};
use crate::error::DriveError;
use crate::record::{Collector, Depot, Window};
use parking_lot::Mutex;
use plimsoll_results::CellResult;
use plimsoll_workloads::{Cell, Run};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};

/// Seconds by which the workloads' intervals come later than those of workers.
const PASSED_ON_SECONDS: u32 = 4;

/// What one workload brought to light.
type Carried = Result<Finished, DriveError>;

/// What the workloads' threads and this one tell each other.
#[derive(Default)]
struct Signals {
    ends: AtomicBool,
    why: Mutex<Option<Interrupt>>,
}

impl Signals {
    fn end(&self, why: Interrupt) {
        self.why.lock().get_or_insert(why);
        self.ends.store(true, Ordering::Relaxed);
    }

    fn reason(&self) -> Option<Interrupt> {
        match self.ends.load(Ordering::Relaxed) {
            true => self.why.lock().clone(),
            false => None,
        }
    }
}

/// Measures all workloads of a cell at once and judges them.
pub(super) fn measure(
    cell: &Cell,
    run: &Run,
    benches: &[Bench<'_>],
    mut options: Options<'_>,
) -> Result<CellResult, DriveError> {
    let filled = benches
        .iter()
        .map(|bench| bench.fill(&mut options))
        .collect::<Result<Vec<_>, _>>()?;
    let window = window_of(&cell.spec, benches.iter().map(Bench::workers).sum());
    let log = options
        .dir
        .map(|dir| histogram_log(cell, run, None, &window, dir));
    let (histogram_file, log) = log.transpose()?.unzip();
    let mut together = Collector::new(log);
    let carried = carry(benches, filled, window, &mut together, &mut options)?;
    let collected = together.finish()?;
    let mut result = together::merge(cell, run, carried, &collected);
    result.histogram_file = histogram_file;
    Ok(result)
}

/// Lets every workload be carried by a thread of its own.
fn carry(
    benches: &[Bench<'_>],
    filled: Vec<Filled>,
    window: Window,
    together: &mut Collector,
    options: &mut Options<'_>,
) -> Result<Vec<(String, Finished)>, DriveError> {
    let signals = Signals::default();
    let acknowledged: Vec<AtomicU64> = benches.iter().map(|_| AtomicU64::new(0)).collect();
    let (dir, depot) = (options.dir, together.depot());
    let outcomes = thread::scope(|scope| {
        let each = benches.iter().zip(filled).zip(&acknowledged);
        let threads: Vec<_> = each
            .map(|((bench, filled), count)| {
                let (signals, depot) = (&signals, Arc::clone(&depot));
                scope.spawn(move || {
                    let carried = alone(
                        bench,
                        filled,
                        window,
                        Link {
                            dir,
                            depot,
                            signals,
                            count,
                        },
                    );
                    if carried.is_err() {
                        signals.end(Interrupt::Stopped);
                    }
                    carried
                })
            })
            .collect();
        let tended = tend(
            &threads,
            &window,
            together,
            options,
            &signals,
            &acknowledged,
        );
        let joined = threads.into_iter().map(joined).collect::<Vec<_>>();
        tended.map(|()| joined)
    })?;
    // The one that failed says more than those that were stopped for it.
    let is_stopped = |outcome: &&Carried| matches!(outcome, Err(DriveError::Interrupted));
    let worst = outcomes
        .iter()
        .position(|outcome| outcome.is_err() && !is_stopped(&outcome));
    let mut outcomes = outcomes;
    if let Some(worst) = worst {
        outcomes.swap(0, worst);
    }
    let named = benches.iter().map(|bench| bench.name.unwrap_or_default());
    outcomes
        .into_iter()
        .zip(named)
        .map(|(outcome, name)| outcome.map(|finished| (name.to_owned(), finished)))
        .collect()
}

/// What a workload's thread is given besides its load.
struct Link<'a> {
    dir: Option<&'a Path>,
    depot: Arc<Depot>,
    signals: &'a Signals,
    count: &'a AtomicU64,
}

fn alone(bench: &Bench<'_>, filled: Filled, window: Window, link: Link<'_>) -> Carried {
    let (histogram_file, collector) = bench.collector(&window, link.dir)?;
    let sink = Sink {
        histogram_file,
        collector: collector.passing_on(link.depot),
    };
    let options = Options {
        dir: link.dir,
        progress: &mut |progress: &Progress| {
            link.count.store(progress.acknowledged, Ordering::Relaxed);
        },
        interrupt: &|| link.signals.reason(),
    };
    bench.measure_within(window, filled, sink, options)
}

fn joined(thread: ScopedJoinHandle<'_, Carried>) -> Carried {
    thread.join().unwrap_or_else(|_panic| {
        Err(DriveError::Worker {
            worker: "a workload".to_owned(),
            cause: "it panicked".to_owned(),
        })
    })
}

/// Looks round until all workloads have ended.
fn tend(
    threads: &[ScopedJoinHandle<'_, Carried>],
    window: &Window,
    together: &mut Collector,
    options: &mut Options<'_>,
    signals: &Signals,
    acknowledged: &[AtomicU64],
) -> Result<(), DriveError> {
    let mut failure = None;
    while !threads.iter().all(ScopedJoinHandle::is_finished) {
        sleep_until(Mono::now().plus(TICK_NANOS));
        let now = Mono::now();
        let whole = window.second(now).saturating_sub(PASSED_ON_SECONDS);
        if let Err(error) = together.collect(whole) {
            failure = failure.or(Some(error.into()));
            signals.end(Interrupt::Stopped);
        }
        (options.progress)(&Progress {
            pulse: None,
            phase: Phase::at(window, now),
            elapsed: now.elapsed_since(window.start),
            of: window.to.elapsed_since(window.start),
            acknowledged: acknowledged
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .sum(),
        });
        if let Some(interrupt) = (options.interrupt)() {
            signals.end(interrupt);
        }
    }
    failure.map_or(Ok(()), Err)
}
