//! `plimsoll size schema` and `plimsoll size input`: the calculators for
//! programs.

use crate::failure::Failure;
use anyhow::{Context as _, anyhow};
use plimsoll_calculators::{Answer, registry};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The JSON Schema of a calculator's input and output.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll size schema disk")]
pub struct Schema {
    /// The calculator, plan or simulate.
    #[arg(value_name = "NAME")]
    name: String,
}

/// The answer to an input in JSON, as the schema describes it.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll size input offsets offsets.json --json")]
pub struct Input {
    /// The calculator, or simulate.
    #[arg(value_name = "NAME")]
    name: String,
    /// The file, or - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Schema {
    /// Prints it.
    pub fn print(&self) -> Result<(), Failure> {
        let schema = registry::schema(&self.name).ok_or_else(|| {
            let names = registry::NAMES.join(", ");
            Failure::usage(anyhow!(
                "no calculator is called {}; accepted: {names}, plan, simulate",
                self.name
            ))
        })?;
        let text = serde_json::to_string_pretty(&schema).map_err(Failure::runtime)?;
        println!("{text}");
        Ok(())
    }
}

impl Input {
    /// Reads the input and computes the answer.
    pub fn answer(&self) -> Result<Answer, Failure> {
        let text = read(&self.file).map_err(Failure::usage)?;
        registry::answer(&self.name, &text).map_err(Failure::usage)
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()));
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.context("cannot read standard input")?;
    Ok(text)
}
