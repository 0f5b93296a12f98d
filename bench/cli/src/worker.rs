//! `plimsoll worker`: a process that carries load for runs on other machines.

use crate::failure::{Failure, Outcome};
use crate::interrupt::Stop;
use crate::run::target::TargetChoice;
use crate::target_config;
use anyhow::Context as _;
use plimsoll_drive::DriveError;
use plimsoll_drive::access::Bootstrap;
use plimsoll_drive::team::{self, Board, CONTROL_TOPIC, Member};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Carry load for runs that are started elsewhere.
///
/// Workers and `plimsoll run --workers N` meet through a topic of a Kafka cluster:
/// the target itself or another one. A worker waits until a run calls, carries its
/// share of each cell, and waits again. It needs nothing but the rendezvous, and the
/// target that the run names.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  plimsoll worker --rendezvous broker-1:9092\n  \
    plimsoll run quickstart --target broker-1:9092 --workers 3 --rendezvous broker-1:9092"
)]
pub struct Args {
    #[command(flatten)]
    rendezvous: Rendezvous,
    /// How connections to the targets are secured: a file of Kafka's client
    /// properties. Secrets never pass through the rendezvous.
    #[arg(long, value_name = "FILE")]
    target_config: Option<PathBuf>,
    /// End after one run.
    #[arg(long)]
    once: bool,
}

/// Where workers and runs meet.
#[derive(clap::Args)]
pub struct Rendezvous {
    /// The Kafka cluster to meet on: addresses of some of its brokers.
    #[arg(long, value_name = "HOST:PORT,…")]
    rendezvous: String,
    /// The topic to meet on; made when there is none.
    #[arg(long, value_name = "TOPIC", default_value = CONTROL_TOPIC)]
    topic: String,
    /// How connections to that cluster are secured: a file of Kafka's client
    /// properties.
    #[arg(long, value_name = "FILE")]
    rendezvous_config: Option<PathBuf>,
}

impl Rendezvous {
    /// Another way to say the same.
    pub fn new(rendezvous: String, topic: Option<String>, config: Option<PathBuf>) -> Self {
        Self {
            rendezvous,
            topic: topic.unwrap_or_else(|| CONTROL_TOPIC.to_owned()),
            rendezvous_config: config,
        }
    }

    /// Opens the topic, as `name`.
    pub fn open(&self, name: &str) -> Result<Board, Failure> {
        let bootstrap = addresses(&self.rendezvous, self.rendezvous_config.as_deref())?;
        Board::open(&bootstrap, &self.topic, name)
            .context("cannot meet on the control topic")
            .map_err(Failure::runtime)
    }
}

fn addresses(text: &str, config: Option<&Path>) -> Result<Bootstrap, Failure> {
    match TargetChoice::parse(text, config) {
        Ok(TargetChoice::External(bootstrap)) => Ok(bootstrap),
        Ok(_) => Err(Failure::usage(anyhow::anyhow!(
            "--rendezvous {text}: accepted: HOST:PORT,… of a Kafka cluster"
        ))),
        Err(error) => Err(Failure::usage(error.context("--rendezvous"))),
    }
}

/// Works until stopped.
pub fn run(args: &Args) -> Outcome {
    let security = args.target_config.as_deref().map(target_config::read);
    let security = security.transpose().map_err(Failure::usage)?;
    let host = sysinfo::System::host_name().unwrap_or_else(|_| "this machine".to_owned());
    let name = format!(
        "{:x}-{:x}",
        jiff::Timestamp::now().as_nanosecond(),
        std::process::id()
    );
    let mut board = args.rendezvous.open(&name)?;
    let stop = Stop::install().context("cannot wait for signals")?;
    let member = Member {
        name,
        host,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        security: security.unwrap_or_default(),
        tell: &|words| eprintln!("worker: {words}"),
        stops: &|| stop.is_asked(),
    };
    match team::serve(&mut board, &member, args.once) {
        Ok(()) | Err(DriveError::Interrupted) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::runtime(error)),
    }
}
