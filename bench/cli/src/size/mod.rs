//! `plimsoll size`: the calculators on the command line, one file each.

mod brokers;
pub mod calibrated;
pub mod chart;
mod choose;
mod compaction;
mod consumers;
mod cost;
mod disk;
mod lag;
pub mod load;
mod memory;
mod network;
mod offsets;
mod partitions;
mod rebalance;
mod retention;
mod schema;
pub mod table;
mod transactions;

use crate::failure::{Failure, Outcome};
use calibrated::Calibrated;
use clap::Subcommand;
use plimsoll_calculators::calibration::Calibration;
use plimsoll_calculators::{Answer, InputError};
use std::path::PathBuf;
use std::process::ExitCode;

/// Size a cluster: disk, partitions, brokers, lag, cost and more.
///
/// Every answer says what binds, which rules it rests on, what it assumed, and
/// where a rule is off. Quantities take units: 50K/s, 1KiB, 7d, 30TB, 80%; a
/// range is written 10MB/s..30MB/s. On a terminal, a calculator without
/// arguments asks for what it needs.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  plimsoll size disk --rate 50K/s --size 1KB --retention 7d --replication 3\n  \
    plimsoll size partitions --rate 50K/s --size 1KB --calibration calibration.json\n  \
    plimsoll size lag --produced 50K/s --consumed 60K/s --outage 1h --chart lag.svg\n  \
    plimsoll size schema disk"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    json: bool,
    /// Draw the answer's curve into this file, .svg or .png.
    #[arg(long, global = true, value_name = "FILE")]
    chart: Option<PathBuf>,
    #[command(flatten)]
    calibrated: Calibrated,
}

#[derive(Subcommand)]
enum What {
    Disk(disk::Args),
    Retention(retention::Args),
    Partitions(partitions::Args),
    Consumers(consumers::Args),
    Brokers(brokers::Args),
    Network(network::Args),
    Memory(memory::Args),
    Lag(lag::Args),
    Rebalance(rebalance::Args),
    Compaction(compaction::Args),
    Transactions(transactions::Args),
    Offsets(offsets::Args),
    Cost(cost::Args),
    Choose(choose::Args),
    Schema(schema::Schema),
    Input(schema::Input),
}

/// The calculators that a calibration tells something.
const CALIBRATED: &str = "disk, retention, partitions, brokers or transactions";

impl What {
    /// The answer; none when a schema was printed instead.
    fn answer(self, calibration: Option<&Calibration>) -> Result<Option<Answer>, Failure> {
        let answer = match self {
            Self::Disk(args) => sized(args.answer(calibration)),
            Self::Retention(args) => sized(args.answer(calibration)),
            Self::Partitions(args) => sized(args.answer(calibration)),
            Self::Brokers(args) => sized(args.answer(calibration)),
            Self::Transactions(args) => sized(args.answer(calibration)),
            _ if calibration.is_some() => {
                let refused = InputError::refused("calibration", "given", CALIBRATED);
                Err(Failure::usage(refused))
            }
            Self::Consumers(args) => sized(args.answer()),
            Self::Network(args) => sized(args.answer()),
            Self::Memory(args) => sized(args.answer()),
            Self::Lag(args) => sized(args.answer()),
            Self::Rebalance(args) => sized(args.answer()),
            Self::Compaction(args) => sized(args.answer()),
            Self::Offsets(args) => sized(args.answer()),
            Self::Cost(args) => args.answer(),
            Self::Choose(args) => sized(args.answer()),
            Self::Input(args) => args.answer(),
            Self::Schema(args) => return args.print().map(|()| None),
        };
        answer.map(Some)
    }
}

fn sized(answer: Result<Answer, InputError>) -> Result<Answer, Failure> {
    answer.map_err(Failure::usage)
}

/// Prints the answer.
pub fn run(args: Args) -> Outcome {
    let calibration = args.calibrated.load()?;
    let Some(answer) = args.what.answer(calibration.as_ref())? else {
        return Ok(ExitCode::SUCCESS);
    };
    if let Some(file) = &args.chart {
        chart::draw(&answer, file)?;
    }
    if args.json {
        let json = serde_json::to_string_pretty(&answer).map_err(Failure::runtime)?;
        println!("{json}");
    } else {
        print!("{}", table::render(&answer));
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser};

    #[derive(Parser)]
    #[command(name = "size")]
    struct Host {
        #[command(flatten)]
        args: Args,
    }

    fn answer(line: &str) -> Result<Answer, String> {
        let words = line.split_whitespace().skip(1);
        let host = Host::try_parse_from(words).map_err(|error| error.to_string())?;
        let calibration = host
            .args
            .calibrated
            .load()
            .map_err(|error| error.to_string())?;
        let answer = host.args.what.answer(calibration.as_ref());
        let answer = answer.map_err(|error| error.to_string())?;
        answer.ok_or_else(|| "no answer".to_owned())
    }

    #[test]
    fn every_calculators_example_gives_an_answer() {
        let command = Host::command();
        let names = plimsoll_calculators::registry::NAMES;
        for calculator in command
            .get_subcommands()
            .filter(|c| names.contains(&c.get_name()))
        {
            let help = calculator.get_after_help().expect("an example").to_string();
            let example = help.lines().find(|line| line.contains("plimsoll size"));
            let example = example.unwrap_or_else(|| panic!("{help}"));
            let answer = answer(example).unwrap_or_else(|error| panic!("{example}: {error}"));
            assert_eq!(answer.calculator, calculator.get_name());
            let text = table::render(&answer);
            assert!(
                answer.lines.iter().all(|line| text.contains(&line.name)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_refused_names_the_field_and_what_is_accepted() {
        let check = |line: &str, expected: &str| {
            let error = answer(line).expect_err(line);
            assert!(error.contains(expected), "{error}");
        };
        let disk = "plimsoll size disk --rate 50K/s --retention 7d --size";
        check(&format!("{disk} 1K"), "KB counts in 1000, KiB in 1024");
        check(
            &format!("{disk} 1KB --replication 4"),
            "replication is 4; accepted: at most the brokers, 3",
        );
        check(
            &format!("{disk} 1KB --ratio 0"),
            "ratio is 0; accepted: 1 to",
        );
        check("plimsoll size disk --rate 50K/s", "--size <SIZE>");
        check(
            "plimsoll size cost --rate 1/s --size 1KB --prices nowhere.toml",
            "nowhere.toml",
        );
        check(
            &format!("{disk} 1KB --codec lzma"),
            "accepted: none, gzip, snappy, lz4 or zstd",
        );
        check(
            "plimsoll size transactions --plain 1K/s --records 10",
            "commit is not given; accepted: a time such as 10ms",
        );
    }
}
