//! Runs seeds of the simulated world, and shows what a failing one did.

use clap::Parser;
use plimsoll_sim::{Plan, Report, Tally, run_caught};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The longest that one seed's faults may go on, in virtual seconds.
const STORM_SECS_MAX: u64 = 24 * 3600;

/// Runs clusters of the broker's code in a simulated world, one for each seed,
/// and reports what should not have happened.
#[derive(Debug, Parser)]
#[command(
    name = "plimsoll-sim",
    after_help = "Example: cargo run --release -p plimsoll-sim -- --seeds 2000 --nodes 1"
)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many nodes each cluster has: 1, 3 or 5.
    #[arg(long, default_value_t = 1, value_parser = parse_nodes)]
    nodes: usize,
    /// How long faults go on in each run, in virtual seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=STORM_SECS_MAX))]
    seconds: u64,
    /// Runs this seed alone and prints everything that happens.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    trace: Option<u64>,
    /// How many seeds run at once.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    threads: u64,
    /// Leaves groups and transactions out.
    #[arg(long)]
    no_coordinators: bool,
    /// Goes on after a seed has failed.
    #[arg(long)]
    keep_going: bool,
    /// Plants a bug, by its name; only in builds with the feature `mutations`.
    #[cfg(feature = "mutations")]
    #[arg(long)]
    mutation: Option<plimsoll_wire::mutation::Mutation>,
}

fn parse_nodes(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("1, 3 or 5 is accepted".into()),
    }
}

/// What all seeds came to.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    elapsed: Duration,
    tally: Tally,
    failed: Vec<Report>,
}

impl Sum {
    fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.elapsed += report.elapsed;
        self.tally += report.tally;
        if report.violation.is_some() {
            self.failed.push(report);
        }
    }

    fn print(&self, arguments: &Arguments) {
        let hours = self.elapsed.as_secs_f64() / 3600.0;
        println!(
            "{} seeds of {} node(s), {hours:.1} virtual hours, {} faults",
            self.seeds,
            arguments.nodes,
            self.tally.faults()
        );
        for (name, count) in self.tally.named() {
            println!("  {count:>10} {name}");
        }
        for report in &self.failed {
            show_failure(report, arguments);
        }
        if self.failed.is_empty() {
            println!("nothing was violated");
        }
    }
}

fn show_failure(report: &Report, arguments: &Arguments) {
    let Some(violation) = &report.violation else {
        return;
    };
    println!("seed {} (hash {}): {violation}", report.seed, report.hash);
    let flag = |set: bool, words: &'static str| if set { words } else { "" };
    println!(
        "  to see it again: cargo run --release -p plimsoll-sim -- --nodes {} --seconds {}{} --trace {}",
        arguments.nodes,
        arguments.seconds,
        flag(arguments.no_coordinators, " --no-coordinators"),
        report.seed
    );
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plan = Plan {
        storm: Duration::from_secs(arguments.seconds),
        coordinates: !arguments.no_coordinators,
        in_words: arguments.trace.is_some(),
        ..Plan::of(arguments.nodes)
    };
    match arguments.trace {
        Some(seed) => trace(seed, &plan, &arguments),
        None => run_all(&plan, &arguments),
    }
}

fn trace(seed: u64, plan: &Plan, arguments: &Arguments) -> ExitCode {
    plant(arguments);
    let report = run_caught(seed, plan);
    for line in &report.lines {
        println!("{line}");
    }
    println!("hash {}", report.hash);
    match report.violation {
        Some(_) => {
            show_failure(&report, arguments);
            ExitCode::FAILURE
        }
        None => {
            println!("nothing was violated");
            ExitCode::SUCCESS
        }
    }
}

fn run_all(plan: &Plan, arguments: &Arguments) -> ExitCode {
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from.saturating_add(arguments.seeds);
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                plant(arguments);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let report = run_caught(seed, plan);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.add(report);
                    if !sum.failed.is_empty() && !arguments.keep_going {
                        next.store(end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.failed.sort_by_key(|report| report.seed);
    sum.print(arguments);
    if sum.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(feature = "mutations")]
fn plant(arguments: &Arguments) {
    plimsoll_wire::mutation::plant(arguments.mutation);
}

#[cfg(not(feature = "mutations"))]
fn plant(_: &Arguments) {}
