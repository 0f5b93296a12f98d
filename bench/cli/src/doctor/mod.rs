//! `plimsoll doctor`: what this machine is, what it can do at best, and what
//! would spoil a measurement on it now.
//!
//! Reading and measuring is done first; judging is pure, over what was read.

mod floors;
mod judge;
mod readings;
mod text;

use crate::failure::{Failure, Outcome};
use anyhow::Context as _;
use floors::Floor;
use judge::{Limit, Obstacle};
use plimsoll_results::Fingerprint;
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

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
struct Report {
    machine: Fingerprint,
    data: PathBuf,
    floors: Vec<Floor>,
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
    Ok(Report {
        limits: judge::limits(&before),
        obstacles: judge::obstacles(&before, &machine),
        machine,
        data: data.to_owned(),
        floors,
    })
}
