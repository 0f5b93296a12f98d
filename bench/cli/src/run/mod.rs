//! `plimsoll run`: a workload against a cluster, from TOML to report.

mod incidents;
mod place;
mod plan_text;
mod progress;
mod screen;
pub mod session;
mod table;
pub mod target;

use crate::failure::{Failure, Outcome};
use crate::interrupt::Stop;
use crate::worker::Rendezvous;
use anyhow::Context as _;
use clap::builder::NonEmptyStringValueParser;
use place::Place;
use plimsoll_drive::team::{Board, Lead, Summons};
use plimsoll_workloads::Spec;
use session::{Ending, Session};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use target::TargetChoice;

/// Run a workload and measure it.
///
/// Starts a broker of its own unless --target names a cluster. The table goes
/// to standard output; the directory of the run gets plan.json, result.json, a
/// histogram log for each cell, charts and report.html. The exit code is 1
/// when records were lost or damaged, or the run could not be finished.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  plimsoll run quickstart\n  \
    plimsoll run workloads/quickstart.toml --set producer.acks=all --set load.rate=20K/s\n  \
    plimsoll run quickstart --target broker-1:9092,broker-2:9092 --out results/ours")]
pub struct Args {
    /// A workload file, or the name of one that ships with plimsoll.
    #[arg(value_name = "WORKLOAD")]
    workload: String,
    /// Where the load goes: `embedded`, or the addresses of a Kafka cluster.
    #[arg(long, value_name = "embedded|HOST:PORT,…", default_value = "embedded")]
    target: String,
    /// What the results call the target, which does not tell its name:
    /// `--target-name "Apache Kafka 4.1"`.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    target_name: Option<String>,
    /// How connections to that cluster are secured: a file of Kafka's client
    /// properties, such as security.protocol and sasl.jaas.config.
    #[arg(long, value_name = "FILE")]
    target_config: Option<PathBuf>,
    /// Change a setting of the workload: `--set producer.acks=all`; a list is
    /// a sweep: `--set producer.acks=[1,all]`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The directory of the run [default: results/NAME-TIMESTAMP].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Let this many `plimsoll worker` processes carry the load, met through
    /// --rendezvous; the target must be one that they all reach.
    #[arg(long, value_name = "N", requires = "rendezvous",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    workers: Option<u32>,
    /// The Kafka cluster to meet workers on: addresses of some of its brokers.
    #[arg(long, value_name = "HOST:PORT,…", requires = "workers")]
    rendezvous: Option<String>,
    /// The topic to meet workers on [default: plimsoll-control].
    #[arg(long, value_name = "TOPIC", requires = "rendezvous")]
    topic: Option<String>,
    /// How connections to the rendezvous are secured: a file of Kafka's client
    /// properties.
    #[arg(long, value_name = "FILE", requires = "rendezvous")]
    rendezvous_config: Option<PathBuf>,
    /// Go on with an unfinished run: cells that are done are not run again.
    /// Without --out this is the workload's latest.
    #[arg(long)]
    resume: bool,
    /// Print the plan and how long it takes, and run nothing.
    #[arg(long)]
    dry_run: bool,
    /// No progress on standard error.
    #[arg(long)]
    quiet: bool,
}

/// Runs the workload.
pub fn run(args: Args) -> Outcome {
    let spec = Spec::find(&args.workload, &args.set).map_err(Failure::usage)?;
    let plan = spec.plan().map_err(Failure::usage)?;
    if args.dry_run {
        say(&plan_text::describe(&plan))?;
        return Ok(ExitCode::SUCCESS);
    }
    let target =
        TargetChoice::parse(&args.target, args.target_config.as_deref()).map_err(Failure::usage)?;
    target.check(&plan).map_err(Failure::usage)?;
    let cluster = target.reach().map_err(Failure::runtime)?;
    let team = team(&args, &target)?;
    let place = Place::open(args.out.clone(), &plan, args.resume)?;
    let stop = Stop::install().context("cannot wait for signals")?;
    if target.ignores(&plan) && !args.quiet {
        eprintln!("warning: [broker] and [cluster] settings do not change a cluster that is there");
    }
    for warning in plan.warnings.iter().filter(|_| !args.quiet) {
        eprintln!("warning: {warning}");
    }
    let lead = match team {
        None => None,
        Some((board, summons)) => {
            let tell = |words: &str| {
                if !args.quiet {
                    eprintln!("{words}");
                }
            };
            let gathered = Lead::gather(board, &summons, &tell, &|| stop.is_asked());
            Some(gathered.map_err(Failure::runtime)?)
        }
    };
    let mut session = Session::new(&plan, target, cluster, place, stop, args.quiet)
        .calling_it(args.target_name)
        .led(lead);
    let ending = session.run();
    let shown = session.close();
    match ending {
        Ok(ending) => {
            shown?;
            Ok(exit_code(&ending))
        }
        Err(failure) => {
            if let Err(also) = shown {
                eprintln!("error: {also}");
            }
            Err(failure)
        }
    }
}

/// Where workers are met and how many are needed, when any are.
fn team(args: &Args, target: &TargetChoice) -> Result<Option<(Board, Summons)>, Failure> {
    let (Some(members), Some(rendezvous)) = (args.workers, &args.rendezvous) else {
        return Ok(None);
    };
    if !matches!(target, TargetChoice::External(_)) {
        return Err(Failure::usage(anyhow::anyhow!(
            "--workers {members}: workers cannot reach the embedded broker; give --target \
             HOST:PORT, for example of `plimsoll serve`"
        )));
    }
    let nanos = jiff::Timestamp::now().as_nanosecond();
    let session = format!("{nanos:x}-{:x}", std::process::id());
    let meeting = Rendezvous::new(
        rendezvous.clone(),
        args.topic.clone(),
        args.rendezvous_config.clone(),
    );
    let board = meeting.open(&format!("lead-{session}"))?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let summons = Summons {
        session,
        version,
        members,
    };
    Ok(Some((board, summons)))
}

/// Writes to standard output. A reader that has had enough, such as `head`, is
/// no error.
pub fn say(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

fn exit_code(ending: &Ending) -> ExitCode {
    match ending {
        Ending::Clean => ExitCode::SUCCESS,
        Ending::Stopped => {
            eprintln!("stopped; `--resume` goes on from here");
            ExitCode::FAILURE
        }
        Ending::Faulty(cells) => {
            eprintln!("error: {cells} cells lost or damaged records");
            ExitCode::FAILURE
        }
    }
}
