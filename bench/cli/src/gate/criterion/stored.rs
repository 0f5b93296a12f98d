//! Criterion's stored measurements, judged without running anything.
//!
//! Each directory is *one* value of each benchmark: the samples within it come
//! from one process.

use super::output::{LAST, Times, read};
use super::{rule, shared, spec};
use crate::failure::Failure;
use crate::gate::Args;
use anyhow::anyhow;
use plimsoll_gate::groups::{Groups, values_min, weigh_groups};
use plimsoll_gate::report::SCHEMA_VERSION;
use plimsoll_gate::{Ended, GateReport, Method, Series};
use plimsoll_results::Fingerprint;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Judges the candidate's measurements against the baseline's.
///
/// # Errors
/// When a directory holds no measurement, or they share no benchmark.
pub fn judge(sets: &[String], args: &Args) -> Result<GateReport, Failure> {
    let started = Instant::now();
    let gate = spec(sets)?.gate;
    let twice = args
        .baseline
        .iter()
        .find(|dir| args.candidate.contains(dir));
    if let Some(twice) = twice {
        let twice = twice.display();
        let error = anyhow!("{twice} is the baseline and the candidate: nothing to compare");
        return Err(Failure::usage(error));
    }
    let load = |dirs: &[PathBuf]| -> Result<Vec<Times>, Failure> {
        let each = dirs.iter().map(|dir| load(dir).map_err(Failure::usage));
        each.collect()
    };
    let (a, b) = (load(&args.baseline)?, load(&args.candidate)?);
    let (names, mut notes) = shared(&a, &b);
    if names.is_empty() {
        let said = notes.join(" ");
        let error = anyhow!("baseline and candidate have no benchmark in common. {said}");
        return Err(Failure::usage(error));
    }
    notes.push("Criterion does not record the machine: that it was one is taken on trust.".into());
    let needed = values_min(names.len(), gate.alpha.get());
    if a.len().min(b.len()) < needed {
        notes.push(format!(
            "With {} benchmarks nothing can fail before {needed} measurements a side.",
            names.len()
        ));
    }
    let side = |name: &String, runs: &[Times]| {
        let values = runs.iter().filter_map(|run| run.get(name).copied());
        values.collect::<Vec<f64>>()
    };
    let groups: Vec<Groups> = names
        .iter()
        .map(|name| Groups {
            rule: rule(&gate, name),
            a: side(name, &a),
            b: side(name, &b),
        })
        .collect();
    let outcome = weigh_groups(&groups, gate.alpha.get()).map_err(Failure::usage)?;
    let shown = |dirs: &[PathBuf]| {
        let names: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        names.join(" ")
    };
    Ok(GateReport {
        schema_version: SCHEMA_VERSION,
        name: "criterion".to_owned(),
        a: shown(&args.baseline),
        b: shown(&args.candidate),
        method: Method::Groups,
        alpha: gate.alpha.get(),
        pairs_planned: outcome.pairs,
        ended: Ended::Complete,
        started_at: jiff::Timestamp::now().to_string(),
        seconds: started.elapsed().as_secs_f64(),
        command: env::args().collect(),
        fingerprint: Fingerprint::read(Path::new(".")),
        outcome,
        series: groups
            .into_iter()
            .map(|group| Series {
                name: group.rule.name,
                a: group.a,
                b: group.b,
            })
            .collect(),
        discarded: Vec::new(),
        damage: Vec::new(),
        notes,
    })
}

/// A directory's last measurement, or with `DIR@NAME` the one saved as NAME.
fn load(dir: &Path) -> anyhow::Result<Times> {
    let text = dir.to_string_lossy();
    match text.rsplit_once('@') {
        Some((home, name)) if !dir.exists() => read(Path::new(home), name),
        _ => read(dir, LAST),
    }
}
