//! One run of a side's bench programs.

use super::output::{LAST, Times, read};
use super::programs::Programs;
use crate::interrupt::Stop;
use anyhow::{Context as _, bail};
use plimsoll_workloads::units::Span;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Time for which one benchmark is measured unless the user says otherwise.
const MEASURE: Duration = Duration::from_millis(100);
/// Samples of one benchmark, the fewest that criterion takes: its median over
/// the pairs decides, not over these.
const SAMPLES: &str = "10";
/// Resamples for criterion's own intervals, which nobody reads here; it warns
/// below a thousand.
const RESAMPLES: &str = "1001";

/// How benchmarks are run.
pub struct Bench {
    /// Only those that this regular expression finds.
    pub only: Option<String>,
    /// Time for which each is measured.
    pub measure: Option<Span>,
    /// Where criterion writes; emptied before each run.
    pub home: PathBuf,
}

impl Bench {
    /// Runs every program of a side once; `None` when the user stopped it.
    ///
    /// # Errors
    /// When a program cannot be run or fails, or left no measurement.
    pub fn run(&self, programs: &Programs, stop: &Stop) -> anyhow::Result<Option<Times>> {
        if self.home.exists() {
            // An older measurement would be compared with, which takes time.
            fs::remove_dir_all(&self.home).context("cannot empty criterion's directory")?;
        }
        fs::create_dir_all(&self.home).context("cannot create criterion's directory")?;
        for program in &programs.paths {
            let shown = program.display();
            let output = self
                .command(program, programs)
                .output()
                .with_context(|| format!("cannot run {shown}"))?;
            if stop.is_asked() {
                return Ok(None);
            }
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                bail!("{shown} failed: {}", said.trim());
            }
        }
        read(&self.home, LAST)
            .with_context(|| {
                let only = self.only.as_ref();
                let only = only.map_or_else(String::new, |only| format!(" that `{only}` finds"));
                format!("the program measured nothing{only}")
            })
            .map(Some)
    }

    fn command(&self, program: &PathBuf, programs: &Programs) -> Command {
        let measure = self.measure.map_or(MEASURE, |span| span.duration());
        let seconds = |time: Duration| time.as_secs_f64().to_string();
        let mut command = Command::new(program);
        command
            .args(["--bench", "--noplot", "--sample-size", SAMPLES])
            .args(["--nresamples", RESAMPLES])
            .args(["--warm-up-time", &seconds(measure / 2)])
            .args(["--measurement-time", &seconds(measure)])
            .args(&self.only)
            .env("CRITERION_HOME", &self.home)
            .current_dir(&programs.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }
}
