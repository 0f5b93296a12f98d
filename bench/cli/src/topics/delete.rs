//! `plimsoll topics delete`.

use crate::admin::{ClusterArgs, print_json};
use crate::failure::{Failure, Outcome};
use serde_json::json;
use std::process::ExitCode;

/// Delete topics with all their records.
///
/// They are looked up first: when one does not exist, none is deleted.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll topics delete orders --target localhost:9092")]
pub struct Args {
    /// The topics.
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Deletes them.
pub fn run(args: &Args) -> Outcome {
    let mut admin = args.cluster.reach()?;
    admin
        .describe_topics(&args.topics)
        .map_err(Failure::runtime)?;
    for topic in &args.topics {
        admin.delete_topic(topic).map_err(Failure::runtime)?;
        if !args.cluster.json {
            println!("deleted topic {topic}");
        }
    }
    if args.cluster.json {
        print_json(&json!({"deleted": args.topics}));
    }
    Ok(ExitCode::SUCCESS)
}
