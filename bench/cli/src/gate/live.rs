//! A and B, run in pairs.
//!
//! Within a pair the two sides run one after the other in random order, each on
//! a fresh broker: what a process happens to be given at its start, such as the
//! layout of its memory, is then chance like everything else, and not a
//! difference between A and B. A pair in which either run is invalid does not
//! count; it is run again.

use super::build::binary_of;
use super::metrics::{Gauge, gauges};
use super::side::{Side, Source};
use super::{Args, write};
use crate::failure::Failure;
use crate::interrupt::Stop;
use crate::run::session::{head, is_interruption, run_once};
use crate::run::target::TargetChoice;
use anyhow::{Context as _, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use plimsoll_gate::order::Order;
use plimsoll_gate::report::SCHEMA_VERSION;
use plimsoll_gate::{Discarded, Ended, GateReport, Method, Outcome, Series, Session};
use plimsoll_results::{CellResult, RunResult};
use plimsoll_workloads::{Plan, Run, Spec};
use std::env;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Cells that a gate's workload may have.
const CELLS_MAX: usize = 16;
/// Pairs between two lines of progress where there is no terminal.
const LINE_EVERY: usize = 10;

/// One side, ready to run.
struct Contender {
    shown: String,
    plan: Plan,
    target: TargetChoice,
    result: RunResult,
}

impl Contender {
    fn prepare(
        workload: &str,
        sets: &[String],
        side: &Side,
        args: &Args,
    ) -> Result<(Self, Spec), Failure> {
        let sets: Vec<String> = sets.iter().chain(&side.sets).cloned().collect();
        let spec = Spec::find(workload, &sets).map_err(Failure::usage)?;
        let plan = spec.plan().map_err(Failure::usage)?;
        let target = match &side.source {
            Source::This => TargetChoice::Embedded,
            Source::Binary(path) => TargetChoice::Program(path.clone()),
            Source::Revision(commit) => TargetChoice::Program(binary_of(commit, args.quiet)?),
            Source::Cluster(addresses) => {
                TargetChoice::parse(addresses, args.target_config.as_deref())?
            }
        };
        let cluster = target.reach()?;
        let shown = side.to_string();
        let mut result = head(&plan, &target, cluster, jiff::Timestamp::now().to_string());
        result.name = format!("{}: {shown}", plan.name);
        Ok((
            Self {
                shown,
                plan,
                target,
                result,
            },
            spec,
        ))
    }
}

/// Runs pairs until the gate can decide, its time is up, or the user stops it.
pub fn judge(
    workload: &str,
    sets: &[String],
    [a, b]: [Side; 2],
    stop: &Stop,
    args: &Args,
) -> Result<GateReport, Failure> {
    let (a, spec) = Contender::prepare(workload, sets, &a, args)?;
    let (b, _) = Contender::prepare(workload, sets, &b, args)?;
    let mut duel = Duel::new(spec, [a, b], stop, args.quiet)?;
    let ended = duel.run()?;
    let report = duel.report(ended);
    let dir = write::directory(args.out.as_deref(), &duel.contenders[0].plan.name);
    for (contender, name) in duel.contenders.iter_mut().zip(["a", "b"]) {
        contender.result.finished_at = jiff::Timestamp::now().to_string();
        plimsoll_results::save(&contender.result, &dir.join(name)).map_err(Failure::runtime)?;
    }
    write::keep(&report, &dir, args.quiet)?;
    Ok(report)
}

/// Two sides and what was measured of them so far.
struct Duel<'s> {
    spec: Spec,
    contenders: [Contender; 2],
    gauges: Vec<Gauge>,
    session: Session,
    discarded: Vec<Discarded>,
    damage: Vec<String>,
    stop: &'s Stop,
    display: Display,
    started: (Instant, String),
}

/// What one pair brought.
enum Pair {
    Counts(Vec<(f64, f64)>),
    Discarded(Discarded),
    Damaged(String),
    Stopped,
}

