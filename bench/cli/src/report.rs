//! `plimsoll report`: the page of one or several results, drawn again from
//! `result.json` alone.

use crate::failure::{Failure, Outcome};
use anyhow::Context as _;
use plimsoll_results::RunResult;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the report of one or several results.
///
/// One result gets its page and its charts again; several are set side by side
/// and compared with the first. Markdown and CSV go to standard output unless
/// --out names a file.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  plimsoll report results/quickstart-20260102-030405\n  \
                        plimsoll report results/ours results/kafka --out compared.html\n  \
                        plimsoll report results/ours --format md"
)]
pub struct Args {
    /// Directories that `plimsoll run` wrote.
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// Where the report goes [default: DIR/report.html for one result,
    /// ./comparison.html for several].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What to write.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One self-contained page.
    Html,
    /// For a pull request.
    Md,
    /// One row a cell, raw numbers.
    Csv,
}

/// Writes the report and says where it is.
pub fn run(args: &Args) -> Outcome {
    let runs = load(&args.dirs)?;
    let text = match args.format {
        Format::Html => plimsoll_plots::report(&runs),
        Format::Md => plimsoll_plots::markdown(&runs),
        Format::Csv => plimsoll_plots::csv(&runs),
    };
    let text = text.map_err(Failure::runtime)?;
    let out = match (
        &args.out,
        args.format,
        args.dirs.as_slice(),
        runs.as_slice(),
    ) {
        (Some(out), ..) => out.clone(),
        (None, Format::Html, [dir], [run]) if dir.is_dir() => {
            plimsoll_plots::charts(run, &dir.join("charts")).map_err(Failure::runtime)?;
            dir.join("report.html")
        }
        (None, Format::Html, ..) => PathBuf::from("comparison.html"),
        (None, ..) => {
            print!("{text}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    write(&out, &text)?;
    println!("{}", out.display());
    Ok(ExitCode::SUCCESS)
}

/// Loads results in the order given, several workloads of a cell apart; says when
/// one is of a later version.
pub fn load(dirs: &[PathBuf]) -> Result<Vec<RunResult>, Failure> {
    let load = |dir: &PathBuf| {
        let loaded = plimsoll_results::load(dir).map_err(Failure::usage)?;
        if let Some(notice) = loaded.notice {
            eprintln!("warning: {}: {notice}", loaded.path.display());
        }
        Ok(loaded.run.by_workload().into_owned())
    };
    dirs.iter().map(load).collect()
}

fn write(out: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(out, text)
        .with_context(|| format!("cannot write {}", out.display()))
        .map_err(Failure::usage)
}
