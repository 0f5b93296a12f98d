//! One cell from a fresh topic to its result.
//!
//! Order matters: consumers are reading before the first record is sent; the
//! window is fixed before any worker starts; the log's end is asked for only
//! when producers are done, and consumers read up to it.

use super::outcome::{self, Measured};
use super::prefill::{self, Prefill};
use super::processors::{self, Processors};
use super::settings;
use super::workers::{Crew, Running, Share};
use crate::access::Bootstrap;
use crate::clock::{Mono, sleep_until, wall_ms};
use crate::dead_letters::{self, DeadLetters};
use crate::driver::{Consumed, FinishLine, Marking, Produced, Route};
use crate::error::DriveError;
use crate::native::control::{ClusterInfo, Control, NewTopic};
use crate::observe::{Cores, Observed, Watch};
use crate::record::{BacklogWatch, Collector, CommitBoard, Window};
use crate::verify::Lanes;
use plimsoll_results::{Backlog, CellResult, HlogWriter, Second};
use plimsoll_wire::types::Offset;
use plimsoll_workloads::generate::{InputError, Records, Schedule};
use plimsoll_workloads::language::RateSpec;
use plimsoll_workloads::{Cell, Run};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// How often the coordinator looks round.
const TICK_NANOS: u64 = 50_000_000;
/// How often it says how the cell goes.
const PULSE_NANOS: u64 = 250_000_000;
/// Time for the first workers to connect before the schedule begins.
const START_NANOS: u64 = 250_000_000;
/// Time for each further worker.
const START_NANOS_EACH: u64 = 2_000_000;
/// Least time that consumers get to read up to the end.
const CATCH_UP_MIN: Duration = Duration::from_secs(2);
/// How long the markers of the last transactions may take.
const MARKERS: Duration = Duration::from_secs(10);
/// How long an end offset must stand still to be final without acks.
const UNACKED_STILL: Duration = Duration::from_millis(500);

/// The cluster that carries the load.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// How it is reached.
    pub bootstrap: Bootstrap,
    /// The brokers' processes, when they run on this machine and are known.
    pub broker_pids: Vec<u32>,
}

/// How a cell is run.
pub struct Options<'a> {
    /// Where the histogram log goes; none is written without.
    pub dir: Option<&'a Path>,
    /// Told how the cell gets on, a few times a second.
    pub progress: &'a mut dyn FnMut(&Progress),
    /// Asked often: why the cell must end now, if it must.
    pub interrupt: &'a dyn Fn() -> Option<Interrupt>,
}

/// Why a cell ends before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The user wants to stop.
    Stopped,
    /// The embedded broker is gone; how it went.
    BrokerDied(String),
}

/// What a cell is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Load without measurement.
    WarmUp,
    /// The measured window.
    Measure,
    /// Waiting for what is on its way.
    Drain,
    /// Writing what is there before the load.
    Fill,
    /// Trying rates, of which none is the answer yet.
    Search,
}

/// How a cell gets on.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Time since the schedule began.
    pub elapsed: Duration,
    /// Time that the schedule takes.
    pub of: Duration,
    /// Records acknowledged so far, warm-up included.
    pub acknowledged: u64,
    /// How it goes, a few times a second within the measured window.
    pub pulse: Option<Pulse>,
}

/// What a cell measures right now, to show and not to keep.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    /// The newest second of which there is something.
    pub second: Second,
    /// Records that the slowest group is behind.
    pub lag: u64,
    /// Cores in use over the last full second.
    pub cores: Option<Cores>,
    /// Sends that failed so far.
    pub errors: u64,
}

/// Finds out whether a target can be reached, and what it is.
///
/// # Errors
/// [`DriveError::Unreachable`] within ten seconds when no broker answers.
pub fn reach(bootstrap: &Bootstrap) -> Result<ClusterInfo, DriveError> {
    Control::reach(bootstrap)?.info()
}

/// Runs one cell and judges it.
pub fn run_cell(
    target: &Target,
    cell: &Cell,
    run: &Run,
    options: Options<'_>,
) -> Result<CellResult, DriveError> {
    settings::check(&cell.spec)?;
    if cell.spec.load.rate == RateSpec::Search {
        return crate::search::find(target, cell, run, options);
    }
    run_at_its_rate(target, cell, run, options)
}

