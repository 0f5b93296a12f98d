//! `plimsoll serve`: a broker until it is told to stop.

use crate::failure::{Failure, Outcome};
use crate::rehearsal::{self, Order};
use plimsoll_server::{
    Cluster, ClusterNodes, Given, MetricsEndpoint, Rehearsal, Server, ServerError, Settings,
};
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Run a broker that any Kafka client can use.
///
/// When the broker is ready it prints one line on standard output, `ready
/// HOST:PORT`, and nothing else; with several nodes, the address of each with
/// commas between. Ctrl-C or SIGTERM stops it cleanly; a second
/// one stops it at once.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll serve --listen 127.0.0.1:9092 --data ./plimsoll-data \
                        --set num.partitions=6"
)]
pub struct Args {
    /// How many nodes to run in this process, each broker and controller.
    #[arg(long, value_name = "N", default_value_t = 1)]
    nodes: u16,
    /// How many nodes to run besides that are controllers only; the others then
    /// do not vote on the metadata.
    #[arg(long, value_name = "N", default_value_t = 0)]
    controllers: u16,
    /// Where to listen; port 0 takes any free port [default: the property
    /// `listeners`, else 127.0.0.1:9092].
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where the data is kept, created when absent [default: the property
    /// `log.dirs`, else ./plimsoll-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A file of `property=value` lines, as Kafka's server.properties.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One property under Kafka's own name; stronger than the file.
    #[arg(long, value_name = "PROPERTY=VALUE")]
    set: Vec<String>,
    /// Keep a user that may come in by SCRAM, as Kafka's storage tool does:
    /// `SCRAM-SHA-256=[name=alice,password=secret]`.
    #[arg(long, value_name = "MECHANISM=[…]")]
    add_scram: Vec<String>,
    /// Serve metrics for Prometheus at http://HOST:PORT/metrics; port 0 takes
    /// any free port, which the log names.
    #[arg(long, value_name = "HOST:PORT")]
    metrics: Option<String>,
    /// What to log on standard error, as in `RUST_LOG`: a level, or levels by
    /// module [default: `RUST_LOG`, else info].
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Stop when standard input ends, so that a parent's death is noticed; until
    /// then take orders from it, for rehearsals.
    #[arg(long, hide = true)]
    stop_at_stdin_eof: bool,
    /// For tests of what finds regressions: burn this share of CPU time on top
    /// of what requests take.
    #[arg(long, hide = true, value_name = "PERCENT", default_value_t = 0)]
    test_only_slowdown: u32,
}

/// Serves until stopped.
pub fn run(args: Args) -> Outcome {
    log_to_stderr(args.log.as_deref())?;
    let mut stop = Stop::prepare(args.stop_at_stdin_eof).map_err(Failure::runtime)?;
    let given = Given {
        file: args.config,
        set: args.set,
        listen: args.listen,
        data: args.data,
        metrics: args.metrics,
        add_scram: args.add_scram,
        test_only_slowdown: args.test_only_slowdown,
    };
    let settings = Settings::read(&given).map_err(failure)?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let metrics = settings.metrics.clone();
    let count = ClusterNodes {
        brokers: args.nodes,
        controllers: args.controllers,
    };
    let nodes = match (args.nodes, args.controllers) {
        (1, 0) => Nodes::One(Box::new(Server::start(settings).map_err(failure)?)),
        _ => Nodes::Several(Cluster::start(&settings, count).map_err(failure)?),
    };
    if let Nodes::One(server) = &nodes {
        stop.rehearse(server.rehearsal())
            .map_err(Failure::runtime)?;
    }
    let endpoint = match &metrics {
        Some(listen) => Some(MetricsEndpoint::start(listen, nodes.metrics()).map_err(failure)?),
        None => None,
    };
    let mut early = None;
    let mut complain_at = Instant::now() + READY_SOON;
    while !nodes.is_ready() && early.is_none() {
        early = stop.wait_for(READY_POLL);
        if let Some(why) = nodes.waits_for().filter(|_| Instant::now() >= complain_at) {
            tracing::warn!("not ready yet: {why}");
            complain_at = Instant::now() + COMPLAIN_EVERY;
        }
    }
    if early.is_none() {
        let mut stdout = std::io::stdout();
        writeln!(stdout, "ready {}", nodes.addresses())
            .and_then(|()| stdout.flush())
            .map_err(Failure::runtime)?;
    }
    let reason = early.unwrap_or_else(|| stop.wait());
    tracing::info!("stopping: {reason}");
    if let Some(endpoint) = endpoint {
        endpoint.stop();
    }
    nodes.shutdown().map_err(failure)?;
    Ok(ExitCode::SUCCESS)
}

/// How often a node that waits to be let into its cluster looks.
const READY_POLL: Duration = Duration::from_millis(5);
/// After how long it says what it waits for, and how often it does so again.
const READY_SOON: Duration = Duration::from_secs(3);
const COMPLAIN_EVERY: Duration = Duration::from_secs(30);

/// What this process runs.
enum Nodes {
    One(Box<Server>),
    Several(Cluster),
}

impl Nodes {
    fn is_ready(&self) -> bool {
        match self {
            Self::One(server) => server.is_ready(),
            Self::Several(cluster) => cluster.is_ready(),
        }
    }

