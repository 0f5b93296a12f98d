//! Stored results, judged without running anything.
//!
//! Results whose runs alternate in time, as those of one gate do, are pairs and
//! as good as live. Others do not share the machine's mood, so each result is
//! one value, and it takes several until anything can be told.

use super::metrics::{Gauge, gauges};
use crate::failure::Failure;
use crate::report::load;
use anyhow::{Context as _, anyhow, bail};
use plimsoll_gate::groups::{Groups, weigh_groups};
use plimsoll_gate::report::SCHEMA_VERSION;
use plimsoll_gate::{Ended, GateReport, Method, Outcome, Series, Session};
use plimsoll_results::stats::Spread;
use plimsoll_results::{CellResult, Params, RunResult, groups, params_label, varied_params};
use plimsoll_workloads::Spec;
use std::env;
use std::path::PathBuf;
use std::time::Instant;

/// Judges the candidate's results against the baseline's.
pub fn judge(
    spec: &Spec,
    baseline: &[PathBuf],
    candidate: &[PathBuf],
) -> Result<GateReport, Failure> {
    let started = Instant::now();
    if let Some(twice) = baseline.iter().find(|dir| candidate.contains(dir)) {
        let twice = twice.display();
        let error = anyhow!("{twice} is the baseline and the candidate: nothing to compare");
        return Err(Failure::usage(error));
    }
    let (a, b) = (load(baseline)?, load(candidate)?);
    same_machine(a.iter().chain(&b)).map_err(Failure::usage)?;
    let settings = settings(&a, &b).map_err(Failure::usage)?;
    let labels: Vec<String> = settings.iter().map(|(label, _)| label.clone()).collect();
    let gauges = gauges(&spec.gate, &labels);
    let alpha = spec.gate.alpha.get();
    let (method, outcome, series) = match pairs(&a, &b, &settings) {
        Some(pairs) => paired(&gauges, &pairs, alpha)?,
        None => grouped(&gauges, &settings, (&a, &b), alpha)?,
    };
    let names = |dirs: &[PathBuf]| {
        let names: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        names.join(" ")
    };
    Ok(GateReport {
        schema_version: SCHEMA_VERSION,
        name: spec.run.name.clone(),
        a: names(baseline),
        b: names(candidate),
        method,
        alpha,
        pairs_planned: outcome.pairs,
        ended: Ended::Complete,
        started_at: jiff::Timestamp::now().to_string(),
        seconds: started.elapsed().as_secs_f64(),
        command: env::args().collect(),
        fingerprint: b
            .first()
            .map(|run| run.fingerprint.clone())
            .unwrap_or_default(),
        outcome,
        series,
        discarded: Vec::new(),
        damage: damage(&a, &b)?,
        notes: Vec::new(),
    })
}

/// Results of different machines say nothing about each other.
fn same_machine<'r>(runs: impl Iterator<Item = &'r RunResult>) -> anyhow::Result<()> {
    let mut known: Option<&RunResult> = None;
    for run in runs {
        let first = *known.get_or_insert(run);
        if first.fingerprint.hash != run.fingerprint.hash {
            bail!(
                "{} was measured on another machine ({}, {} cores, kernel {}) than {} ({}, {} \
                 cores, kernel {}): nothing can be told from that",
                run.started_at,
                run.fingerprint.cpu_model,
                run.fingerprint.logical_cores,
                run.fingerprint.kernel,
                first.started_at,
                first.fingerprint.cpu_model,
                first.fingerprint.logical_cores,
                first.fingerprint.kernel,
            );
        }
    }
    Ok(())
}

/// The settings that all results have valid runs of, with a name for each.
fn settings(a: &[RunResult], b: &[RunResult]) -> anyhow::Result<Vec<(String, Params)>> {
    let all = || a.iter().chain(b);
    let Some(first) = all().next() else {
        bail!("no results; accepted: --baseline DIR… --candidate DIR…");
    };
    let has = |run: &RunResult, params: &Params| {
        run.cells
            .iter()
            .any(|cell| cell.valid && cell.params == *params)
    };
    let varied = varied_params(&first.cells);
    let shared: Vec<(String, Params)> = groups(&first.cells)
        .iter()
        .filter(|group| all().all(|run| has(run, group.params)))
        .map(|group| (params_label(group.params, &varied), group.params.clone()))
        .collect();
    if shared.is_empty() {
        bail!("the results have no settings in common of which each has a valid run");
    }
    Ok(shared)
}

/// For each setting the runs of A and B in pairs.
type Pairs<'r> = Vec<Vec<(&'r CellResult, &'r CellResult)>>;

