//! Finding the highest rate at which a cell's objectives hold.
//!
//! Every probe is a run of the cell at a fixed rate, on a fresh topic, judged
//! like any other; [`finder`] decides which rate comes next. The result is the
//! confirming hold's: the probes' samples are in none of its numbers, and stand
//! beside it one by one.

pub mod finder;

use crate::audit::ACHIEVED_MIN;
use crate::cell::{Options, Phase, Progress, Target, run_at_its_rate};
use crate::clock::Mono;
use crate::error::DriveError;
use finder::{Answer, Finder, Step, Verdict};
use plimsoll_results::{CellResult, Probe, Search};
use plimsoll_workloads::language::{CellSpec, RateSpec};
use plimsoll_workloads::units::{Rate, Span};
use plimsoll_workloads::{Cell, Run};
use std::time::Duration;

/// A probe carries less than this share of its rate only far above the maximum.
const ACHIEVED_FAR: f64 = 0.9;
/// A p99 of so many objectives comes only far above the maximum.
const OBJECTIVES_FAR: f64 = 4.0;
/// The longest drain of a probe.
const DRAIN_MAX: Span = Span::from_secs(15);

/// Searches, and returns the result of the answer's hold.
pub fn find(
    target: &Target,
    cell: &Cell,
    run: &Run,
    options: Options<'_>,
) -> Result<CellResult, DriveError> {
    let spec = &cell.spec;
    let mut finder = Finder::new(spec.search.from.per_second(), spec.search.precision.get());
    let mut hunt = Hunt {
        target,
        cell,
        run,
        options,
        began: Mono::now(),
        probes: Vec::new(),
    };
    let mut result = None;
    let answer = loop {
        let (rate, hold) = match finder.next() {
            Step::Probe(rate) => (rate, false),
            Step::Hold(rate) => (rate, true),
            Step::Done(answer) => break answer,
        };
        let probed = hunt.probe(rate, hold)?;
        finder.tell(hunt.judge(rate, hold, &probed));
        result = Some(probed);
    };
    let result = result.unwrap_or_default();
    Ok(conclude(cell, &answer, hunt.probes, result))
}

/// A search on its way.
struct Hunt<'a, 'o> {
    target: &'a Target,
    cell: &'a Cell,
    run: &'a Run,
    options: Options<'o>,
    began: Mono,
    probes: Vec<Probe>,
}

impl Hunt<'_, '_> {
    fn probe(&mut self, rate: f64, hold: bool) -> Result<CellResult, DriveError> {
        let probe = Cell {
            spec: at_rate(&self.cell.spec, rate, hold)?,
            ..self.cell.clone()
        };
        let (began, of) = (self.began, self.cell.expected().duration());
        let report = &mut *self.options.progress;
        let options = Options {
            dir: self.options.dir.filter(|_| hold),
            progress: &mut |progress: &Progress| {
                let elapsed = Mono::now().elapsed_since(began);
                let phase = if hold { progress.phase } else { Phase::Search };
                report(&Progress {
                    phase,
                    elapsed,
                    of: of.max(elapsed + Duration::from_secs(1)),
                    ..progress.clone()
                });
            },
            interrupt: self.options.interrupt,
        };
        run_at_its_rate(self.target, &probe, self.run, options)
    }

    fn judge(&mut self, rate: f64, hold: bool, result: &CellResult) -> Verdict {
        let failed = failures(&self.cell.spec, result);
        let objective_us = objective_us(&self.cell.spec);
        let achieved = result.throughput.records_per_s;
        let p99_us = result.latency.response.as_ref().map(|r| r.p99_us);
        let far = achieved < rate * ACHIEVED_FAR
            || p99_us.is_some_and(|p99| p99 > objective_us * OBJECTIVES_FAR);
        let verdict = match (failed.is_empty(), far) {
            (true, _) => Verdict::Passed,
            (false, false) => Verdict::Failed,
            (false, true) => Verdict::FailedByFar,
        };
        let slopes = result.backlog.iter().map(|b| b.slope_records_per_s);
        self.probes.push(Probe {
            records_per_s: rate,
            achieved,
            p99_us,
            backlog_slope: slopes.reduce(f64::max),
            hold,
            failed,
        });
        verdict
    }
}

