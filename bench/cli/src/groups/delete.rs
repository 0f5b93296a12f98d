//! `plimsoll groups delete`.

use crate::admin::{ClusterArgs, print_json};
use crate::failure::{Failure, Outcome};
use anyhow::anyhow;
use serde_json::json;
use std::process::ExitCode;

/// Delete groups that nobody is in, with their offsets.
///
/// They are looked up first: when one does not exist or is active, none is
/// deleted.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll groups delete order-processor --target localhost:9092"
)]
pub struct Args {
    /// The groups.
    #[arg(value_name = "GROUP", required = true)]
    groups: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Deletes them.
pub fn run(args: &Args) -> Outcome {
    let mut admin = args.cluster.reach()?;
    for name in &args.groups {
        let group = admin.describe_group(name).map_err(Failure::runtime)?;
        if !group.exists() {
            return Err(Failure::runtime(anyhow!(
                "group {name}: there is no such group"
            )));
        }
        if group.is_active() {
            return Err(Failure::runtime(anyhow!(
                "group {name} is {} with {} members; accepted: a group whose members have left",
                group.state,
                group.members.len()
            )));
        }
    }
    for name in &args.groups {
        admin.delete_group(name).map_err(Failure::runtime)?;
        if !args.cluster.json {
            println!("deleted group {name}");
        }
    }
    if args.cluster.json {
        print_json(&json!({"deleted": args.groups}));
    }
    Ok(ExitCode::SUCCESS)
}
