//! `plimsoll groups describe`.

use super::lag::{Row, rows};
use crate::admin::{ClusterArgs, columns, or_dash, print_json};
use crate::failure::{Failure, Outcome};
use anyhow::anyhow;
use plimsoll_drive::admin::{DescribedGroup, Isolation};
use serde_json::json;
use std::process::ExitCode;

/// Show where groups are: offsets, lag in records and in seconds, members.
///
/// LAG-SECONDS is the age of the next record that the group has not read, and 0
/// when it has read all. Members with nothing to read are listed with dashes.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll groups describe order-processor --target localhost:9092"
)]
pub struct Args {
    /// The groups [default: all].
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
    /// Count up to the last stable offset: what readers of committed records
    /// may see.
    #[arg(long)]
    read_committed: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Prints them.
pub fn run(args: &Args) -> Outcome {
    let mut admin = args.cluster.reach()?;
    let isolation = match args.read_committed {
        true => Isolation::ReadCommitted,
        false => Isolation::ReadUncommitted,
    };
    let names = match args.groups.as_slice() {
        [] => {
            let all = admin.groups().map_err(Failure::runtime)?;
            let readers = all
                .into_iter()
                .filter(|g| matches!(g.protocol_type.as_str(), "consumer" | "-"));
            readers.map(|group| group.group).collect()
        }
        named => named.to_vec(),
    };
    let mut described = Vec::with_capacity(names.len());
    for name in &names {
        let group = admin.describe_group(name).map_err(Failure::runtime)?;
        if !group.exists() {
            let words = "there is no such group; `plimsoll groups list` shows those there are";
            return Err(Failure::runtime(anyhow!("group {name}: {words}")));
        }
        let rows = rows(&mut admin, &group, isolation).map_err(Failure::runtime)?;
        described.push((group, rows));
    }
    if args.cluster.json {
        print_json(
            &described
                .iter()
                .map(|(group, rows)| as_json(group, rows))
                .collect(),
        );
        return Ok(ExitCode::SUCCESS);
    }
    for (position, (group, rows)) in described.iter().enumerate() {
        if position > 0 {
            println!();
        }
        print!("{}", as_text(group, rows));
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(group: &DescribedGroup, rows: &[Row]) -> String {
    let assignor = match group.assignor.as_str() {
        "" => String::new(),
        assignor => format!(", assignor {assignor}"),
    };
    let mut text = format!(
        "group {}: {}, {} protocol{assignor}, members {}, coordinator {}\n",
        group.group,
        group.state,
        group.kind,
        group.members.len(),
        group.coordinator
    );
    let header = [
        "GROUP",
        "TOPIC",
        "#PARTITION",
        "#CURRENT-OFFSET",
        "#LOG-END-OFFSET",
        "#LAG",
        "#LAG-SECONDS",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ];
    let lines = rows.iter().map(|row| {
        let place = row.partition.as_ref();
        let member = row.member.as_ref();
        [
            group.group.clone(),
            or_dash(place.map(|(topic, _)| topic)),
            or_dash(place.map(|(_, index)| index.get())),
            or_dash(row.current),
            or_dash(row.end),
            or_dash(row.lag),
            or_dash(row.age.map(|age| format!("{:.1}", age.as_secs_f64()))),
            or_dash(member.map(|m| &m.member)),
            or_dash(member.map(|m| &m.host)),
            or_dash(member.map(|m| &m.client)),
        ]
    });
    if !rows.is_empty() {
        text.push_str(&columns(header, &lines.collect::<Vec<_>>()));
    }
    text
}

fn as_json(group: &DescribedGroup, rows: &[Row]) -> serde_json::Value {
    let partitions = rows.iter().filter_map(|row| {
        let (topic, index) = row.partition.as_ref()?;
        Some(json!({
            "topic": topic,
            "partition": index.get(),
            "current_offset": row.current,
            "log_end_offset": row.end,
            "lag": row.lag,
            "lag_seconds": row.age.map(|age| age.as_secs_f64()),
            "consumer_id": row.member.as_ref().map(|m| &m.member),
        }))
    });
    let members = group.members.iter().map(|member| {
        json!({
            "consumer_id": member.member,
            "instance_id": member.instance,
            "client_id": member.client,
            "host": member.host,
            "partitions": member.assigned.len(),
        })
    });
    json!({
        "group": group.group,
        "state": group.state,
        "protocol": group.kind.to_string(),
        "assignor": group.assignor,
        "coordinator": group.coordinator,
        "members": members.collect::<Vec<_>>(),
        "partitions": partitions.collect::<Vec<_>>(),
    })
}
