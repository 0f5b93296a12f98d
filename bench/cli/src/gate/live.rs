//! A workload's runs of A and B in pairs.
//!
//! Within a pair the two sides run one after the other in random order, each on
//! a fresh broker: what a process happens to be given at its start, such as the
//! layout of its memory, is then chance like everything else, and not a
//! difference between A and B. A pair in which either run is invalid does not
//! count; it is run again.

use super::build::binary_of;
use super::duel::{Billing, Contest, Duel, Pair};
use super::metrics::{Gauge, gauges};
use super::side::{Side, Source};
use super::{Args, write};
use crate::failure::Failure;
use crate::interrupt::Stop;
use crate::run::session::{head, is_interruption, run_once};
use crate::run::target::TargetChoice;
use anyhow::{Context as _, anyhow, bail};
use plimsoll_gate::order::Order;
use plimsoll_gate::{Discarded, GateReport};
use plimsoll_results::{CellResult, RunResult};
use plimsoll_workloads::{Plan, Run, Spec};

/// Cells that a gate's workload may have.
const CELLS_MAX: usize = 16;

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
    let mut rivals = Rivals::new(&spec, [a, b], stop)?;
    let rules = rivals.gauges.iter().map(|gauge| gauge.rule.clone());
    let mut duel = Duel::new(&spec, rules.collect(), args.quiet)?;
    let ended = duel.run(&mut rivals)?;
    let report = duel.report(ended, rivals.billing());
    let dir = write::directory(args.out.as_deref(), &report.name);
    for (contender, name) in rivals.contenders.iter_mut().zip(["a", "b"]) {
        contender.result.finished_at = jiff::Timestamp::now().to_string();
        plimsoll_results::save(&contender.result, &dir.join(name)).map_err(Failure::runtime)?;
    }
    write::keep(&report, &dir, args.quiet)?;
    Ok(report)
}

/// Two sides and what was measured of them so far.
struct Rivals<'s> {
    contenders: [Contender; 2],
    gauges: Vec<Gauge>,
    stop: &'s Stop,
}

impl<'s> Rivals<'s> {
    fn new(spec: &Spec, contenders: [Contender; 2], stop: &'s Stop) -> anyhow::Result<Self> {
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
        Ok(Self {
            gauges: gauges(&spec.gate, &labels),
            contenders,
            stop,
        })
    }

    fn billing(&self) -> Billing {
        let [a, b] = &self.contenders;
        Billing {
            name: a.plan.name.clone(),
            a: a.shown.clone(),
            b: b.shown.clone(),
            fingerprint: a.result.fingerprint.clone(),
            notes: Vec::new(),
        }
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
}

impl Contest for Rivals<'_> {
    /// Every cell once on each side.
    fn pair(&mut self, number: u32, order: &mut Order) -> Result<Pair, Failure> {
        let mut values = Vec::with_capacity(self.gauges.len());
        let mut why: Option<Discarded> = None;
        for cell in 0..self.contenders[0].plan.cells.len() {
            let run = Run {
                cell,
                repeat: number,
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
    if a.verified.is_faulty() {
        return Err(anyhow!("A is no baseline: {}", faults(a)));
    }
    Ok((b.verified.is_faulty()).then(|| faults(b)))
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