/// The same for a cell whose rate is given.
pub(crate) fn run_at_its_rate(
    target: &Target,
    cell: &Cell,
    run: &Run,
    options: Options<'_>,
) -> Result<CellResult, DriveError> {
    on_a_fresh_topic(target, cell, run, |bench| bench.measure(options))
}

/// Makes a topic for a cell, lets `carry` measure on it, and deletes it.
pub(crate) fn on_a_fresh_topic<'a>(
    target: &'a Target,
    cell: &'a Cell,
    run: &'a Run,
    carry: impl FnOnce(Bench<'a>) -> Result<CellResult, DriveError>,
) -> Result<CellResult, DriveError> {
    let mut control = Control::reach(&target.bootstrap)?;
    let topic = NewTopic {
        name: format!("plimsoll-{}-{}-{:x}", cell.id, run.repeat, wall_ms()),
        partitions: cell.spec.topic.partitions,
        replication_factor: i16::try_from(cell.spec.topic.replication_factor).unwrap_or(i16::MAX),
        configs: own(cell.spec.topic.configs.iter()),
    };
    let leaders = control.create_topic(&topic)?;
    let has_letters = settings::has_dead_letters(&cell.spec);
    if has_letters {
        DeadLetters::create(&mut control, &topic)?;
    }
    let route = Route {
        bootstrap: target.bootstrap.clone(),
        topic: topic.name.clone(),
        leaders,
    };
    let input = settings::copies(&cell.spec).then(|| NewTopic {
        name: format!("{}{}", topic.name, processors::INPUT_SUFFIX),
        ..topic.clone()
    });
    let input_name = input.as_ref().map(|input| input.name.clone());
    let input = input.map(|input| {
        Ok::<_, DriveError>(Arc::new(Route {
            bootstrap: target.bootstrap.clone(),
            leaders: control.create_topic(&input)?,
            topic: input.name,
        }))
    });
    let input = input.transpose()?;
    let outcome =
        Bench::prepare(target, cell, run, route).and_then(|bench| carry(Bench { input, ..bench }));
    let letters = has_letters.then(|| format!("{}{}", topic.name, dead_letters::SUFFIX));
    let deleted = Control::reach(&target.bootstrap).and_then(|mut control| {
        let mut topics = letters.iter().chain(&input_name).chain([&topic.name]);
        topics.try_for_each(|name| control.delete_topic(name))
    });
    if let Err(error) = deleted {
        tracing::debug!(topic = topic.name, %error, "the cell's topic stays behind");
    }
    outcome
}

/// A cell that is set up: its topic is there, its records and their times are
/// known.
pub(crate) struct Bench<'a> {
    pub(crate) target: &'a Target,
    pub(crate) cell: &'a Cell,
    pub(crate) run: &'a Run,
    pub(crate) records: Records,
    pub(crate) schedule: Schedule,
    pub(crate) route: Arc<Route>,
    /// Where the load goes when it is read and written again.
    pub(crate) input: Option<Arc<Route>>,
}

/// How one process carries a cell, or its share of one.
pub(crate) struct Assignment {
    /// Which of the cell's workers are its own.
    pub(crate) share: Share,
    /// The phases.
    pub(crate) window: Window,
    /// How the run's records are marked.
    pub(crate) marking: Marking,
    /// Producers and partitions of the whole cell.
    pub(crate) lanes: Lanes,
    /// Where measurements come together.
    pub(crate) collector: Collector,
}

/// Says where the logs end, once the producers are done.
pub(crate) type Ends<'a> = &'a mut dyn FnMut(&[Produced]) -> Result<Vec<Offset>, DriveError>;

/// What one process measured.
pub(crate) struct Conducted {
    pub(crate) produced: Vec<Produced>,
    /// What processors wrote again.
    pub(crate) processed: Vec<Produced>,
    pub(crate) consumed: Vec<Vec<Consumed>>,
    pub(crate) ends: Vec<Offset>,
    pub(crate) observed: Observed,
    /// Records in the time that was observed.
    pub(crate) observed_records: u64,
    /// When the last of it was read.
    pub(crate) finished_at: Mono,
    pub(crate) cores: Vec<outcome::CoresInSecond>,
    pub(crate) backlog: Vec<Backlog>,
    pub(crate) lags: Vec<u64>,
    pub(crate) collector: Collector,
}