    fn waits_for(&self) -> Option<String> {
        match self {
            Self::One(server) => server.waits_for(),
            Self::Several(cluster) => cluster.waits_for(),
        }
    }

    fn addresses(&self) -> String {
        match self {
            Self::One(server) => server.address().to_owned(),
            Self::Several(cluster) => cluster.addresses(),
        }
    }

    fn metrics(&self) -> Vec<(String, plimsoll_server::Source)> {
        match self {
            Self::One(server) => vec![server.metrics()],
            Self::Several(cluster) => cluster.metrics(),
        }
    }

    fn shutdown(self) -> Result<(), ServerError> {
        match self {
            Self::One(server) => server.shutdown(),
            Self::Several(cluster) => cluster.shutdown(),
        }
    }
}

fn failure(error: ServerError) -> Failure {
    if error.is_usage() {
        Failure::usage(error)
    } else {
        Failure::runtime(error)
    }
}

fn log_to_stderr(filter: Option<&str>) -> Result<(), Failure> {
    let filter = match filter {
        Some(text) => EnvFilter::try_new(text)
            .map_err(|e| Failure::usage(anyhow::anyhow!("--log {text}: {e}")))?,
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

/// What ends a broker: a signal, or the end of standard input.
struct Stop {
    reasons: mpsc::Receiver<&'static str>,
    /// What standard input says, until somebody obeys.
    orders: Option<mpsc::Receiver<Order>>,
}

impl Stop {
    /// Takes over the signals, so that from now on none kills the process.
    fn prepare(at_stdin_eof: bool) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let guard = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        // A file that reaches the limit on its size is a failed write, not the
        // end of the process.
        let _stays_caught = signal(SignalKind::from_raw(SIGXFSZ))?;
        drop(guard);
        let (sender, reasons) = mpsc::channel();
        let from_signals = sender.clone();
        let watch = move || runtime.block_on(watch(terminate, interrupt, &from_signals));
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(watch)?;
        let mut orders = None;
        if at_stdin_eof {
            let (say, hear) = mpsc::channel();
            orders = Some(hear);
            std::thread::Builder::new()
                .name("stdin".into())
                .spawn(move || {
                    rehearsal::listen(std::io::stdin().lock(), |order| {
                        let _nobody_obeys = say.send(order);
                    });
                    let _already_stopping = sender.send("standard input ended");
                })?;
        }
        Ok(Self { reasons, orders })
    }

    /// Lets a node do what standard input says, also what it said before.
    fn rehearse(&mut self, rehearsal: Rehearsal) -> std::io::Result<()> {
        let Some(orders) = self.orders.take() else {
            return Ok(());
        };
        let obey = move || {
            orders
                .iter()
                .for_each(|order: Order| order.obey(&rehearsal))
        };
        std::thread::Builder::new()
            .name("rehearsal".into())
            .spawn(obey)
            .map(drop)
    }

    fn wait(&self) -> &'static str {
        self.reasons.recv().unwrap_or(UNSTOPPABLE)
    }

    /// The reason, when there is one within a time.
    fn wait_for(&self, time: Duration) -> Option<&'static str> {
        match self.reasons.recv_timeout(time) {
            Ok(reason) => Some(reason),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(UNSTOPPABLE),
        }
    }
}

/// Why it ends when it can be told no more.
const UNSTOPPABLE: &str = "nobody can stop it any more";

/// POSIX's signal for a file that grew past `RLIMIT_FSIZE`, by Linux's number.
const SIGXFSZ: i32 = 25;

/// Passes the first signal on; the second ends the process.
async fn watch(mut terminate: Signal, mut interrupt: Signal, to: &mpsc::Sender<&'static str>) {
    for again in [false, true] {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        if again {
            tracing::warn!("{name} again: stopping at once, the next start will recover");
            std::process::exit(1);
        }
        let _already_stopping = to.send(name);
    }
}
