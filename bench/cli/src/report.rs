//! `plimsoll report` and `plimsoll compare`: results that are there, as a page
//! or as text.

use crate::failure::{Failure, Outcome};
use anyhow::Context as _;
use plimsoll_results::{RunResult, load};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write one HTML page about one or more runs.
///
/// The first run is the baseline of comparisons. Charts are inside the page.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll report results/ours results/kafka --out report.html")]
pub struct Args {
    /// Directories of runs, or their result.json.
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// The page [default: report.html in the first directory].
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
}

/// Compare two runs cell by cell.
///
/// Prints a table in Markdown; the first run is the baseline.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll compare results/before results/after")]
pub struct CompareArgs {
    /// The baseline's directory.
    #[arg(value_name = "DIR")]
    baseline: PathBuf,
    /// The directory of the run to compare with it.
    #[arg(value_name = "DIR")]
    candidate: PathBuf,
}

/// Writes the page.
pub fn run(args: Args) -> Outcome {
    let runs = read(&args.dirs)?;
    let page = plimsoll_plots::report(&runs).map_err(Failure::runtime)?;
    let out = args.out.unwrap_or_else(|| beside(args.dirs.first()));
    fs::write(&out, page).with_context(|| format!("cannot write {}", out.display()))?;
    println!("{}", out.display());
    Ok(ExitCode::SUCCESS)
}

/// Prints the comparison.
pub fn compare(args: CompareArgs) -> Outcome {
    let runs = read(&[args.baseline, args.candidate])?;
    print!(
        "{}",
        plimsoll_plots::markdown(&runs).map_err(Failure::runtime)?
    );
    Ok(ExitCode::SUCCESS)
}

fn read(dirs: &[PathBuf]) -> Result<Vec<RunResult>, Failure> {
    let mut runs = Vec::with_capacity(dirs.len());
    for dir in dirs {
        let loaded = load(dir).map_err(Failure::usage)?;
        if let Some(notice) = &loaded.notice {
            eprintln!("note: {}: {notice}", dir.display());
        }
        runs.push(loaded.run);
    }
    Ok(runs)
}

/// `report.html` in the first run's directory.
fn beside(first: Option<&PathBuf>) -> PathBuf {
    let first = first.map_or(Path::new("."), PathBuf::as_path);
    let dir = if first.is_dir() {
        first
    } else {
        first.parent().unwrap_or(Path::new("."))
    };
    dir.join("report.html")
}
