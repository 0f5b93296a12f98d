//! `plimsoll groups`: the consumer groups of any cluster, one file per command.

mod delete;
mod describe;
mod lag;
mod list;
mod reset;

use crate::failure::Outcome;
use clap::Subcommand;

/// List, describe, reset and delete consumer groups, on any cluster.
///
/// Groups of the classic and of the consumer protocol (KIP-848) alike.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plimsoll groups describe order-processor --target localhost:9092\n  \
    plimsoll groups reset-offsets order-processor --to-datetime 2026-01-31T08:00:00Z --target localhost:9092")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    List(list::Args),
    Describe(describe::Args),
    ResetOffsets(reset::Args),
    Delete(delete::Args),
}

/// Does what is asked.
pub fn run(args: Args) -> Outcome {
    match args.what {
        What::List(args) => list::run(&args),
        What::Describe(args) => describe::run(&args),
        What::ResetOffsets(args) => reset::run(&args),
        What::Delete(args) => delete::run(&args),
    }
}
