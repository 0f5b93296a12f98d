//! `plimsoll topics`: the topics of any cluster, one file per command.

mod alter;
mod configs;
mod create;
mod delete;
mod describe;
mod list;

use crate::failure::Outcome;
use clap::Subcommand;

/// List, create, describe, alter and delete topics, on any cluster.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plimsoll topics create orders --partitions 6 --target localhost:9092\n  \
    plimsoll topics describe orders --target localhost:9092\n  \
    plimsoll topics configs orders --set retention.ms=86400000 --target localhost:9092")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    List(list::Args),
    Create(create::Args),
    Describe(describe::Args),
    Alter(alter::Args),
    Configs(configs::Args),
    Delete(delete::Args),
}

/// Does what is asked.
pub fn run(args: Args) -> Outcome {
    match args.what {
        What::List(args) => list::run(&args),
        What::Create(args) => create::run(&args),
        What::Describe(args) => describe::run(&args),
        What::Alter(args) => alter::run(&args),
        What::Configs(args) => configs::run(&args),
        What::Delete(args) => delete::run(&args),
    }
}
