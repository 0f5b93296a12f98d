//! A plan for the terminal.

use crate::size::table::{render as render_answer, table};
use plimsoll_calculators::plan::{Plan, Settings};
use plimsoll_calculators::{Exact, Unit};
use std::fmt::Write as _;

/// The cluster, its topics, settings and commands, then what it all rests on.
pub fn render(plan: &Plan) -> String {
    let mut text = render_answer(&plan.summary);
    let mut topics = table([
        "topic",
        "partitions",
        "copies",
        "disk, all copies",
        "consumers",
    ]);
    for topic in &plan.topics {
        topics.add_row([
            topic.name.clone(),
            topic.partitions.to_string(),
            topic.replication.to_string(),
            Unit::Bytes.show(Exact::from(topic.disk_bytes)),
            topic
                .consumers
                .map_or_else(|| "not known".to_owned(), |count| count.to_string()),
        ]);
    }
    let _ = writeln!(text, "\n{topics}");
    settings(&mut text, "every broker", &plan.broker);
    settings(&mut text, "producers", &plan.producer);
    for topic in &plan.topics {
        settings(&mut text, &format!("topic {}", topic.name), &topic.settings);
        settings(
            &mut text,
            &format!("consumers of {}", topic.name),
            &topic.consumer,
        );
    }
    let _ = writeln!(text, "\nto create the topics:");
    for command in &plan.commands {
        let _ = writeln!(text, "  {command}");
    }
    text
}

fn settings(text: &mut String, of: &str, settings: &Settings) {
    let _ = writeln!(text, "\n{of}:");
    for (name, value) in settings {
        let _ = writeln!(text, "  {name}={value}");
    }
}
