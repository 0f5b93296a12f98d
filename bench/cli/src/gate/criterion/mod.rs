//! Criterion benchmarks, judged by the gate's statistics.
//!
//! The unit is the *process*: one run of the bench program of A and one of B,
//! close together in time and in random order, make a pair, and a benchmark's
//! value in a run is the median over its samples. The samples within a process
//! share its memory layout and the machine's mood of that minute, so they are no
//! evidence of their own; criterion's own comparison, which takes them for such,
//! cries wolf on identical code.
//!
//! Both programs are run from paths of equal length, as the length of what a
//! process is started with moves its stack and with it what it measures.

mod measure;
mod output;
mod programs;
mod stored;

use super::duel::{Billing, Contest, Duel, Pair};
use super::side::{Side, Source};
use super::{Args, write};
use crate::failure::Failure;
use crate::interrupt::Stop;
use anyhow::{Context as _, anyhow, bail};
use measure::Bench;
use output::Times;
use plimsoll_gate::order::Order;
use plimsoll_gate::session::pairs_min;
use plimsoll_gate::{Direction, GateReport, MetricRule, Rules, Unit};
use plimsoll_results::Fingerprint;
use plimsoll_workloads::Spec;
use plimsoll_workloads::language::GateSpec;
use plimsoll_workloads::units::Span;
use programs::Wanted;
use std::collections::BTreeSet;
use std::path::Path;

pub use stored::judge as judge_stored;

/// Benchmarks that are named in a note; more are counted.
const NAMED_MAX: usize = 5;

/// What `--criterion` and its companions ask for.
#[derive(clap::Args)]
pub struct Asked {
    /// Gate the criterion benchmarks of a package instead of a workload; /BENCH
    /// names one of its bench targets. With stored results, or bin: on both
    /// sides, the name is only shown and can be left out.
    #[arg(
        long,
        value_name = "PACKAGE[/BENCH]",
        num_args = 0..=1,
        default_missing_value = "",
        conflicts_with_all = ["workload", "target_config"]
    )]
    pub criterion: Option<String>,
    /// Only benchmarks whose name this regular expression finds.
    #[arg(
        long,
        value_name = "REGEX",
        requires = "criterion",
        conflicts_with = "baseline"
    )]
    only: Option<String>,
    /// Time for which a run measures one benchmark, unless its code says
    /// otherwise [default: 100ms].
    #[arg(
        long,
        value_name = "TIME",
        requires = "criterion",
        conflicts_with = "baseline"
    )]
    measure: Option<Span>,
}

/// The gate's own settings; those of a workload mean nothing here.
///
/// # Errors
/// When a setting is of a workload, or wrong.
pub fn spec(sets: &[String]) -> Result<Spec, Failure> {
    for set in sets {
        let key = set.split('=').next().unwrap_or_default().trim();
        let known = key == "seed" || key.starts_with("gate.") && key != "gate.metrics";
        if !known {
            return Err(Failure::usage(anyhow!(
                "--set {set}: a benchmark has no such setting; accepted with --criterion: \
                 gate.pairs, gate.margin, gate.limit, gate.alpha, gate.time_budget and seed"
            )));
        }
    }
    Spec::parse("", "criterion", Path::new(""), sets).map_err(Failure::usage)
}

/// Runs both sides' benchmarks in pairs.
///
/// # Errors
/// When a side names no benchmarks, does not build, or does not run.
pub fn judge(
    sets: &[String],
    sides: [Side; 2],
    stop: &Stop,
    args: &Args,
) -> Result<GateReport, Failure> {
    let spec = spec(sets)?;
    let wanted = Wanted::parse(args.asked.criterion.as_deref().unwrap_or_default());
    for (side, name) in sides.iter().zip(["--a", "--b"]) {
        check(side, name, &wanted).map_err(Failure::usage)?;
    }
    let scratch = tempfile::tempdir().context("cannot create a directory")?;
    let shown = sides.each_ref().map(Side::to_string);
    let programs = programs::of_both(&sides, &wanted, scratch.path(), args.quiet)?;
    let bench = Bench {
        only: args.asked.only.clone(),
        measure: args.asked.measure,
        home: scratch.path().join("criterion"),
    };
    let mut rivals = Rivals {
        programs,
        bench,
        names: Vec::new(),
        stop,
    };
    let notes = rivals.rehearse()?;
    let rules = rules(&spec.gate, &rivals.names).map_err(Failure::usage)?;
    let mut duel = Duel::new(&spec, rules, args.quiet)?;
    let ended = duel.run(&mut rivals)?;
    let [a, b] = shown;
    let billing = Billing {
        name: wanted.title(),
        a,
        b,
        fingerprint: Fingerprint::read(scratch.path()),
        notes,
    };
    let report = duel.report(ended, billing);
    let dir = write::directory(args.out.as_deref(), &wanted.file_name());
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    write::keep(&report, &dir, args.quiet)?;
    Ok(report)
}

/// A side without settings, of programs.
fn check(side: &Side, name: &str, wanted: &Wanted) -> anyhow::Result<()> {
    let accepted = "accepted with --criterion: this, git:REVISION or bin:PATH of a bench program";
    if let Some(set) = side.sets.first() {
        bail!("{name} set:{set}: a benchmark has no settings; {accepted}");
    }
    match &side.source {
        Source::Cluster(addresses) => {
            bail!("{name} target:{addresses}: a cluster has no benchmarks; {accepted}")
        }
        Source::This | Source::Revision(_) if wanted.package.is_empty() => {
            bail!("--criterion: which package? accepted: --criterion PACKAGE, as cargo knows it")
        }
        Source::This | Source::Revision(_) | Source::Binary(_) => Ok(()),
    }
}

