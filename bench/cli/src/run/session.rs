//! The run itself: cell after cell, each kept on disk before the next begins.

use super::incidents;
use super::place::Place;
use super::progress::Display;
use super::table;
use super::target::TargetChoice;
use crate::doctor::floors;
use crate::failure::Failure;
use crate::interrupt::Stop;
use crate::null_sink::capacity::{Capacities, is_in_question};
use anyhow::Context as _;
use plimsoll_drive::DriveError;
use plimsoll_drive::audit::audit_capacity;
use plimsoll_drive::cell::{
    self, ClusterInfo, Interrupt, Options, Progress, describe_client, run_cell,
};
use plimsoll_drive::team::Lead;
use plimsoll_results::{self as results, CellResult, Fingerprint, RunResult, Target, TargetKind};
use plimsoll_workloads::{Cell, CellSpec, Plan, Run};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long each of the machine's floors is measured before a run.
const FLOOR_SPAN: Duration = Duration::from_millis(100);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every cell was run.
    Clean,
    /// The user stopped it.
    Stopped,
    /// So many cells lost or damaged records.
    Faulty(usize),
}

/// A run that is going on.
pub struct Session<'a> {
    plan: &'a Plan,
    target: TargetChoice,
    place: Place,
    stop: Stop,
    capacities: Capacities,
    /// Who leads the workers on other machines, when there are any.
    lead: Option<Lead>,
    display: Display,
    result: RunResult,
    quiet: bool,
}

impl<'a> Session<'a> {
    /// A run of which only what `place` holds is done.
    pub fn new(
        plan: &'a Plan,
        target: TargetChoice,
        cluster: ClusterInfo,
        place: Place,
        stop: Stop,
        quiet: bool,
    ) -> Self {
        let before = results::load(&place.dir).ok().map(|loaded| loaded.run);
        let now = || jiff::Timestamp::now().to_string();
        let (started_at, floors) = before.map_or_else(
            || (now(), Vec::new()),
            |before| (before.started_at, before.floors),
        );
        let result = RunResult {
            floors,
            ..head(plan, &target, cluster, started_at)
        };
        let display = Display::new(plan, &stop, quiet);
        Self {
            plan,
            target,
            place,
            stop,
            capacities: Capacities::open(&result.fingerprint.hash),
            lead: None,
            display,
            result,
            quiet,
        }
    }

    /// The same, its target being called `name` in the results where it has one.
    #[must_use]
    pub fn calling_it(mut self, name: Option<String>) -> Self {
        if let Some(name) = name {
            self.result.target.software = name;
        }
        self
    }

    /// The same, its load carried by the workers of `lead`.
    #[must_use]
    pub fn led(mut self, lead: Option<Lead>) -> Self {
        self.lead = lead;
        self
    }

    /// Runs the cells that are not done, and lets workers go.
    pub fn run(&mut self) -> Result<Ending, Failure> {
        let ending = self.run_cells();
        if let Some(lead) = self.lead.take() {
            let released = lead.end().map_err(Failure::runtime);
            return ending.and_then(|ending| released.map(|()| ending));
        }
        ending
    }

    fn run_cells(&mut self) -> Result<Ending, Failure> {
        let plan = self.plan;
        self.measure_floors();
        for (run, cell) in plan.iter() {
            if self.stop.is_asked() {
                return Ok(Ending::Stopped);
            }
            self.display.begin(plan, cell);
            if self.place.has(cell.id.as_str(), run) {
                self.display.skip();
                continue;
            }
            match self.cell(cell, run) {
                Ok(mut result) => {
                    self.audit_client(cell, run, &mut result);
                    self.display.end(&result);
                    self.place.keep(result)?;
                    self.save()?;
                }
                Err(error) if is_interruption(&error) => return Ok(Ending::Stopped),
                Err(error) => {
                    let label = plan.label(cell);
                    return Err(Failure::runtime(error.context(format!("cell {label}"))));
                }
            }
        }
        let faulty = self
            .place
            .done
            .iter()
            .filter(|cell| cell.verified.is_faulty())
            .count();
        Ok(if faulty > 0 {
            Ending::Faulty(faulty)
        } else {
            Ending::Clean
        })
    }

    /// Learns what the machine does at best, where the brokers are on it. Not to
    /// know it is no reason not to run.
    fn measure_floors(&mut self) {
        if self.result.target.kind != TargetKind::Embedded || !self.result.floors.is_empty() {
            return;
        }
        match floors::measure_io(&env::temp_dir(), FLOOR_SPAN) {
            Ok(floors) => self.result.floors = floors,
            Err(error) => tracing::warn!("what the machine does at best is not known: {error}"),
        }
    }

    /// Judges a cell by what its client can send at all, where that matters.
    /// Not to know it is no reason to lose the cell.
    fn audit_client(&mut self, cell: &Cell, run: &Run, result: &mut CellResult) {
        // What this machine can send says nothing about others, and what one
        // workload could send alone nothing about several.
        let several = !cell.spec.workloads.is_empty();
        if several || self.lead.is_some() || !is_in_question(result) || self.stop.is_asked() {
            return;
        }
        match self.capacities.of(cell, run) {
            Ok(capacity) => result.client_capacity = Some(capacity),
            Err(error) => tracing::warn!("what the client can send at all is not known: {error:#}"),
        }
        audit_capacity(result);
    }

