//! One cell from a fresh topic to its result.
//!
//! Order matters: consumers are reading before the first record is sent; the
//! window is fixed before any worker starts; the log's end is asked for only
//! when producers are done, and consumers read up to it.

use super::conductor::Conductor;
use super::faults::{Rig, Script};
use super::outcome::{self, Measured};
use super::prefill::{self, Prefill};
use super::processors::Processors;
use super::progress::Options;
use super::settings;
use super::stage::on_a_fresh_topic;
use super::workers::{Crew, Share};
use crate::access::Bootstrap;
use crate::clock::Mono;
use crate::dead_letters::DeadLetters;
use crate::driver::{Consumed, Marking, Produced, Route};
use crate::error::DriveError;
use crate::native::control::{ClusterInfo, Control};
use crate::observe::{DiskWatch, Observed, Watch};
use crate::record::{BacklogWatch, Collector, CommitBoard, Window};
use crate::shared_group::{GroupEvents, SharedGroup};
use crate::verify::Lanes;
use plimsoll_results::{Backlog, CellResult, Fault, HlogWriter};
use plimsoll_wire::types::Offset;
use plimsoll_workloads::generate::{InputError, Records, Schedule};
use plimsoll_workloads::language::RateSpec;
use plimsoll_workloads::{Cell, CellSpec, Run};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

/// How often the coordinator looks round.
pub(super) const TICK_NANOS: u64 = 50_000_000;
/// Time for the first workers to connect before the schedule begins.
const START_NANOS: u64 = 250_000_000;
/// Time for each further worker.
const START_NANOS_EACH: u64 = 2_000_000;

/// The cluster that carries the load.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// How it is reached.
    pub bootstrap: Bootstrap,
    /// The brokers' processes, when they run on this machine and are known.
    pub broker_pids: Vec<u32>,
    /// How faults are caused in them, where they can be.
    pub rig: Option<Arc<dyn Rig>>,
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
    for spec in cell.spec.each() {
        settings::check(spec)?;
    }
    if !cell.spec.faults.is_empty() && target.rig.is_none() {
        return Err(DriveError::Setting {
            field: "faults",
            value: format!("{} of them", cell.spec.faults.len()),
            accepted: "none on a cluster that is there; the embedded one takes them".to_owned(),
        });
    }
    if !cell.spec.workloads.is_empty() {
        return super::several::run(target, cell, run, options);
    }
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
    /// Its name among several workloads of the cell.
    pub(crate) name: Option<&'a str>,
    /// Whether it causes the cell's faults: of several workloads one does.
    pub(super) causes_faults: bool,
}

/// What is there before the load.
pub(super) struct Filled {
    produced: Vec<Produced>,
    marking: Marking,
}

/// What a bench brought to light, with what its result does not say.
pub(super) struct Finished {
    pub(super) result: CellResult,
    /// Bytes acknowledged while the processes were watched.
    pub(super) observed_bytes: u64,
    /// How partitions moved in groups, where the cluster may move them.
    pub(super) moves: Option<GroupEvents>,
}

/// Where the results of a bench go while it measures.
pub(super) struct Sink {
    pub(super) histogram_file: Option<String>,
    pub(super) collector: Collector,
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
    /// How partitions moved in groups, where the cluster may move them.
    pub(crate) moves: Option<GroupEvents>,
    /// The faults that were caused.
    pub(crate) faults: Vec<Fault>,
    pub(crate) collector: Collector,
}

/// What the workers of a cell did.
struct Worked {
    produced: Vec<Produced>,
    processed: Vec<Produced>,
    consumed: Vec<Vec<Consumed>>,
    ends: Vec<Offset>,
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
            name: None,
            causes_faults: true,
        })
    }
}