impl<'a> Bench<'a> {
    /// Reads the records and works out when they are due.
    pub(crate) fn prepare(
        target: &'a Target,
        cell: &'a Cell,
        run: &'a Run,
        route: Route,
    ) -> Result<Self, DriveError> {
        let input = |error: InputError| DriveError::Input(error.to_string());
        let records = Records::prepare(&cell.spec.records, run.seed).map_err(input)?;
        let mean_bytes = records.mean_bytes();
        let schedule = Schedule::prepare(&cell.spec.load, mean_bytes, run.seed).map_err(input)?;
        Ok(Self {
            target,
            cell,
            run,
            records,
            schedule,
            route: Arc::new(route),
            input: None,
        })
    }
}

impl Bench<'_> {
    fn measure(&self, mut options: Options<'_>) -> Result<CellResult, DriveError> {
        let spec = &self.cell.spec;
        let marking = self.marking();
        let prefill = Prefill {
            spec,
            route: self.input.as_ref().unwrap_or(&self.route),
            records: &self.records,
            marking,
            seed: self.run.seed,
        };
        let prefilled = prefill.write(&mut options)?;
        let workers = u64::from(spec.producer.count)
            + u64::from(spec.consumer.count) * u64::from(spec.consumer.groups);
        let start = Mono::now().plus(START_NANOS + START_NANOS_EACH * workers);
        let load = &spec.load;
        let (warmup, duration) = (load.warmup.duration(), load.duration.duration());
        let window = Window::new(start, warmup, duration, load.drain.duration());
        let (histogram_file, collector) = self.collector(&window, options.dir)?;
        let lanes = Lanes {
            producers: spec.producer.count + prefill::producers(spec),
            partitions: spec.topic.partitions,
        };
        collector
            .depot()
            .prefilled(prefilled.iter().map(|p| p.records).sum());
        let started_at = jiff::Timestamp::now() + warmup;
        let assignment = Assignment {
            share: Share::default(),
            window,
            marking,
            lanes,
            collector,
        };
        let mut conducted =
            self.conduct(assignment, options, &mut |produced| self.ends(produced))?;
        let reads_only = conducted.produced.is_empty();
        conducted.produced.extend(prefilled);
        let measured_until = match reads_only {
            true => conducted.finished_at.min(window.to),
            false => window.to,
        };
        Ok(outcome::judge(
            self.cell,
            self.run,
            Measured {
                started_at: started_at.to_string(),
                window: measured_until.elapsed_since(window.from),
                reads_only,
                dead_letters: self.dead_letters()?,
                target_rate: settings::target_rate(spec, &self.schedule),
                lanes,
                produced: conducted.produced,
                processed: conducted.processed,
                consumed: conducted.consumed,
                ends: conducted.ends,
                collected: conducted.collector.finish()?,
                observed: conducted.observed,
                observed_records: conducted.observed_records,
                cores: conducted.cores,
                backlog: conducted.backlog,
                lags: conducted.lags,
                histogram_file,
            },
        ))
    }

    /// Starts the workers and leads them through the phases.
    pub(crate) fn conduct(
        &self,
        assignment: Assignment,
        options: Options<'_>,
        ends: Ends<'_>,
    ) -> Result<Conducted, DriveError> {
        let spec = &self.cell.spec;
        let Assignment {
            share,
            window,
            marking,
            lanes,
            collector,
        } = assignment;
        let waits = settings::times_commits(spec);
        let crew = Crew {
            commits: waits.then(|| Arc::new(CommitBoard::new(lanes))),
            seed: self.run.seed,
            driver: settings::driver(spec),
            spec,
            route: Arc::clone(&self.route),
            records: &self.records,
            schedule: &self.schedule,
            window,
            share,
            marking,
            lanes,
            on_time: self.groups().saturating_sub(spec.consumer.late_groups()),
            depot: collector.depot(),
            stop: Arc::new(AtomicBool::new(false)),
            finish: Arc::default(),
        };
        let mut conductor = Conductor {
            window,
            stop: Arc::clone(&crew.stop),
            finish: Arc::clone(&crew.finish),
            watch: Watch::new(&self.target.broker_pids),
            collector,
            observed: None,
            observed_records: 0,
            measuring: false,
            cores: Vec::new(),
            backlog: BacklogWatch::new(
                window,
                (0..self.groups()).map(|group| crew.starts(group).max(window.start)),
            ),
            finished_at: window.to,
            next_pulse: window.from,
            lags: Vec::new(),
            options,
        };
        let consumers: Vec<_> = (0..self.groups())
            .map(|group| crew.consumers(group))
            .collect::<Result<_, _>>()?;
        let input = self.input.as_ref();
        let processors = input
            .map(|input| Processors::start(&crew, input))
            .transpose()?;
        let producers = crew.producers(input.unwrap_or(&self.route))?;
        let produced = conductor.produce(producers, &consumers);
        let processed = match (processors, input, &produced) {
            (Some(processors), Some(input), Ok(_)) => {
                // All is acknowledged: transactions take no other acks than all.
                let ends = Control::reach(&self.target.bootstrap).and_then(|mut control| {
                    control.end_offsets(&input.topic, spec.topic.partitions)
                });
                conductor.process(processors, ends)
            }
            (Some(processors), ..) => {
                processors.line().abandon();
                processors.join()
            }
            _ => Ok(Vec::new()),
        };
        let ends = match (&produced, &processed) {
            (Ok(produced), Ok(_)) => ends(produced).map(Some),
            _ => Ok(None),
        };
        let consumed = conductor.consume(consumers, ends.as_ref().ok().and_then(Option::as_ref));
        let (produced, processed) = (produced?, processed?);
        let (ends, consumed) = (ends?.unwrap_or_default(), consumed?);
        let observed = conductor.observed.take().unwrap_or_default();
        let cores = std::mem::take(&mut conductor.cores);
        let (backlog, lags) = (
            conductor.backlog.results(),
            std::mem::take(&mut conductor.lags),
        );
        Ok(Conducted {
            produced,
            processed,
            consumed,
            ends,
            observed,
            observed_records: conductor.observed_records,
            finished_at: conductor.finished_at,
            cores,
            backlog,
            lags,
            collector: conductor.collector,
        })
    }

    /// How many dead letters there are, where there may be some.
    fn dead_letters(&self) -> Result<Option<u64>, DriveError> {
        if !settings::has_dead_letters(&self.cell.spec) {
            return Ok(None);
        }
        let mut control = Control::reach(&self.target.bootstrap)?;
        DeadLetters::count(&mut control, &self.route.topic).map(Some)
    }

    /// How many groups read along.
    pub(crate) const fn groups(&self) -> u32 {
        let consumer = &self.cell.spec.consumer;
        if consumer.count == 0 {
            0
        } else {
            consumer.groups
        }
    }

    pub(crate) fn marking(&self) -> Marking {
        let unix_ms = jiff::Timestamp::now().as_nanosecond();
        let offset = unix_ms - i128::from(Mono::now().0);
        // The low bits of the clock tell this run's records from any other's.
        Marking {
            run: (unix_ms & 0xffff_ffff) as u32,
            place: self.records.stamp_place(),
            unix_offset_nanos: i64::try_from(offset).unwrap_or(0),
        }
    }

    pub(crate) fn collector(
        &self,
        window: &Window,
        dir: Option<&Path>,
    ) -> Result<(Option<String>, Collector), DriveError> {
        let groups = self.groups();
        let Some(dir) = dir else {
            return Ok((None, Collector::of_groups(None, groups)));
        };
        let name = format!("{}-{}.hlog", self.cell.id, self.run.repeat);
        let path: PathBuf = dir.join(&name);
        let base = SystemTime::now() + window.from.elapsed_since(Mono::now());
        let comment = format!("plimsoll cell {} repeat {}", self.cell.id, self.run.repeat);
        let log = HlogWriter::create(&path, base, &comment)?;
        Ok((Some(name), Collector::of_groups(Some(log), groups)))
    }

    /// Where each partition's log ends, once it does.
    pub(crate) fn ends(&self, produced: &[Produced]) -> Result<Vec<Offset>, DriveError> {
        let written = produced.iter().flat_map(|p| &p.written);
        self.ends_after(written.map(|w| w.sent()).sum())
    }

    /// The same, `sent` records having been handed over.
    pub(crate) fn ends_after(&self, sent: u64) -> Result<Vec<Offset>, DriveError> {
        // A fresh connection: brokers close those that idle through a long cell.
        let mut control = Control::reach(&self.target.bootstrap)?;
        let partitions = self.cell.spec.topic.partitions;
        let mut ends = control.end_offsets(&self.route.topic, partitions)?;
        if self.cell.spec.transactions.records.is_some() {
            return self.settled(&mut control, ends);
        }
        if self.cell.spec.producer.acks.wire() != 0 {
            return Ok(ends);
        }
        // Nobody told when the last record arrived: wait until the log rests.
        let mut still_since = Mono::now();
        while total(&ends) < sent && Mono::now().elapsed_since(still_since) < UNACKED_STILL {
            sleep_until(Mono::now().plus(TICK_NANOS));
            let now = control.end_offsets(&self.route.topic, partitions)?;
            if now != ends {
                still_since = Mono::now();
                ends = now;
            }
        }
        Ok(ends)
    }
}

