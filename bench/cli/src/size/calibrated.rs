//! A calibration on the command line: read, and refused from another machine.

use crate::failure::Failure;
use anyhow::{Context as _, bail};
use plimsoll_calculators::calibration::Calibration;
use plimsoll_results::Fingerprint;
use std::path::{Path, PathBuf};

/// What was measured, instead of what the document says.
#[derive(clap::Args)]
pub struct Calibrated {
    /// Use what was measured: a file that `plimsoll calibrate` wrote.
    #[arg(long, global = true, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Use a calibration of another machine.
    #[arg(long, global = true)]
    force: bool,
}

impl Calibrated {
    /// The calibration, if one was asked for.
    pub fn load(&self) -> Result<Option<Calibration>, Failure> {
        let Some(file) = &self.calibration else {
            if self.force {
                let error = anyhow::anyhow!("--force: there is no --calibration to force");
                return Err(Failure::usage(error));
            }
            return Ok(None);
        };
        read(file, self.force).map(Some).map_err(Failure::usage)
    }
}

fn read(file: &Path, force: bool) -> anyhow::Result<Calibration> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let found = Calibration::from_json(&text).with_context(|| file.display().to_string())?;
    let here = Fingerprint::read(&std::env::temp_dir());
    if found.machine.hash != here.hash {
        let there = format!(
            "{} was measured on another machine ({}, {} cores; this one has {} cores of {})",
            file.display(),
            found.machine.cpu_model,
            found.machine.logical_cores,
            here.logical_cores,
            here.cpu_model
        );
        if !force {
            bail!("{there}; accepted: a calibration of this machine, or --force");
        }
        eprintln!("warning: {there}");
    }
    Ok(found)
}
