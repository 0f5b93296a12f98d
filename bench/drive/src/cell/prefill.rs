//! What is there to be read before the load begins.
//!
//! Written as fast as possible by producers of their own, whose numbers follow
//! those of the load's, so that the verifier tells their lanes apart.

use super::progress::{Interrupt, Options, Phase, Progress};
use super::settings;
use super::workers::Running;
use crate::clock::{Mono, sleep_until};
use crate::driver::{Due, Marking, Outgoing, Produced, ProducerJob, Route, Source};
use crate::error::DriveError;
use crate::feed::{Feed, FeedSettings};
use crate::record::{Collector, Recorder, Window};
use plimsoll_workloads::CellSpec;
use plimsoll_workloads::generate::{Records, Schedule, Worker};
use plimsoll_workloads::language::{ArrivalSpec, RateSpec};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it looks round.
const LOOK_NANOS: u64 = 50_000_000;
/// How long it may take.
const FILL: Duration = Duration::from_secs(24 * 3600);

/// What is to be written before the load.
pub struct Prefill<'a> {
    /// The cell.
    pub spec: &'a CellSpec,
    /// Where to.
    pub route: &'a Arc<Route>,
    /// What.
    pub records: &'a Records,
    /// How it is marked.
    pub marking: Marking,
    /// The seed of what is drawn.
    pub seed: u64,
}

/// How many producers write it.
pub fn producers(spec: &CellSpec) -> u32 {
    match spec.load.prefill.get() {
        0 => 0,
        _ => spec.producer.count.max(1),
    }
}

impl Prefill<'_> {
    /// Writes it, and waits until all is acknowledged.
    pub fn write(&self, options: &mut Options<'_>) -> Result<Vec<Produced>, DriveError> {
        let of = producers(self.spec);
        if of == 0 {
            return Ok(Vec::new());
        }
        let began = Mono::now();
        let never = began.after(FILL);
        let window = Window {
            start: began,
            from: never,
            to: never,
            give_up: never,
        };
        let collector = Collector::new(None);
        let depot = collector.depot();
        let stop = Arc::new(AtomicBool::new(false));
        let running = self.start(window, of, &stop, &collector)?;
        let mut failure = None;
        while !running.is_finished() {
            sleep_until(Mono::now().plus(LOOK_NANOS));
            (options.progress)(&Progress {
                pulse: None,
                phase: Phase::Fill,
                elapsed: Duration::ZERO,
                of: FILL,
                acknowledged: depot.acknowledged(),
            });
            failure = match (options.interrupt)() {
                None => continue,
                Some(Interrupt::Stopped) => Some(DriveError::Interrupted),
                Some(Interrupt::BrokerDied(how)) => Some(DriveError::BrokerDied(how)),
            };
            stop.store(true, Ordering::Relaxed);
        }
        let produced = running.join();
        failure.map_or(produced, Err)
    }

    fn start(
        &self,
        window: Window,
        of: u32,
        stop: &Arc<AtomicBool>,
        collector: &Collector,
    ) -> Result<Running<Produced>, DriveError> {
        let mut load = self.spec.load.clone();
        load.rate = RateSpec::Max;
        load.arrivals = ArrivalSpec::Constant;
        let schedule = Schedule::prepare(&load, self.records.mean_bytes(), self.seed)
            .map_err(|error| DriveError::Input(error.to_string()))?;
        let mut settings = settings::producer(self.spec);
        settings.transaction_timeout = None;
        let feed = FeedSettings {
            window,
            marking: self.marking,
            partitions: self.spec.topic.partitions,
            batch_bytes: settings.batch_bytes,
        };
        let settings = Arc::new(settings);
        let driver = settings::driver(self.spec);
        let (all, each) = (self.spec.load.prefill.get(), u64::from(of));
        let jobs = (0..of).map(|index| {
            let worker = self.spec.producer.count + index;
            let stream = Feed::new(&schedule, self.records, Worker { index, of }, &feed);
            let source = Limited {
                feed: stream.as_producer(worker),
                left: all / each + u64::from(u64::from(index) < all % each),
            };
            let job = ProducerJob {
                worker,
                route: Arc::clone(self.route),
                settings: Arc::clone(&settings),
                source: Box::new(source),
                recorder: Recorder::producer(window, false, collector.depot()),
                reads: None,
                commits: None,
                stop: Arc::clone(stop),
            };
            (format!("filler-{index}"), move || driver.produce(job))
        });
        Running::start(jobs.collect())
    }
}

/// A feed that ends after so many records.
struct Limited {
    feed: Feed,
    left: u64,
}

impl Source for Limited {
    fn due(&mut self, now: Mono) -> Due {
        match self.left {
            0 => Due::Never,
            _ => self.feed.due(now),
        }
    }

    fn next(&mut self, intended: Mono) -> Outgoing<'_> {
        self.left = self.left.saturating_sub(1);
        self.feed.next(intended)
    }

    fn gap_nanos(&self) -> u64 {
        0
    }
}
