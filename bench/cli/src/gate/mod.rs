//! `plimsoll gate`: whether B is worse than A, with a verdict that a machine
//! can act on.
//!
//! Exit codes: 0 PASS, 1 FAIL, 3 INCONCLUSIVE, and 2 for every error, so that 1
//! always means a regression that was found.

mod build;
mod criterion;
mod duel;
mod junit;
mod live;
mod markdown;
mod metrics;
mod side;
mod stored;
mod text;
mod write;

pub use text::value as value_text;

use crate::failure::{Failure, Outcome};
use crate::interrupt::Stop;
use anyhow::Context as _;
use plimsoll_gate::{GateReport, Verdict};
use plimsoll_workloads::Spec;
use plimsoll_workloads::units::Span;
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit code of a gate that could not be run.
const ERROR: u8 = 2;
/// The exit code of a gate that could not decide.
const INCONCLUSIVE: u8 = 3;

/// Tell a regression from noise.
///
/// Runs A and B in pairs, close together in time and in random order, and
/// compares them pair by pair. FAIL needs both a probability of a false alarm
/// below 1 % and an estimate past the margin; PASS needs the interval's worse
/// end below the limit; anything else is INCONCLUSIVE, with the number of pairs
/// that would decide.
///
/// Exit codes: 0 PASS, 1 FAIL, 3 INCONCLUSIVE, 2 error.
#[derive(clap::Args)]
#[command(after_help = "\
A SIDE is one of
  this                this binary's broker
  bin:PATH            another plimsoll binary's broker
  git:REVISION        the broker of a git revision, built in a scratch worktree
  target:HOST:PORT,…  a Kafka cluster that is there
  set:KEY=VALUE       a setting of the workload, such as set:broker.num.io.threads=8
and may be given several times: parts add up. The prefix can be left out where
the rest says it. Both sides are driven by this binary's client.

Examples:
  plimsoll gate gate --a git:main
  plimsoll gate gate --a bin:before/plimsoll --b target/release/plimsoll --junit gate.xml
  plimsoll gate acks.toml --a set:producer.acks=1 --b set:producer.acks=all
  plimsoll gate gate --a target:kafka-1:9092 --b target:kafka-2:9092 --set 'gate.metrics=[throughput, p50]'
  plimsoll gate gate --baseline results/monday results/tuesday --candidate results/today
  plimsoll gate --criterion plimsoll-wire --a git:main --only batch")]
pub struct Args {
    /// A workload file, or the name of one that ships; its [gate] section says
    /// what is compared.
    #[arg(value_name = "WORKLOAD", required_unless_present = "criterion")]
    workload: Option<String>,
    #[command(flatten)]
    asked: criterion::Asked,
    /// The baseline [default: this].
    #[arg(long, value_name = "SIDE")]
    a: Vec<String>,
    /// The candidate [default: this].
    #[arg(long, value_name = "SIDE")]
    b: Vec<String>,
    /// Stored results to compare with, instead of --a; with --criterion its
    /// directories, or DIR@NAME for what --save-baseline NAME kept.
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "candidate", conflicts_with_all = ["a", "b"])]
    baseline: Vec<PathBuf>,
    /// Stored results that are judged, instead of --b.
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "baseline")]
    candidate: Vec<PathBuf>,
    /// Change a setting of both sides, or of the gate: `--set gate.pairs=60`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Properties of the clusters that sides name, as `run --target-config` takes
    /// them.
    #[arg(long, value_name = "FILE")]
    target_config: Option<PathBuf>,
    /// Time that the gate may take, such as 10m; stronger than the workload's
    /// gate.time_budget.
    #[arg(long, value_name = "TIME")]
    budget: Option<Span>,
    /// The directory for gate.json, chart, and both sides' results [default:
    /// results/gate-NAME-TIMESTAMP].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the verdict as JSON; - is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the verdict as JUnit XML, a test case for each metric.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the verdict as markdown, for a pull request.
    #[arg(long, value_name = "FILE")]
    md: Option<PathBuf>,
    /// No progress on standard error.
    #[arg(long)]
    quiet: bool,
}

/// Runs the gate.
pub fn run(args: &Args) -> Outcome {
    judged(args).map_err(|failure| failure.coded(ERROR))
}

fn judged(args: &Args) -> Outcome {
    let files = write::Files::of(args)?;
    let mut sets = args.set.clone();
    sets.extend(
        args.budget
            .map(|budget| format!("gate.time_budget={budget}")),
    );
    let stored = !args.baseline.is_empty();
    let sides = || Ok::<_, Failure>([side::Side::parse(&args.a)?, side::Side::parse(&args.b)?]);
    let stop = || Stop::install().context("cannot wait for signals");
    let report = match (&args.workload, stored) {
        (None, true) => criterion::judge_stored(&sets, args)?,
        (None, false) => criterion::judge(&sets, sides()?, &stop()?, args)?,
        (Some(workload), true) => {
            let spec = Spec::find(workload, &sets).map_err(Failure::usage)?;
            stored::judge(&spec, &args.baseline, &args.candidate)?
        }
        (Some(workload), false) => live::judge(workload, &sets, sides()?, &stop()?, args)?,
    };
    files.write(&report)?;
    Ok(exit_code(&report))
}

fn exit_code(report: &GateReport) -> ExitCode {
    match report.verdict() {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::FAILURE,
        Verdict::Inconclusive => ExitCode::from(INCONCLUSIVE),
    }
}
