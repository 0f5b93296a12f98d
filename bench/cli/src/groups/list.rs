//! `plimsoll groups list`.

use crate::admin::{ClusterArgs, columns, print_json};
use crate::failure::{Failure, Outcome};
use serde_json::json;
use std::process::ExitCode;

/// List the groups, with their protocol and state.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll groups list --state Empty --target localhost:9092")]
pub struct Args {
    /// Only groups in this state: Stable, Empty, PreparingRebalance, …
    #[arg(long, value_name = "STATE")]
    state: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Prints the list.
pub fn run(args: &Args) -> Outcome {
    let mut groups = args.cluster.reach()?.groups().map_err(Failure::runtime)?;
    let wanted = |state: &str| args.state.iter().any(|s| s.eq_ignore_ascii_case(state));
    groups.retain(|group| args.state.is_empty() || wanted(&group.state));
    if args.cluster.json {
        let all = groups.iter().map(|group| {
            json!({
                "group": group.group,
                "protocol": group.kind,
                "state": group.state,
                "type": group.protocol_type,
            })
        });
        print_json(&all.collect());
        return Ok(ExitCode::SUCCESS);
    }
    let rows = groups
        .into_iter()
        .map(|group| [group.group, group.kind, group.state, group.protocol_type]);
    print!(
        "{}",
        columns(
            ["GROUP", "PROTOCOL", "STATE", "TYPE"],
            &rows.collect::<Vec<_>>()
        )
    );
    Ok(ExitCode::SUCCESS)
}
