//! What a request costs: CPU seconds per GB of the broker and of the floor,
//! driven with the same frames in interleaved rounds.
//!
//! ```text
//! cargo build --release -p plimsoll && cargo build --release -p plimsoll-server --examples
//! target/release/examples/request_cost [--broker PATH|none] [--rounds N] [--mb N] [--batch BYTES,…]
//! ```
//!
//! The servers run as child processes. A round sends `--mb` megabytes of 1 KiB
//! records in batches of one size over one connection with five requests in
//! flight (acks=1), then fetches them back a megabyte at a time, then sends them
//! again while a consumer follows. The CPU time is that of a server's threads as
//! the scheduler accounts it, so what the client costs does not enter. Between
//! floor and broker stands the loop: the floor's work behind this crate's
//! connection loop, which shows what of the broker's cost is the loop's. The
//! ratio, broker to floor, is the median over the rounds' own ratios.

mod child;
mod frames;
mod rounds;

use child::{Child, temporary_directory};
use frames::Batch;
use rounds::{Broker, Cost, Floor, Target};
use std::io;
use std::path::{Path, PathBuf};

/// What was asked for on the command line.
struct Options {
    /// None to drive the floor and the loop only.
    broker: Option<PathBuf>,
    rounds: usize,
    round_bytes: usize,
    batches: Vec<usize>,
}

fn options() -> io::Result<Options> {
    let here = std::env::current_exe()?;
    let target = here.parent().and_then(|dir| dir.parent());
    let target = target.ok_or_else(|| io::Error::other("no target directory"))?;
    let mut options = Options {
        broker: Some(target.join("plimsoll")),
        rounds: 5,
        round_bytes: 256 << 20,
        batches: vec![16 << 10, 64 << 10, 1 << 20],
    };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args
            .next()
            .ok_or_else(|| io::Error::other(format!("{name}: no value")))?;
        let number = |text: &str| {
            let parsed = text.parse::<usize>();
            parsed.map_err(|e| io::Error::other(format!("{name} {text}: {e}")))
        };
        match name.as_str() {
            "--broker" if value == "none" => options.broker = None,
            "--broker" => options.broker = Some(value.into()),
            "--rounds" => options.rounds = number(&value)?.max(1),
            "--mb" => options.round_bytes = number(&value)?.max(1) << 20,
            "--batch" => {
                options.batches = value.split(',').map(number).collect::<Result<_, _>>()?
            }
            _ => return Err(io::Error::other(format!("{name}: unknown option"))),
        }
    }
    Ok(options)
}

fn main() -> io::Result<()> {
    let options = options()?;
    let here = std::env::current_exe()?;
    let floor_dir = temporary_directory("floor")?;
    let broker_dir = temporary_directory("broker")?;
    let floor = Child::start(here.with_file_name("floor"), &[floor_dir.path()])?;
    let data = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--stop-at-stdin-eof",
        "--data",
    ];
    let mut args: Vec<PathBuf> = data.iter().map(PathBuf::from).collect();
    args.push(broker_dir.path().to_owned());
    let broker = options
        .broker
        .clone()
        .map(|path| Child::start(path, &args))
        .transpose()?;
    let beside = here.with_file_name("loop_floor");
    let loop_dir = temporary_directory("loop")?;
    let looped = Child::start(beside, &[loop_dir.path()])?;
    println!(
        "{:<22}{:>9}{:>9}{:>9}{:>8}{:>14}",
        "CPU s per GB, medians", "floor", "loop", "broker", "ratio", "broker peak"
    );
    for &bytes in &options.batches {
        let batch = Batch::of(bytes);
        let requests = (options.round_bytes / batch.len()).max(1);
        let mut costs = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..options.rounds {
            let mut targets: Vec<Box<dyn Target>> =
                vec![Box::new(Floor::new(&floor)), Box::new(Floor::new(&looped))];
            if let Some(broker) = &broker {
                let topic = format!("cost-{bytes}-{round}");
                targets.push(Box::new(Broker::new(broker, &topic)?));
            }
            for turn in 0..targets.len() {
                let who = (turn + round) % targets.len();
                costs[who].push(rounds::round(targets[who].as_ref(), &batch, requests)?);
            }
            drop(targets);
            empty(floor_dir.path())?;
            empty(loop_dir.path())?;
        }
        let peak = broker.as_ref().map_or(Ok(0), Child::peak_memory_bytes)? >> 20;
        report(&format!("produce {bytes}"), &costs, peak, |c| c.produce);
        report(&format!("fetch {bytes}"), &costs, peak, |c| c.fetch);
        report(&format!("follow {bytes}"), &costs, peak, |c| c.follow);
    }
    Ok(())
}

/// Removes the files that a round left, in this process and not in the measured.
fn empty(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(())
}

fn report(what: &str, costs: &[Vec<Cost>; 3], peak: u64, of: fn(&Cost) -> f64) {
    let [floor, looped, broker] = costs
        .each_ref()
        .map(|costs| costs.iter().map(of).collect::<Vec<_>>());
    let pairs = broker
        .iter()
        .zip(&floor)
        .map(|(broker, floor)| broker / floor);
    let ratio = median(pairs.collect());
    let [floor, looped, broker] = [floor, looped, broker].map(median);
    let [floor, looped, broker] = [floor, looped, broker].map(|cost| shown(cost, 3));
    let ratio = shown(ratio, 2);
    println!("{what:<22}{floor:>9}{looped:>9}{broker:>9}{ratio:>8}{peak:>11} MB");
}

/// A figure, or a dash where nothing was measured.
fn shown(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "-".to_owned();
    }
    format!("{value:.digits$}")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
