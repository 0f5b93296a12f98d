//! `plimsoll topics list`.

use crate::admin::{ClusterArgs, columns, print_json};
use crate::failure::{Failure, Outcome};
use serde_json::json;
use std::process::ExitCode;

/// List the topics, with their partitions and copies.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll topics list --target localhost:9092")]
pub struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Show the cluster's own topics too.
    #[arg(long)]
    internal: bool,
}

/// Prints the list.
pub fn run(args: &Args) -> Outcome {
    let mut topics = args.cluster.reach()?.topics().map_err(Failure::runtime)?;
    topics.retain(|topic| args.internal || !topic.is_internal);
    let copies = |topic: &plimsoll_drive::admin::TopicInfo| {
        let copies = topic.partitions.values().map(|p| p.replicas.len());
        copies.max().unwrap_or(0)
    };
    if args.cluster.json {
        let all = topics.iter().map(|topic| {
            json!({
                "topic": topic.name,
                "internal": topic.is_internal,
                "partitions": topic.partitions.len(),
                "replication_factor": copies(topic),
            })
        });
        print_json(&all.collect());
        return Ok(ExitCode::SUCCESS);
    }
    let rows = topics.iter().map(|topic| {
        [
            topic.name.clone(),
            topic.partitions.len().to_string(),
            copies(topic).to_string(),
        ]
    });
    let header = ["TOPIC", "#PARTITIONS", "#REPLICATION-FACTOR"];
    print!("{}", columns(header, &rows.collect::<Vec<_>>()));
    Ok(ExitCode::SUCCESS)
}