/// A metric for each benchmark, when there are pairs enough for so many.
fn rules(gate: &GateSpec, names: &[String]) -> anyhow::Result<Vec<MetricRule>> {
    let (pairs, needed) = (
        gate.pairs as usize,
        pairs_min(names.len(), gate.alpha.get()),
    );
    if pairs < needed {
        bail!(
            "gate.pairs = {pairs}: with {} benchmarks at α = {} nothing could fail; accepted: at \
             least {needed} pairs, or fewer benchmarks with --only REGEX",
            names.len(),
            gate.alpha
        );
    }
    Ok(names.iter().map(|name| rule(gate, name)).collect())
}

/// How one benchmark is judged: by the time of an iteration.
fn rule(gate: &GateSpec, name: &str) -> MetricRule {
    MetricRule {
        name: name.to_owned(),
        unit: Unit::Nanos,
        direction: Direction::HigherIsWorse,
        rules: Rules {
            margin: gate.margin.get(),
            limit: gate.limit.get(),
        },
        gated_below_effect: None,
    }
}

/// The names that every side has; a sentence about those that one lacks.
fn shared(a: &[Times], b: &[Times]) -> (Vec<String>, Vec<String>) {
    let of = |runs: &[Times]| -> BTreeSet<String> {
        let each = runs.iter().map(|run| run.keys().cloned().collect());
        each.reduce(|x: BTreeSet<String>, y| &x & &y)
            .unwrap_or_default()
    };
    let (a, b) = (of(a), of(b));
    let only = |side: &str, names: &BTreeSet<String>, others: &BTreeSet<String>| {
        let own: Vec<&str> = names.difference(others).map(String::as_str).collect();
        let more = match own.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named = own.get(..NAMED_MAX).unwrap_or(&own).join(", ");
        (!own.is_empty()).then(|| format!("Only {side} has {named}{more}: not compared."))
    };
    let notes = [only("A", &a, &b), only("B", &b, &a)];
    let both = a.intersection(&b).cloned().collect();
    (both, notes.into_iter().flatten().collect())
}

/// Both sides' bench programs.
struct Rivals<'s> {
    programs: [programs::Programs; 2],
    bench: Bench,
    /// The benchmarks that both sides have.
    names: Vec<String>,
    stop: &'s Stop,
}

impl Rivals<'_> {
    /// Runs each side once without counting it, to learn what there is to be
    /// compared and to bring programs and files into memory.
    fn rehearse(&mut self) -> Result<Vec<String>, Failure> {
        let stopped = || Failure::runtime(anyhow!("stopped before anything was measured"));
        let a = self.side(0)?.ok_or_else(stopped)?;
        let b = self.side(1)?.ok_or_else(stopped)?;
        let (names, notes) = shared(&[a], &[b]);
        if names.is_empty() {
            let said = notes.join(" ");
            return Err(anyhow!("A and B have no benchmark in common. {said}").into());
        }
        self.names = names;
        Ok(notes)
    }

    /// One run of one side; `None` when the user stopped it.
    fn side(&self, side: usize) -> Result<Option<Times>, Failure> {
        let run = self.bench.run(&self.programs[side], self.stop);
        let name = ["A", "B"][side];
        run.map_err(|error| Failure::runtime(error.context(name)))
    }
}

impl Contest for Rivals<'_> {
    fn pair(&mut self, _: u32, order: &mut Order) -> Result<Pair, Failure> {
        let sides = if order.a_first() { [0, 1] } else { [1, 0] };
        let mut times = [Times::new(), Times::new()];
        for side in sides {
            match self.side(side)? {
                Some(found) => times[side] = found,
                None => return Ok(Pair::Stopped),
            }
        }
        let [a, b] = times;
        let value = |name: &String| Some((*a.get(name)?, *b.get(name)?));
        let values = self.names.iter().map(|name| {
            value(name).with_context(|| format!("{name}: measured before and not in this run"))
        });
        Ok(Pair::Counts(values.collect::<anyhow::Result<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_set(set: &str, expected: Option<&str>) {
        match (spec(&[set.to_owned()]), expected) {
            (Ok(_), None) => {}
            (Err(failure), Some(part)) => {
                assert!(failure.to_string().contains(part), "{failure}");
            }
            (Ok(_), Some(_)) => panic!("{set} was taken"),
            (Err(failure), None) => panic!("{set}: {failure}"),
        }
    }

    #[test]
    fn only_the_gates_own_settings_are_taken() {
        check_set("gate.pairs=20", None);
        check_set("seed=7", None);
        check_set("topic.partitions=3", Some("accepted with --criterion"));
        check_set("gate.metrics=[p50]", Some("no such setting"));
        check_set("gate.limit=1%", Some("above the margin"));
    }

    #[test]
    fn too_few_pairs_for_so_many_benchmarks_are_refused() {
        let names: Vec<String> = (0..24).map(|at| at.to_string()).collect();
        let spec = spec(&["gate.pairs=10".to_owned()]).expect("sound");
        let error = rules(&spec.gate, &names).expect_err("too few");
        assert!(error.to_string().contains("at least 12 pairs"), "{error}");
        assert_eq!(
            rules(&spec.gate, &names[..3]).map(|r| r.len()).ok(),
            Some(3)
        );
    }

    #[test]
    fn what_one_side_lacks_is_named() {
        let times = |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), 1.0)).collect();
        let (names, notes) = shared(
            &[times(&["x", "y"]), times(&["x", "y", "z"])],
            &[times(&["a", "b", "c", "d", "e", "f", "g", "y"])],
        );
        assert_eq!(names, ["y"]);
        assert_eq!(
            notes,
            [
                "Only A has x: not compared.",
                "Only B has a, b, c, d, e and 2 more: not compared."
            ]
        );
    }
}