/// The cell at a rate, for a probe or for the hold.
fn at_rate(spec: &CellSpec, rate: f64, hold: bool) -> Result<CellSpec, DriveError> {
    let Some(rate) = Rate::from_per_second(rate) else {
        return Err(DriveError::Input(format!("{rate} records/s is no rate")));
    };
    let mut spec = spec.clone();
    spec.load.rate = RateSpec::Records(rate);
    if !hold {
        spec.load.warmup = spec.search.warmup;
        spec.load.duration = spec.search.probe;
        spec.load.drain = spec.load.drain.min(DRAIN_MAX);
    }
    Ok(spec)
}

fn objective_us(spec: &CellSpec) -> f64 {
    spec.load
        .objective
        .map_or(f64::INFINITY, |o| o.secs_f64() * 1e6)
}

/// Every objective that did not hold, followed by what else was wrong with the
/// probe. What is wrong with a probe that held them, such as a machine that
/// does something else, says nothing against the rate.
fn failures(spec: &CellSpec, result: &CellResult) -> Vec<String> {
    let mut failed = Vec::new();
    let objective_us = objective_us(spec);
    if let Some(response) = &result.latency.response
        && response.p99_us > objective_us
    {
        let (p99_ms, objective_ms) = (response.p99_us / 1e3, objective_us / 1e3);
        failed.push(format!(
            "response p99 is {p99_ms:.1} ms, the objective {objective_ms:.1} ms"
        ));
    }
    let throughput = &result.throughput;
    // Work for one objective's length may be on its way when the window ends.
    let on_its_way = objective_us / 1e6 / throughput.window_s.max(1e-3);
    let target = throughput.target_records_per_s.unwrap_or(0.0);
    if throughput.records_per_s < target * (ACHIEVED_MIN - on_its_way) {
        let achieved = throughput.records_per_s;
        failed.push(format!("carried {achieved:.0} of {target:.0} records/s"));
    }
    let allowed = target * (spec.search.backlog.get() + on_its_way);
    for backlog in &result.backlog {
        let (group, slope) = (backlog.group, backlog.slope_records_per_s);
        if slope > allowed {
            failed.push(format!(
                "group {group} falls behind by {slope:.0} records/s"
            ));
        }
    }
    let verified = &result.verified;
    if verified.errors as f64 > verified.sent as f64 * spec.search.errors.get() {
        let (errors, sent) = (verified.errors, verified.sent);
        failed.push(format!("{errors} deliveries failed of {sent}"));
    }
    if !verified.is_clean() {
        failed.push("records were lost or damaged".to_owned());
    }
    if !failed.is_empty() {
        failed.extend(result.invalid_reasons.iter().cloned());
    }
    failed
}

/// The hold's result, as the answer's.
fn conclude(
    cell: &Cell,
    answer: &Answer,
    probes: Vec<Probe>,
    mut result: CellResult,
) -> CellResult {
    let above = probes
        .iter()
        .filter(|probe| !probe.failed.is_empty() && probe.records_per_s > answer.rate);
    let lowest = above.min_by(|a, b| a.records_per_s.total_cmp(&b.records_per_s));
    let limited_by = lowest.map_or_else(Vec::new, |probe| probe.failed.clone());
    if !answer.confirmed {
        result.valid = false;
        result.invalid_reasons.insert(
            0,
            format!(
                "the search found no rate that holds; the last one tried was {:.0} records/s",
                answer.rate
            ),
        );
    }
    result.params.clone_from(&cell.params);
    result.search = Some(Search {
        records_per_s: answer.rate,
        failed_at: answer.failed_at,
        confirmed: answer.confirmed,
        objective_us: objective_us(&cell.spec),
        limited_by,
        probes,
    });
    result
}