impl<'s> Duel<'s> {
    fn new(
        spec: Spec,
        contenders: [Contender; 2],
        stop: &'s Stop,
        quiet: bool,
    ) -> anyhow::Result<Self> {
        let [a, b] = &contenders;
        let cells = a.plan.cells.len();
        if cells != b.plan.cells.len() {
            bail!(
                "A has {cells} cells and B has {}: a setting of one side is one value, not a sweep",
                b.plan.cells.len()
            );
        }
        if cells > CELLS_MAX {
            bail!(
                "{} has {cells} cells; a gate takes at most {CELLS_MAX}: set fewer values, such \
                 as --set {}=…",
                a.plan.name,
                a.plan
                    .axes
                    .first()
                    .map_or("topic.partitions", |axis| axis.path.as_str())
            );
        }
        let labels: Vec<String> = a.plan.cells.iter().map(|cell| a.plan.label(cell)).collect();
        let gauges = gauges(&spec.gate, &labels);
        let rules = gauges.iter().map(|gauge| gauge.rule.clone()).collect();
        let session = Session::new(rules, spec.gate.alpha.get(), spec.gate.pairs as usize)?;
        Ok(Self {
            display: Display::new(spec.gate.pairs, quiet),
            started: (Instant::now(), jiff::Timestamp::now().to_string()),
            spec,
            contenders,
            gauges,
            session,
            discarded: Vec::new(),
            damage: Vec::new(),
            stop,
        })
    }

    fn run(&mut self) -> Result<Ended, Failure> {
        let mut order = Order::seeded(self.spec.run.seed);
        let planned = self.spec.gate.pairs as usize;
        let ended = loop {
            if self.is_out_of_time() {
                break Ended::TimeBudget;
            }
            match self.pair(&mut order)? {
                Pair::Stopped => break Ended::Stopped,
                Pair::Damaged(how) => {
                    self.damage.push(how);
                    break Ended::Damage;
                }
                Pair::Discarded(why) => {
                    self.discarded.push(why);
                    if self.discarded.len() >= planned {
                        break Ended::Unmeasurable;
                    }
                    continue;
                }
                Pair::Counts(values) => self.session.add(&values).map_err(Failure::runtime)?,
            }
            self.display.pair(&self.session, planned);
            if self.session.done().is_some() {
                break match self.session.pairs() < planned {
                    true => Ended::ClearFailure,
                    false => Ended::Complete,
                };
            }
        };
        self.display.finish();
        Ok(ended)
    }

    /// Whether another pair of the usual length would take too long.
    fn is_out_of_time(&self) -> bool {
        let Some(budget) = self.spec.gate.time_budget else {
            return false;
        };
        let run = u32::try_from(self.session.pairs() + self.discarded.len()).unwrap_or(u32::MAX);
        let spent = self.started.0.elapsed();
        run > 0 && spent + spent / run > budget.duration()
    }

    /// Every cell once on each side.
    fn pair(&mut self, order: &mut Order) -> Result<Pair, Failure> {
        let mut values = Vec::with_capacity(self.gauges.len());
        let mut why: Option<Discarded> = None;
        let repeat = u32::try_from(self.session.pairs() + self.discarded.len()).unwrap_or(u32::MAX);
        for cell in 0..self.contenders[0].plan.cells.len() {
            let run = Run {
                cell,
                repeat,
                seed: order.records_seed(),
            };
            let sides = if order.a_first() { [0, 1] } else { [1, 0] };
            let mut results: [Option<CellResult>; 2] = [None, None];
            for side in sides {
                match self.side(side, &run)? {
                    Some(result) => results[side] = Some(result),
                    None => return Ok(Pair::Stopped),
                }
            }
            let [Some(a), Some(b)] = results else {
                return Ok(Pair::Stopped);
            };
            if let Some(damage) = damaged(&a, &b)? {
                return Ok(Pair::Damaged(damage));
            }
            why = why.or_else(|| invalid(&a, &b));
            if why.is_none() {
                for gauge in self.gauges.iter().filter(|gauge| gauge.cell == cell) {
                    match gauge.read(&a)?.zip(gauge.read(&b)?) {
                        Some(pair) => values.push(pair),
                        None => why = Some(nothing(&gauge.rule.name)),
                    }
                }
            }
            let [first, second] = &mut self.contenders;
            first.result.cells.push(a);
            second.result.cells.push(b);
        }
        Ok(why.map_or(Pair::Counts(values), Pair::Discarded))
    }

