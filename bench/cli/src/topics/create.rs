//! `plimsoll topics create`.

use crate::admin::{ClusterArgs, print_json, settings};
use crate::failure::{Failure, Outcome};
use plimsoll_drive::admin::CreateTopic;
use serde_json::json;
use std::process::ExitCode;

/// Create a topic.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll topics create orders --partitions 6 \
    --config cleanup.policy=compact --target localhost:9092"
)]
pub struct Args {
    /// The topic's name.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// How many partitions [default: the cluster's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many brokers hold each partition [default: the cluster's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting under Kafka's property name.
    #[arg(long, value_name = "PROPERTY=VALUE")]
    config: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Creates it.
pub fn run(args: &Args) -> Outcome {
    let topic = CreateTopic {
        name: args.topic.clone(),
        partitions: args.partitions,
        replication_factor: args.replication_factor,
        configs: settings("--config", &args.config).map_err(Failure::usage)?,
    };
    let mut admin = args.cluster.reach()?;
    let (partitions, copies) = admin.create_topic(&topic).map_err(Failure::runtime)?;
    if args.cluster.json {
        print_json(&json!({
            "topic": args.topic,
            "partitions": partitions,
            "replication_factor": copies,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let shown = |count: Option<String>| count.unwrap_or_else(|| "the default".to_owned());
    println!(
        "created topic {}: partitions {}, replication factor {}",
        args.topic,
        shown(partitions.map(|n| n.to_string())),
        shown(copies.map(|n| n.to_string())),
    );
    Ok(ExitCode::SUCCESS)
}
