//! `plimsoll doctor`: what this machine is, what it can do at best, and what
//! would spoil a measurement on it now.
//!
//! Reading and measuring is done first; judging is pure, over what was read.

mod chain;
pub mod floors;
mod judge;
mod readings;
mod text;

use crate::failure::{Failure, Outcome};
use crate::null_sink::capacity::Capacities;
use anyhow::Context as _;
use judge::{Limit, Obstacle};
use plimsoll_results::Floor;
use plimsoll_results::{ClientCapacity, Fingerprint};
use plimsoll_workloads::Spec;
use readings::Readings;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Examine this machine: what it can do at best, and what would spoil a
/// measurement on it now.
///
/// Measures the floors of disk, loopback, checksum and memory for a few
/// seconds, reads the limits, and says how to mend what is in the way. Exit
/// code 1 when something would spoil a measurement now.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  plimsoll doctor\n  plimsoll doctor --data /var/lib/kafka --json"
)]
pub struct Args {
    /// Where a broker's data would be: its disk is the one that is measured
    /// [default: the directory for temporary files, as for `run`].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// The load whose client is measured: the commonest sizes.
const CLIENT_WORKLOAD: &str = "[producer]\ncount = 1\nbatch_bytes = \"64KiB\"\n\
                               [records]\nsize = \"1KiB\"\n[load]\nrate = \"max\"\n";

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
struct Report {
    machine: Fingerprint,
    data: PathBuf,
    floors: Vec<Floor>,
    /// What the native client can send at all, of [`CLIENT_WORKLOAD`].
    client: ClientCapacity,
    limits: Vec<Limit>,
    obstacles: Vec<Obstacle>,
}

/// Examines the machine.
pub fn run(args: &Args) -> Outcome {
    let data = args.data.clone().unwrap_or_else(std::env::temp_dir);
    let report = examine(&data).map_err(Failure::runtime)?;
    let text = if args.json {
        let json = serde_json::to_string_pretty(&report).context("cannot write JSON")?;
        json + "\n"
    } else {
        text::render(&report)
    };
    crate::run::say(&text)?;
    Ok(if report.obstacles.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn examine(data: &Path) -> anyhow::Result<Report> {
    let machine = Fingerprint::read(data);
    // Before the floors are measured, which are a load themselves.
    let before = Readings::read(Path::new("/"), data)?;
    let floors = floors::measure(data)
        .with_context(|| format!("cannot measure the disk of {}", data.display()))?;
    let client = client(&machine).context("cannot measure the client")?;
    Ok(Report {
        client,
        limits: judge::limits(&before),
        obstacles: judge::obstacles(&before, &machine),
        machine,
        data: data.to_owned(),
        floors,
    })
}

fn client(machine: &Fingerprint) -> anyhow::Result<ClientCapacity> {
    let plan = Spec::parse(CLIENT_WORKLOAD, "doctor", Path::new("."), &[])?.plan()?;
    let (run, cell) = plan.iter().next().context("the workload has no cell")?;
    Capacities::open(&machine.hash).of(cell, run)
}
