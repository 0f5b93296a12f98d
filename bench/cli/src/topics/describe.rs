//! `plimsoll topics describe`.

use crate::admin::{ClusterArgs, columns, listed, or_dash, print_json};
use crate::failure::{Failure, Outcome};
use plimsoll_drive::admin::{
    Admin, At, ConfigSource, Isolation, NodeId, Offset, PartitionInfo, TopicInfo, TopicPartition,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Show topics with their settings, partitions, leaders and offsets.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll topics describe orders --target localhost:9092")]
pub struct Args {
    /// The topics [default: all but the cluster's own].
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A topic and what is known of it.
struct Shown {
    topic: TopicInfo,
    /// What is set on the topic itself.
    configs: BTreeMap<String, String>,
    begins: BTreeMap<TopicPartition, Offset>,
    ends: BTreeMap<TopicPartition, Offset>,
}

/// Prints them.
pub fn run(args: &Args) -> Outcome {
    let mut admin = args.cluster.reach()?;
    let topics = match args.topics.as_slice() {
        [] => admin.topics().map(|mut all| {
            all.retain(|topic| !topic.is_internal);
            all
        }),
        named => admin.describe_topics(named),
    };
    let mut shown = Vec::new();
    for topic in topics.map_err(Failure::runtime)? {
        shown.push(look(&mut admin, topic).map_err(Failure::runtime)?);
    }
    if args.cluster.json {
        print_json(&shown.iter().map(as_json).collect());
    } else {
        for (position, topic) in shown.iter().enumerate() {
            if position > 0 {
                println!();
            }
            print!("{}", as_text(topic));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn look(admin: &mut Admin, topic: TopicInfo) -> Result<Shown, plimsoll_drive::DriveError> {
    let places: Vec<TopicPartition> = topic
        .partitions
        .keys()
        .map(|index| (topic.name.clone(), *index))
        .collect();
    let set = admin.topic_configs(&topic.name)?.into_iter();
    let set = set.filter(|config| config.source == ConfigSource::Topic);
    Ok(Shown {
        configs: set.filter_map(|c| Some((c.name, c.value?))).collect(),
        begins: admin.offsets(&places, At::Earliest, Isolation::ReadUncommitted)?,
        ends: admin.offsets(&places, At::Latest, Isolation::ReadUncommitted)?,
        topic,
    })
}

impl Shown {
    fn offsets(&self, place: &TopicPartition) -> (Option<i64>, Option<i64>) {
        let at = |of: &BTreeMap<TopicPartition, Offset>| of.get(place).map(|o| o.get());
        (at(&self.begins), at(&self.ends))
    }
}

fn as_text(shown: &Shown) -> String {
    let topic = &shown.topic;
    let copies = topic.partitions.values().map(|p| p.replicas.len()).max();
    let configs = shown
        .configs
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let mut text = format!(
        "topic {}: partitions {}, replication factor {}, configs {}\n",
        topic.name,
        topic.partitions.len(),
        copies.unwrap_or(0),
        match shown.configs.is_empty() {
            true => "-".to_owned(),
            false => listed(configs),
        }
    );
    let rows = topic.partitions.iter().map(|(index, partition)| {
        let (begin, end) = shown.offsets(&(topic.name.clone(), *index));
        [
            index.get().to_string(),
            or_dash(partition.leader.map(|node| node.get())),
            listed(ids(&partition.replicas)),
            listed(ids(&partition.in_sync)),
            or_dash(begin),
            or_dash(end),
        ]
    });
    let header = [
        "#PARTITION",
        "#LEADER",
        "REPLICAS",
        "IN-SYNC",
        "#BEGIN-OFFSET",
        "#END-OFFSET",
    ];
    text.push_str(&columns(header, &rows.collect::<Vec<_>>()));
    text
}

fn as_json(shown: &Shown) -> serde_json::Value {
    let topic = &shown.topic;
    let partition =
        |(index, partition): (&plimsoll_drive::admin::PartitionIndex, &PartitionInfo)| {
            let (begin, end) = shown.offsets(&(topic.name.clone(), *index));
            json!({
                "partition": index.get(),
                "leader": partition.leader.map(|node| node.get()),
                "replicas": ids(&partition.replicas),
                "in_sync": ids(&partition.in_sync),
                "begin_offset": begin,
                "end_offset": end,
            })
        };
    json!({
        "topic": topic.name,
        "internal": topic.is_internal,
        "configs": shown.configs,
        "partitions": topic.partitions.iter().map(partition).collect::<Vec<_>>(),
    })
}

fn ids(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.get()).collect()
}