    fn cell(&mut self, cell: &Cell, run: &Run) -> anyhow::Result<CellResult> {
        let display = &mut self.display;
        let dir = Some(self.place.dir.as_path());
        let mut progress = |progress: &Progress| display.step(progress);
        let Some(lead) = &mut self.lead else {
            return run_once(&self.target, cell, run, &self.stop, dir, &mut progress);
        };
        on_a_cluster(&self.target, &cell.spec, &self.stop, |target, interrupt| {
            let options = Options {
                dir,
                progress: &mut progress,
                interrupt,
            };
            lead.run_cell(target, cell, run, options)
        })
    }

    fn save(&mut self) -> anyhow::Result<()> {
        self.result.cells.clone_from(&self.place.done);
        self.result
            .findings
            .retain(|finding| finding.code != "drift");
        self.result
            .findings
            .extend(results::drift(&self.result.cells));
        self.result.finished_at = jiff::Timestamp::now().to_string();
        results::save(&self.result, &self.place.dir)?;
        Ok(())
    }

    /// Writes charts and report, and prints the table.
    pub fn close(&mut self) -> anyhow::Result<()> {
        self.display.finish();
        self.save()?;
        if self.result.cells.is_empty() {
            return Ok(());
        }
        let laid_out = self.result.by_workload();
        plimsoll_plots::charts(&laid_out, &self.place.dir.join("charts"))?;
        let report: PathBuf = self.place.dir.join("report.html");
        let page = plimsoll_plots::report(std::slice::from_ref(&*laid_out))?;
        fs::write(&report, page).with_context(|| format!("cannot write {}", report.display()))?;
        let mut text = table::render(&laid_out);
        for found in table::maxima(&self.result) {
            text.push_str(&format!("maximum: {found}\n"));
        }
        for incident in incidents::describe(&self.result) {
            text.push_str(&format!("fault: {incident}\n"));
        }
        for finding in &self.result.findings {
            text.push_str(&format!("warning: {}\n", finding.message));
        }
        for reason in table::invalid_reasons(&self.result) {
            text.push_str(&format!("invalid: {reason}\n"));
        }
        super::say(&text)?;
        if !self.quiet {
            eprintln!("report: {}", report.display());
        }
        Ok(())
    }
}

/// Runs one cell once, on a cluster of its own where the target is embedded.
/// `dir` is where its histogram log goes, if anywhere.
pub fn run_once(
    target: &TargetChoice,
    cell: &Cell,
    run: &Run,
    stop: &Stop,
    dir: Option<&Path>,
    progress: &mut dyn FnMut(&Progress),
) -> anyhow::Result<CellResult> {
    on_a_cluster(target, &cell.spec, stop, |target, interrupt| {
        let options = Options {
            dir,
            progress,
            interrupt,
        };
        run_cell(target, cell, run, options)
    })
}

/// Starts what a cell is to be run on, lets `carry` measure there, and ends it.
fn on_a_cluster(
    target: &TargetChoice,
    spec: &CellSpec,
    stop: &Stop,
    carry: impl FnOnce(&cell::Target, &dyn Fn() -> Option<Interrupt>) -> Result<CellResult, DriveError>,
) -> anyhow::Result<CellResult> {
    let cluster = target.start(spec)?;
    let interrupt = || match stop.is_asked() {
        true => Some(Interrupt::Stopped),
        false => cluster.death().map(Interrupt::BrokerDied),
    };
    let result = carry(&cluster.target, &interrupt);
    // A broker that died is the reason for whatever the driver met.
    let died = cluster
        .death()
        .filter(|_| result.is_err() && !stop.is_asked());
    cluster.stop()?;
    match died {
        Some(how) => Err(DriveError::BrokerDied(how).into()),
        None => Ok(result?),
    }
}

/// Whether an error only says that the user stopped the run.
pub fn is_interruption(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(DriveError::Interrupted))
}

/// The result without its cells.
pub fn head(
    plan: &Plan,
    target: &TargetChoice,
    cluster: ClusterInfo,
    started_at: String,
) -> RunResult {
    let specs = plan.cells.iter().flat_map(|cell| cell.spec.each());
    let clients = specs.map(describe_client);
    let mut clients: Vec<String> = clients.collect();
    clients.sort();
    clients.dedup();
    let software = match target.kind() {
        TargetKind::Embedded => format!("plimsoll {}", env!("CARGO_PKG_VERSION")),
        TargetKind::External => String::new(),
    };
    RunResult {
        name: plan.name.clone(),
        description: plan.question.clone(),
        command: env::args().collect(),
        plan_hash: plan.hash.clone(),
        seed: plan.seed,
        started_at,
        target: Target {
            kind: target.kind(),
            addresses: target.addresses(),
            software,
            nodes: cluster.nodes,
            cluster_id: cluster.cluster_id,
            security: target.security(),
            client: clients.join(", "),
        },
        fingerprint: Fingerprint::read(&env::temp_dir()),
        varied: plan.axes.iter().map(|axis| axis.path.clone()).collect(),
        planned_cells: u32::try_from(plan.runs.len()).unwrap_or(u32::MAX),
        ..RunResult::default()
    }
}
