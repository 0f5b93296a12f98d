//! The `plimsoll` command: one file per subcommand, each with its `Args` and a
//! `run` that returns how the process should end.
//!
//! Standard output carries what a script reads (a ready line, a table, JSON);
//! logs, progress and errors go to standard error. An error is one lower-case
//! line that names what was wrong and what would be accepted.

mod admin;
mod ask;
mod calibrate;
mod compare;
mod doctor;
pub mod embedded;
pub mod failure;
mod gate;
mod git;
mod groups;
mod history;
mod interrupt;
mod null_sink;
mod plan;
mod rehearsal;
mod report;
mod run;
mod serve;
mod size;
mod target_config;
mod topics;
mod worker;

use clap::{CommandFactory as _, Parser, Subcommand};
use failure::Outcome;
use std::process::ExitCode;

/// How much can a Kafka cluster carry? Drive it, measure it honestly, size it.
#[derive(Parser)]
#[command(
    name = "plimsoll",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Serve(serve::Args),
    Report(report::Args),
    Compare(compare::Args),
    Gate(gate::Args),
    History(history::Args),
    Size(size::Args),
    Topics(topics::Args),
    Groups(groups::Args),
    Doctor(doctor::Args),
    Worker(worker::Args),
    Calibrate(calibrate::Args),
    Plan(Box<plan::Args>),
    #[command(hide = true)]
    NullSink(null_sink::Args),
}

impl Command {
    fn run(self) -> Outcome {
        match self {
            Self::Run(args) => run::run(args),
            Self::Serve(args) => serve::run(args),
            Self::Report(args) => report::run(&args),
            Self::Compare(args) => compare::run(&args),
            Self::Gate(args) => gate::run(&args),
            Self::History(args) => history::run(args),
            Self::Size(args) => size::run(args),
            Self::Topics(args) => topics::run(args),
            Self::Groups(args) => groups::run(args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Worker(args) => worker::run(&args),
            Self::Calibrate(args) => calibrate::run(&args),
            Self::Plan(args) => plan::run(*args),
            Self::NullSink(args) => null_sink::run(&args),
        }
    }
}

/// The description of the whole command line.
fn command() -> clap::Command {
    Cli::command()
}

/// Does what the command line asks for, and asks for what a calculator without
/// arguments needs.
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let words = ask::complete(&command(), &words).unwrap_or(words);
    match Cli::parse_from(words).command.run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