/// The runs as pairs, when they were run as pairs: in time they come two by
/// two, one of each side.
fn pairs<'r>(
    a: &'r [RunResult],
    b: &'r [RunResult],
    settings: &[(String, Params)],
) -> Option<Pairs<'r>> {
    let of =
        |runs: &'r [RunResult], params: &Params, side: usize| -> Vec<(&'r CellResult, usize)> {
            let cells = runs.iter().flat_map(|run| &run.cells);
            let cells = cells.filter(|cell| cell.params == *params && !cell.started_at.is_empty());
            cells.map(|cell| (cell, side)).collect()
        };
    let one = |(_, params): &(String, Params)| {
        let mut all = of(a, params, 0);
        all.extend(of(b, params, 1));
        all.sort_by(|x, y| x.0.started_at.cmp(&y.0.started_at));
        let mut found = Vec::with_capacity(all.len() / 2);
        for two in all.chunks(2) {
            let pair = match two {
                [(a, 0), (b, 1)] | [(b, 1), (a, 0)] => (*a, *b),
                _ => return None,
            };
            if pair.0.valid && pair.1.valid {
                found.push(pair);
            }
        }
        (found.len() > 1).then_some(found)
    };
    settings.iter().map(one).collect()
}

type Judged = (Method, Outcome, Vec<Series>);

fn paired(gauges: &[Gauge], pairs: &Pairs<'_>, alpha: f64) -> Result<Judged, Failure> {
    let count = pairs.iter().map(Vec::len).min().unwrap_or(0);
    let rules = gauges.iter().map(|gauge| gauge.rule.clone()).collect();
    let mut session = Session::new(rules, alpha, count).map_err(Failure::usage)?;
    for at in 0..count {
        let mut values = Vec::with_capacity(gauges.len());
        for gauge in gauges {
            if let Some((a, b)) = pairs.get(gauge.cell).and_then(|cell| cell.get(at)) {
                values.push((read(gauge, a)?, read(gauge, b)?));
            }
        }
        session.add(&values).map_err(Failure::runtime)?;
    }
    Ok((Method::Pairs, session.so_far(), session.series()))
}

/// Each result is one value: the median of its valid runs.
fn grouped(
    gauges: &[Gauge],
    settings: &[(String, Params)],
    (a, b): (&[RunResult], &[RunResult]),
    alpha: f64,
) -> Result<Judged, Failure> {
    let value = |gauge: &Gauge, run: &RunResult| -> anyhow::Result<f64> {
        let params = settings.get(gauge.cell).map(|(_, params)| params);
        let cells = run
            .cells
            .iter()
            .filter(|cell| cell.valid && Some(&cell.params) == params);
        let values = cells
            .map(|cell| read(gauge, cell))
            .collect::<anyhow::Result<Vec<f64>>>()?;
        let spread = Spread::of(&values).ok_or_else(|| anyhow!("no valid run"))?;
        Ok(spread.median)
    };
    let side = |gauge: &Gauge, runs: &[RunResult]| {
        runs.iter()
            .map(|run| value(gauge, run))
            .collect::<anyhow::Result<Vec<f64>>>()
    };
    let mut metrics = Vec::with_capacity(gauges.len());
    for gauge in gauges {
        metrics.push(Groups {
            rule: gauge.rule.clone(),
            a: side(gauge, a)?,
            b: side(gauge, b)?,
        });
    }
    let outcome = weigh_groups(&metrics, alpha).map_err(Failure::usage)?;
    let series = metrics.into_iter().map(|metric| Series {
        name: metric.rule.name,
        a: metric.a,
        b: metric.b,
    });
    Ok((Method::Groups, outcome, series.collect()))
}

fn read(gauge: &Gauge, cell: &CellResult) -> anyhow::Result<f64> {
    let nothing = || {
        format!(
            "{} is 0 in cell {}, which has no ratio",
            gauge.rule.name, cell.id
        )
    };
    gauge.read(cell)?.with_context(nothing)
}

/// What the candidate did to records. A baseline that damages some is none.
fn damage(a: &[RunResult], b: &[RunResult]) -> Result<Vec<String>, Failure> {
    let faults = |runs: &[RunResult]| -> Vec<String> {
        let cells = runs.iter().flat_map(|run| &run.cells);
        let faulty = cells.filter(|cell| cell.verified.is_faulty());
        faulty
            .map(|cell| format!("{} records lost in cell {}", cell.verified.lost, cell.id))
            .collect()
    };
    match faults(a).first() {
        Some(fault) => Err(Failure::usage(anyhow!("the baseline is none: {fault}"))),
        None => Ok(faults(b)),
    }
}
