//! The reference of the workload language, written from the table of settings.

use super::{cell::CellSpec, faults::FaultSpec, fields::Field, gate::GateSpec, run::RunSpec};
use serde_json::Value;
use std::fmt::Write;

/// Every setting with its default, its range, what it does and Kafka's name for it, as
/// Markdown tables.
pub fn reference() -> String {
    let mut text = String::new();
    for (section, fields) in CellSpec::sections() {
        match section {
            "" => {
                heading(&mut text, "At the top");
                rows(&mut text, RunSpec::FIELDS);
            }
            _ => heading(&mut text, &format!("`[{section}]`")),
        }
        rows(&mut text, fields);
    }
    heading(&mut text, "`[[faults]]`");
    rows(&mut text, FaultSpec::FIELDS);
    heading(&mut text, "`[gate]`");
    rows(&mut text, GateSpec::FIELDS);
    text
}

fn heading(text: &mut String, title: &str) {
    let _ = write!(
        text,
        "\n### {title}\n\n| setting | default | range | what it does |\n|---|---|---|---|\n"
    );
}

fn rows(text: &mut String, fields: &[Field]) {
    for field in fields {
        let default = match (field.default)() {
            Value::Null => String::new(),
            Value::String(empty) if empty.is_empty() => String::new(),
            Value::String(value) => format!("`\"{value}\"`"),
            other => format!("`{other}`"),
        };
        let doc = field.doc.split_whitespace().collect::<Vec<_>>().join(" ");
        let kafka = match field.kafka {
            "" => String::new(),
            name => format!(" Kafka: `{name}`."),
        };
        let range =
            (field.range)().map_or_else(String::new, |(from, to)| format!("{from} to {to}"));
        let name = field.name;
        let _ = writeln!(text, "| `{name}` | {default} | {range} | {doc}{kafka} |");
    }
}