    /// One run of one side; `None` when the user stopped it.
    fn side(&self, side: usize, run: &Run) -> Result<Option<CellResult>, Failure> {
        let contender = &self.contenders[side];
        let cell = contender
            .plan
            .cells
            .get(run.cell)
            .context("the plan has that many cells")?;
        match run_once(&contender.target, cell, run, self.stop, None, &mut |_| {}) {
            Ok(result) => Ok(Some(result)),
            Err(error) if is_interruption(&error) => Ok(None),
            Err(error) => {
                let name = ["A", "B"][side];
                Err(Failure::runtime(
                    error.context(format!("{name} ({})", contender.shown)),
                ))
            }
        }
    }

    fn report(&self, ended: Ended) -> GateReport {
        let outcome: Outcome = self.session.done().unwrap_or_else(|| self.session.so_far());
        let series = self.gauges.iter().zip(self.session.values());
        let [a, b] = &self.contenders;
        GateReport {
            schema_version: SCHEMA_VERSION,
            name: a.plan.name.clone(),
            a: a.shown.clone(),
            b: b.shown.clone(),
            method: Method::Pairs,
            alpha: self.spec.gate.alpha.get(),
            pairs_planned: self.spec.gate.pairs as usize,
            ended,
            started_at: self.started.1.clone(),
            seconds: self.started.0.elapsed().as_secs_f64(),
            command: env::args().collect(),
            fingerprint: a.result.fingerprint.clone(),
            outcome,
            series: series
                .map(|(gauge, pairs)| {
                    let (a, b) = pairs.iter().copied().unzip();
                    Series {
                        name: gauge.rule.name.clone(),
                        a,
                        b,
                    }
                })
                .collect(),
            discarded: self.discarded.clone(),
            damage: self.damage.clone(),
        }
    }
}

/// What B did to records that A did not do. A baseline that damages records
/// is none.
fn damaged(a: &CellResult, b: &CellResult) -> anyhow::Result<Option<String>> {
    let faults = |cell: &CellResult| {
        let v = &cell.verified;
        format!(
            "{} records lost, {} duplicated, {} reordered, {} corrupt",
            v.lost, v.duplicated, v.reordered, v.corrupt
        )
    };
    if !a.verified.is_clean() {
        return Err(anyhow!("A is no baseline: {}", faults(a)));
    }
    Ok((!b.verified.is_clean()).then(|| faults(b)))
}

fn nothing(metric: &str) -> Discarded {
    Discarded {
        side: "a, b".to_owned(),
        reason: format!("{metric} was 0 in so short a run; load.duration could be longer"),
    }
}

fn invalid(a: &CellResult, b: &CellResult) -> Option<Discarded> {
    let reasons = |cell: &CellResult| cell.invalid_reasons.join("; ");
    let (side, reason) = match (a.valid, b.valid) {
        (true, true) => return None,
        (false, true) => ("a", reasons(a)),
        (true, false) => ("b", reasons(b)),
        (false, false) => ("a, b", reasons(b)),
    };
    Some(Discarded {
        side: side.to_owned(),
        reason,
    })
}

/// How the gate gets on, on standard error.
enum Display {
    Silent,
    Lines,
    Bar(ProgressBar),
}

impl Display {
    fn new(pairs: u32, quiet: bool) -> Self {
        if quiet {
            return Self::Silent;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines;
        }
        let bar = ProgressBar::new(u64::from(pairs));
        let style =
            ProgressStyle::with_template("{bar:24} pair {pos}/{len} {eta:>4} left  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self::Bar(bar)
    }

    fn pair(&self, session: &Session, planned: usize) {
        let pairs = session.pairs();
        match self {
            Self::Silent => {}
            Self::Lines if pairs.is_multiple_of(LINE_EVERY) && pairs < planned => {
                eprintln!(
                    "pair {pairs}/{planned}: {}",
                    write::so_far(&session.so_far())
                );
            }
            Self::Lines => {}
            Self::Bar(bar) => {
                bar.set_position(pairs as u64);
                bar.set_message(write::so_far(&session.so_far()));
            }
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