impl Bench<'_> {
    fn measure(&self, mut options: Options<'_>) -> Result<CellResult, DriveError> {
        let filled = self.fill(&mut options)?;
        let window = window_of(&self.cell.spec, self.workers());
        let (histogram_file, collector) = self.collector(&window, options.dir)?;
        let sink = Sink {
            histogram_file,
            collector,
        };
        Ok(self.measure_within(window, filled, sink, options)?.result)
    }

    /// Writes what is there before the load.
    pub(super) fn fill(&self, options: &mut Options<'_>) -> Result<Filled, DriveError> {
        let marking = self.marking();
        let prefill = Prefill {
            spec: &self.cell.spec,
            route: self.input.as_ref().unwrap_or(&self.route),
            records: &self.records,
            marking,
            seed: self.run.seed,
        };
        let produced = prefill.write(options)?;
        Ok(Filled { produced, marking })
    }

    /// Threads that carry the load.
    pub(super) const fn workers(&self) -> u64 {
        let spec = &self.cell.spec;
        spec.producer.count as u64 + spec.consumer.count as u64 * spec.consumer.groups as u64
    }

    /// Carries the load through `window`.
    pub(super) fn measure_within(
        &self,
        window: Window,
        filled: Filled,
        sink: Sink,
        options: Options<'_>,
    ) -> Result<Finished, DriveError> {
        let spec = &self.cell.spec;
        let lanes = Lanes {
            producers: spec.producer.count + prefill::producers(spec),
            partitions: spec.topic.partitions,
        };
        let collector = sink.collector;
        collector
            .depot()
            .prefilled(filled.produced.iter().map(|p| p.records).sum());
        let started_at = jiff::Timestamp::now() + window.from.elapsed_since(Mono::now());
        let assignment = Assignment {
            share: Share::default(),
            window,
            marking: filled.marking,
            lanes,
            collector,
        };
        let disk = DiskWatch::start(&self.route, window);
        let mut conducted =
            self.conduct(assignment, options, &mut |produced| self.ends(produced))?;
        let disk = disk.end();
        let reads_only = conducted.produced.is_empty();
        conducted.produced.extend(filled.produced);
        let measured_until = match reads_only {
            true => conducted.finished_at.min(window.to),
            false => window.to,
        };
        let measured = Measured {
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
            faults: conducted.faults,
            disk,
            moves: conducted.moves,
            histogram_file: sink.histogram_file,
        };
        let observed_bytes = outcome::observed_bytes(&measured);
        let moves = measured.moves.clone();
        Ok(Finished {
            result: outcome::judge(self.cell, self.run, measured),
            observed_bytes,
            moves,
        })
    }

    /// Starts the workers and leads them through the phases.
    pub(crate) fn conduct(
        &self,
        assignment: Assignment,
        options: Options<'_>,
        ends: Ends<'_>,
    ) -> Result<Conducted, DriveError> {
        let (window, collector) = (assignment.window, assignment.collector);
        let crew = Crew {
            shared: self.shared_groups(window, assignment.lanes),
            commits: settings::times_commits(&self.cell.spec)
                .then(|| Arc::new(CommitBoard::new(assignment.lanes))),
            seed: self.run.seed,
            driver: settings::driver(&self.cell.spec),
            spec: &self.cell.spec,
            route: Arc::clone(&self.route),
            records: &self.records,
            schedule: &self.schedule,
            window,
            share: assignment.share,
            marking: assignment.marking,
            lanes: assignment.lanes,
            on_time: self
                .groups()
                .saturating_sub(self.cell.spec.consumer.late_groups()),
            depot: collector.depot(),
            stop: Arc::new(AtomicBool::new(false)),
            finish: Arc::default(),
        };
        let mut conductor = self.conductor(&crew, collector, options);
        let worked = self.lead(&crew, &mut conductor, ends)?;
        Ok(Conducted {
            produced: worked.produced,
            processed: worked.processed,
            consumed: worked.consumed,
            ends: worked.ends,
            observed: conductor.observed.unwrap_or_default(),
            observed_records: conductor.observed_records,
            finished_at: conductor.finished_at,
            cores: conductor.cores,
            backlog: conductor.backlog.results(),
            lags: conductor.lags,
            faults: conductor.script.caused(),
            collector: conductor.collector,
            moves: GroupEvents::of_all(&crew.shared),
        })
    }

    /// Who leads this crew, before anything has been seen.
    fn conductor<'o>(
        &self,
        crew: &Crew<'_>,
        collector: Collector,
        options: Options<'o>,
    ) -> Conductor<'o> {
        let window = crew.window;
        let starts = (0..self.groups()).map(|group| crew.starts(group).max(window.start));
        let rig = self.target.rig.clone().filter(|_| self.causes_faults);
        Conductor {
            window,
            stop: Arc::clone(&crew.stop),
            finish: Arc::clone(&crew.finish),
            watch: Watch::new(&self.target.broker_pids),
            collector,
            observed: None,
            observed_records: 0,
            measuring: false,
            cores: Vec::new(),
            backlog: BacklogWatch::new(window, starts),
            finished_at: window.to,
            next_pulse: window.from,
            script: Script::new(&self.cell.spec, rig, &window),
            lags: Vec::new(),
            options,
        }
    }

    /// Consumers first, then processors, then producers; they end the other way
    /// round, each up to where the one before it wrote.
    fn lead(
        &self,
        crew: &Crew<'_>,
        conductor: &mut Conductor<'_>,
        ends: Ends<'_>,
    ) -> Result<Worked, DriveError> {
        let consumers: Vec<_> = (0..self.groups())
            .map(|group| crew.consumers(group))
            .collect::<Result<_, _>>()?;
        let input = self.input.as_ref();
        let processors = input
            .map(|input| Processors::start(crew, input))
            .transpose()?;
        let producers = crew.producers(input.unwrap_or(&self.route))?;
        let produced = conductor.produce(producers, &consumers);
        let processed = match (processors, input, &produced) {
            (Some(processors), Some(input), Ok(_)) => {
                // All is acknowledged: transactions take no other acks than all.
                let ends = Control::reach(&self.target.bootstrap).and_then(|mut control| {
                    control.end_offsets(&input.topic, self.cell.spec.topic.partitions)
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
        let (ends, mut consumed) = (ends?.unwrap_or_default(), consumed?);
        for (group, shared) in consumed.iter_mut().zip(&crew.shared) {
            group.push(shared.consumed(&crew.finish));
        }
        Ok(Worked {
            produced,
            processed,
            consumed,
            ends,
        })
    }

    /// The groups whose partitions the cluster shares out.
    fn shared_groups(&self, window: Window, lanes: Lanes) -> Vec<Arc<SharedGroup>> {
        let Some(settings) = settings::group(&self.cell.spec) else {
            return Vec::new();
        };
        let names = (0..self.groups()).map(|group| group_name(&self.route.topic, group));
        names
            .map(|name| Arc::new(SharedGroup::new(name, settings, window, lanes)))
            .collect()
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
        let (name, log) = histogram_log(self.cell, self.run, self.name, window, dir)?;
        Ok((Some(name), Collector::of_groups(Some(log), groups)))
    }
}

/// The id of a cell's group, after its topic.
pub(super) fn group_name(topic: &str, group: u32) -> String {
    format!("{topic}-group-{group}")
}

/// The histogram log of a cell, or of one of its workloads, with its name.
pub(super) fn histogram_log(
    cell: &Cell,
    run: &Run,
    workload: Option<&str>,
    window: &Window,
    dir: &Path,
) -> Result<(String, HlogWriter), DriveError> {
    let suffix = workload.map_or_else(String::new, |name| format!("-{name}"));
    let name = format!("{}-{}{suffix}.hlog", cell.id, run.repeat);
    let base = SystemTime::now() + window.from.elapsed_since(Mono::now());
    let comment = format!("plimsoll cell {} repeat {}{suffix}", cell.id, run.repeat);
    let log = HlogWriter::create(&dir.join(&name), base, &comment)?;
    Ok((name, log))
}

/// The phases of a cell that begins as soon as its workers can have started.
pub(super) fn window_of(spec: &CellSpec, workers: u64) -> Window {
    let start = Mono::now().plus(START_NANOS + START_NANOS_EACH * workers);
    let load = &spec.load;
    Window::new(
        start,
        load.warmup.duration(),
        load.duration.duration(),
        load.drain.duration(),
    )
}
