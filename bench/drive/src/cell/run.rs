//! One cell from a fresh topic to its result.
//!
//! Order matters: consumers are reading before the first record is sent; the
//! window is fixed before any worker starts; the log's end is asked for only
//! when producers are done, and consumers read up to it.

use super::conduct::Assignment;
use super::faults::Rig;
use super::outcome::{self, Measured};
use super::prefill::{self, Prefill};
use super::progress::Options;
use super::settings;
use super::several;
use super::stage::on_fresh_topics;
use super::workers::Share;
use crate::access::Bootstrap;
use crate::clock::Mono;
use crate::dead_letters::DeadLetters;
use crate::driver::{Marking, Produced, Route};
use crate::error::DriveError;
use crate::native::control::{ClusterInfo, Control};
use crate::observe::DiskWatch;
use crate::record::{Collector, Window};
use crate::shared_group::GroupEvents;
use crate::verify::Lanes;
use plimsoll_results::{CellResult, HlogWriter};
use plimsoll_workloads::generate::{InputError, Records, Schedule};
use plimsoll_workloads::language::RateSpec;
use plimsoll_workloads::{Cell, CellSpec, Run};
use std::path::Path;
use std::sync::Arc;
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
    on_fresh_topics(target, cell, run, |benches| match benches {
        [bench] => bench.measure(options),
        several => several::measure(cell, run, several, options),
    })
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
pub(crate) struct Finished {
    pub(crate) result: CellResult,
    /// Bytes acknowledged while the processes were watched.
    pub(crate) observed_bytes: u64,
    /// How partitions moved in groups, where the cluster may move them.
    pub(crate) moves: Option<GroupEvents>,
}

/// Where the results of a bench go while it measures.
pub(super) struct Sink {
    pub(super) histogram_file: Option<String>,
    pub(super) collector: Collector,
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
            shared: self.shared_groups(window, lanes),
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
pub(crate) fn histogram_log(
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
