//! One cell from a fresh topic to its result.
//!
//! Order matters: consumers are reading before the first record is sent; the
//! window is fixed before any worker starts; the log's end is asked for only
//! when producers are done, and consumers read up to it.

use super::conductor::Conductor;
use super::outcome::{self, Measured};
use super::prefill::{self, Prefill};
use super::processors::{self, Processors};
use super::progress::Options;
use super::settings;
use super::workers::{Crew, Share};
use crate::access::Bootstrap;
use crate::clock::{Mono, sleep_until, wall_ms};
use crate::dead_letters::{self, DeadLetters};
use crate::driver::{Consumed, Marking, Produced, Route};
use crate::error::DriveError;
use crate::native::control::{ClusterInfo, Control, NewTopic};
use crate::observe::{Observed, Watch};
use crate::record::{BacklogWatch, Collector, CommitBoard, Window};
use crate::verify::Lanes;
use plimsoll_results::{Backlog, CellResult, HlogWriter};
use plimsoll_wire::types::Offset;
use plimsoll_workloads::generate::{InputError, Records, Schedule};
use plimsoll_workloads::language::RateSpec;
use plimsoll_workloads::{Cell, Run};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

/// How often the coordinator looks round.
pub(super) const TICK_NANOS: u64 = 50_000_000;
/// Time for the first workers to connect before the schedule begins.
const START_NANOS: u64 = 250_000_000;
/// Time for each further worker.
const START_NANOS_EACH: u64 = 2_000_000;
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
