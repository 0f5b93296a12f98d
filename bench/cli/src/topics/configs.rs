//! `plimsoll topics configs`.

use crate::admin::{ClusterArgs, columns, or_dash, print_json, settings};
use crate::failure::{Failure, Outcome};
use plimsoll_drive::admin::{ConfigEntry, ConfigSource};
use serde_json::json;
use std::process::ExitCode;

/// Show a topic's settings, or change some of them.
///
/// Without --set and --unset all settings are shown with where they come from:
/// `topic`, `broker` or `default`. With them the changes are made, all or none,
/// and the settings shown are those changed.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  plimsoll topics configs orders --target localhost:9092\n  \
    plimsoll topics configs orders --set retention.ms=86400000 --unset segment.bytes --target localhost:9092"
)]
pub struct Args {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Set a property on the topic.
    #[arg(long, value_name = "PROPERTY=VALUE")]
    set: Vec<String>,
    /// Take a property back to the broker's value.
    #[arg(long, value_name = "PROPERTY")]
    unset: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Shows or changes them.
pub fn run(args: &Args) -> Outcome {
    let set = settings("--set", &args.set).map_err(Failure::usage)?;
    if let Some(both) = args.unset.iter().find(|name| set.contains_key(*name)) {
        return Err(Failure::usage(anyhow::anyhow!(
            "--unset {both}: it is set by --set; accepted: one of the two"
        )));
    }
    let mut admin = args.cluster.reach()?;
    let changes = !set.is_empty() || !args.unset.is_empty();
    if changes {
        let altered = admin.alter_topic_configs(&args.topic, &set, &args.unset);
        altered.map_err(Failure::runtime)?;
    }
    let mut configs = admin.topic_configs(&args.topic).map_err(Failure::runtime)?;
    if changes {
        configs.retain(|c| set.contains_key(&c.name) || args.unset.contains(&c.name));
    }
    if args.cluster.json {
        let all = configs.iter().map(
            |config| json!({"name": config.name, "value": config.value, "source": source(config)}),
        );
        print_json(&all.collect());
        return Ok(ExitCode::SUCCESS);
    }
    let rows = configs.iter().map(|config| {
        [
            config.name.clone(),
            or_dash(config.value.as_deref()),
            source(config),
        ]
    });
    print!(
        "{}",
        columns(["PROPERTY", "VALUE", "SOURCE"], &rows.collect::<Vec<_>>())
    );
    Ok(ExitCode::SUCCESS)
}

fn source(config: &ConfigEntry) -> String {
    match config.source {
        ConfigSource::Topic => "topic".to_owned(),
        ConfigSource::Broker => "broker".to_owned(),
        ConfigSource::Default => "default".to_owned(),
        ConfigSource::Other(code) => format!("source {code}"),
    }
}