impl Bench<'_> {
    /// Waits until no transaction is open any more: the markers of the last
    /// ones may still be on their way.
    fn settled(
        &self,
        control: &mut Control,
        mut ends: Vec<Offset>,
    ) -> Result<Vec<Offset>, DriveError> {
        let partitions = self.cell.spec.topic.partitions;
        let deadline = Mono::now().after(MARKERS);
        loop {
            let stable = control.stable_offsets(&self.route.topic, partitions)?;
            if stable == ends || Mono::now() >= deadline {
                return Ok(ends);
            }
            sleep_until(Mono::now().plus(TICK_NANOS));
            ends = control.end_offsets(&self.route.topic, partitions)?;
        }
    }
}

/// Leads a cell through its phases.
struct Conductor<'a> {
    window: Window,
    stop: Arc<AtomicBool>,
    finish: Arc<FinishLine>,
    watch: Watch,
    collector: Collector,
    observed: Option<Observed>,
    /// Records acknowledged when the watch began; when it ended, those between.
    observed_records: u64,
    measuring: bool,
    cores: Vec<outcome::CoresInSecond>,
    backlog: BacklogWatch,
    next_pulse: Mono,
    /// The furthest that a group was behind, by second.
    lags: Vec<u64>,
    /// When the last consumer was done.
    finished_at: Mono,
    options: Options<'a>,
}

