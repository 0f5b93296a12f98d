//! Where a verdict goes.

use super::{Args, junit, markdown, text};
use crate::failure::Failure;
use anyhow::{Context as _, anyhow};
use plimsoll_gate::{GateReport, Outcome};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The gate's file in its directory.
const GATE_FILE: &str = "gate.json";
const STDOUT: &str = "-";

/// The metrics so far in one line.
pub fn so_far(outcome: &Outcome) -> String {
    text::so_far(outcome)
}

/// The directory of a live gate.
pub fn directory(out: Option<&Path>, name: &str) -> PathBuf {
    let now = || jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    out.map_or_else(
        || Path::new("results").join(format!("gate-{name}-{}", now())),
        Path::to_path_buf,
    )
}

/// Keeps a live gate's verdict beside its results.
pub fn keep(report: &GateReport, dir: &Path, quiet: bool) -> anyhow::Result<()> {
    write(&dir.join(GATE_FILE), &json(report)?)?;
    plimsoll_plots::gate_chart(report, dir)?;
    if !quiet {
        eprintln!("gate: {}", dir.join(GATE_FILE).display());
    }
    Ok(())
}

/// The files that the user asked for.
pub struct Files {
    json: Option<PathBuf>,
    junit: Option<PathBuf>,
    md: Option<PathBuf>,
}

impl Files {
    /// What the command line asks for; files that cannot be written are refused
    /// before anything is run.
    pub fn of(args: &Args) -> Result<Self, Failure> {
        let files = Self {
            json: args.json.clone(),
            junit: args.junit.clone(),
            md: args.md.clone(),
        };
        let all = [&files.json, &files.junit, &files.md];
        let to_stdout = all
            .iter()
            .filter(|f| f.as_deref() == Some(Path::new(STDOUT)));
        if to_stdout.count() > 1 {
            return Err(Failure::usage(anyhow!(
                "only one of --json, --junit and --md can be -, which is standard output"
            )));
        }
        for path in all
            .into_iter()
            .flatten()
            .filter(|path| *path != Path::new(STDOUT))
        {
            write(path, "").map_err(Failure::usage)?;
        }
        Ok(files)
    }

    /// Writes the files, and the table unless standard output is a file's.
    pub fn write(&self, report: &GateReport) -> anyhow::Result<()> {
        let mut table = true;
        let texts = [
            (&self.json, json(report)?),
            (&self.junit, junit::render(report)),
            (&self.md, markdown::render(report)),
        ];
        for (path, text) in texts {
            match path.as_deref() {
                None => {}
                Some(path) if path == Path::new(STDOUT) => {
                    table = false;
                    print(&text)?;
                }
                Some(path) => write(path, &text)?,
            }
        }
        let said = text::sentences(report).join("\n");
        match table {
            true => print(&format!(
                "A: {}\nB: {}\n{}{said}\n",
                report.a,
                report.b,
                text::table(report)
            )),
            false => {
                eprintln!("{said}");
                Ok(())
            }
        }
    }
}

fn json(report: &GateReport) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(report).context("cannot write the verdict")?;
    Ok(format!("{text}\n"))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}
