//! `plimsoll topics alter`.

use crate::admin::{ClusterArgs, print_json};
use crate::failure::{Failure, Outcome};
use anyhow::anyhow;
use serde_json::json;
use std::process::ExitCode;

/// What the document says of adding partitions to a topic with keys (Part 3,
/// and the answer on changing the partition count).
const KEYS_WARNING: &str = "warning: keys are not moved: from now on a key may go to another \
    partition than its older records, so the order of records of one key is broken across the \
    change. Records already there stay where they are, the new partitions begin empty, and every \
    group that reads the topic rebalances.";

/// Add partitions to a topic.
///
/// Partitions can only be added. Keys are not moved: a key may go to another
/// partition from then on, which breaks the order of its records across the
/// change. The new partitions begin empty, and every group that reads the topic
/// rebalances.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll topics alter orders --partitions 12 --target localhost:9092"
)]
pub struct Args {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// How many partitions it is to have.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Adds them.
pub fn run(args: &Args) -> Outcome {
    let mut admin = args.cluster.reach()?;
    let topics = admin.describe_topics(std::slice::from_ref(&args.topic));
    let topics = topics.map_err(Failure::runtime)?;
    let before = topics.first().map_or(0, |topic| topic.partitions.len());
    if usize::try_from(args.partitions).is_ok_and(|wanted| wanted <= before) {
        return Err(Failure::usage(anyhow!(
            "--partitions {}: topic {} has {before}, and partitions can only be added; accepted: \
             more than {before}",
            args.partitions,
            args.topic
        )));
    }
    eprintln!("{KEYS_WARNING}");
    let added = admin.add_partitions(&args.topic, args.partitions);
    added.map_err(Failure::runtime)?;
    if args.cluster.json {
        print_json(&json!({
            "topic": args.topic,
            "partitions_before": before,
            "partitions": args.partitions,
            "warning": KEYS_WARNING.trim_start_matches("warning: "),
        }));
    } else {
        println!(
            "topic {}: {before} → {} partitions",
            args.topic, args.partitions
        );
    }
    Ok(ExitCode::SUCCESS)
}