impl Conductor<'_> {
    /// Waits for the producers. Whatever happens, all have ended afterwards.
    fn produce(
        &mut self,
        producers: Running<Produced>,
        consumers: &[Running<Consumed>],
    ) -> Result<Vec<Produced>, DriveError> {
        let mut failure = None;
        while !producers.is_finished() && failure.is_none() {
            failure = self.tick().err();
            let early = producers.any_finished() && Mono::now() < self.window.to;
            if early || consumers.iter().any(Running::any_finished) {
                break;
            }
        }
        let failed = failure.is_some() || !producers.is_finished();
        if failed {
            self.stop.store(true, Ordering::Relaxed);
            self.finish.abandon();
        }
        let joined = producers.join();
        if let Some(failure) = failure {
            return Err(failure);
        }
        let sent = joined.as_ref().is_ok_and(|joined| !joined.is_empty());
        if self.observed.is_none() && !failed && sent {
            self.end_window();
        }
        joined
    }

    /// Lets processors read up to the ends of their input, and waits for them.
    fn process(
        &mut self,
        processors: Processors,
        ends: Result<Vec<Offset>, DriveError>,
    ) -> Result<Vec<Produced>, DriveError> {
        let mut failure = None;
        match ends {
            Ok(ends) => processors.line().draw(ends),
            Err(error) => failure = Some(error),
        }
        let give_up = self.window.give_up.max(Mono::now().after(CATCH_UP_MIN));
        while !processors.is_finished() {
            if failure.is_some() || Mono::now() >= give_up {
                processors.line().abandon();
                self.stop.store(true, Ordering::Relaxed);
            }
            failure = failure.or(self.tick().err());
        }
        let joined = processors.join();
        failure.map_or(joined, Err)
    }

    /// Draws the finish line and waits for the consumers to reach it.
    fn consume(
        &mut self,
        groups: Vec<Running<Consumed>>,
        ends: Option<&Vec<Offset>>,
    ) -> Result<Vec<Vec<Consumed>>, DriveError> {
        match ends {
            Some(ends) => self.finish.draw(ends.clone()),
            None => self.finish.abandon(),
        }
        let give_up = self.window.give_up.max(Mono::now().after(CATCH_UP_MIN));
        let mut failure = None;
        while !groups.iter().all(Running::is_finished) {
            if Mono::now() >= give_up || failure.is_some() {
                self.finish.abandon();
            }
            failure = failure.or(self.tick().err());
        }
        self.finished_at = Mono::now();
        if self.observed.is_none() && failure.is_none() {
            self.end_window();
        }
        let joined = groups.into_iter().map(Running::join).collect();
        failure.map_or(joined, Err)
    }

    /// One look round: counts, CPU, progress, interruptions.
    fn tick(&mut self) -> Result<(), DriveError> {
        let now = Mono::now();
        let next = [self.window.from, self.window.to]
            .into_iter()
            .find(|at| *at > now);
        let tick = now.plus(TICK_NANOS);
        sleep_until(next.map_or(tick, |at| at.min(tick)));
        let now = Mono::now();
        if now >= self.window.from && !self.measuring {
            self.measuring = true;
            self.watch.begin();
            self.observed_records = self.collector.depot().acknowledged();
        }
        self.collector.collect(self.window.second(now))?;
        self.sample_backlog(now);
        if self.measuring && self.observed.is_none() {
            self.watch.sample();
            self.sample_cores(now);
            if now >= self.window.to {
                self.end_window();
            }
        }
        let phase = match now {
            now if now < self.window.from => Phase::WarmUp,
            now if now < self.window.to => Phase::Measure,
            _ => Phase::Drain,
        };
        let pulse = self.pulse(now);
        (self.options.progress)(&Progress {
            pulse,
            phase,
            elapsed: now.elapsed_since(self.window.start),
            of: self.window.to.elapsed_since(self.window.start),
            acknowledged: self.collector.depot().acknowledged(),
        });
        match (self.options.interrupt)() {
            None => Ok(()),
            Some(Interrupt::Stopped) => Err(DriveError::Interrupted),
            Some(Interrupt::BrokerDied(how)) => Err(DriveError::BrokerDied(how)),
        }
    }

    /// What to show, when it is time to show something new.
    fn pulse(&mut self, now: Mono) -> Option<Pulse> {
        if !self.measuring || now < self.next_pulse {
            return None;
        }
        self.next_pulse = now.plus(PULSE_NANOS);
        let (second, errors) = self.collector.newest()?;
        Some(Pulse {
            second,
            errors,
            lag: self.lags.last().copied().unwrap_or_default(),
            cores: self.cores.last().map(|at| at.cores),
        })
    }

    fn sample_backlog(&mut self, now: Mono) {
        let behind = self.backlog.sample(now, &self.collector.depot());
        if !self.measuring || now > self.window.to {
            return;
        }
        let second = self.window.second(now) as usize;
        self.lags.resize(second + 1, behind);
        if let Some(last) = self.lags.get_mut(second) {
            *last = behind;
        }
    }

    fn sample_cores(&mut self, now: Mono) {
        let second = self.window.second(now);
        let done = self.cores.last().map_or(0, |last| last.second + 1);
        if second > done {
            let seconds = f64::from(second - done);
            self.cores.push(outcome::CoresInSecond {
                second: second - 1,
                cores: self.watch.cores(seconds),
            });
        }
    }

    fn end_window(&mut self) {
        let acknowledged = self.collector.depot().acknowledged();
        self.observed_records = acknowledged.saturating_sub(self.observed_records);
        self.observed = Some(self.watch.end());
    }
}

fn total(ends: &[Offset]) -> u64 {
    ends.iter().map(|end| end.get().unsigned_abs()).sum()
}

fn own<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> std::collections::BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
