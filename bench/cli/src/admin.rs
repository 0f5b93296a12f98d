//! What the commands on a cluster that is there have in common: `--target`,
//! `--json`, and columns that a person and `awk` can both read.

use crate::failure::Failure;
use crate::run::target::TargetChoice;
use anyhow::bail;
use plimsoll_drive::admin::{Admin, PartitionIndex, TopicPartition};
use plimsoll_units::{Size, Span};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which cluster, and how to print.
#[derive(clap::Args)]
pub struct ClusterArgs {
    /// The cluster: addresses of some of its brokers.
    #[arg(long, value_name = "HOST:PORT,…")]
    target: String,
    /// How connections to it are secured: a file of Kafka's client properties.
    #[arg(long, value_name = "FILE")]
    target_config: Option<PathBuf>,
    /// Print JSON instead of columns.
    #[arg(long)]
    pub json: bool,
}

impl ClusterArgs {
    /// Connects to the cluster.
    pub fn reach(&self) -> Result<Admin, Failure> {
        let target = TargetChoice::parse(&self.target, self.target_config.as_deref());
        match target.map_err(Failure::usage)? {
            TargetChoice::External(bootstrap) => Admin::reach(&bootstrap).map_err(Failure::runtime),
            TargetChoice::Embedded | TargetChoice::Program(_) => {
                Err(Failure::usage(anyhow::anyhow!(
                    "--target embedded: that broker lives only as long as a run; accepted: HOST:PORT,…"
                )))
            }
        }
    }
}

/// Prints a value as JSON.
pub fn print_json(value: &serde_json::Value) {
    println!("{value:#}");
}

/// Rows under a header, in columns; a name that starts with `#` stands over
/// numbers, which are set to the right.
pub fn columns<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let names = header.map(|name| name.trim_start_matches('#').to_owned());
    let lines = || std::iter::once(&names).chain(rows);
    let mut text = String::new();
    for line in lines() {
        let mut row = String::new();
        for (column, (cell, name)) in line.iter().zip(header).enumerate() {
            let widths = lines().filter_map(|line| line.get(column));
            let width = widths.map(|cell| cell.chars().count()).max().unwrap_or(0);
            if column > 0 {
                row.push_str("  ");
            }
            row.push_str(&match name.starts_with('#') {
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            });
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Numbers with commas between them.
pub fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(",")
}

/// What there is, or a dash.
pub fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Reads `KEY=VALUE` settings.
pub fn settings(option: &str, texts: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut settings = BTreeMap::new();
    for text in texts {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                let name = name.trim();
                if let Some(plain) = in_kafkas_unit(name, value) {
                    bail!(
                        "{option} {text}: Kafka's properties are plain numbers; accepted: {name}={plain}"
                    );
                }
                settings.insert(name.to_owned(), value.to_owned());
            }
            _ => bail!("{option} {text}: no such form; accepted: PROPERTY=VALUE"),
        }
    }
    Ok(settings)
}

/// What a value that carries a unit is in the unit of its property's name; none
/// when it carries none, or the property takes no such number.
fn in_kafkas_unit(name: &str, value: &str) -> Option<u64> {
    if value.trim().parse::<f64>().is_ok() {
        return None;
    }
    match name.rsplit('.').next()? {
        "ms" => value.parse::<Span>().ok().map(Span::millis),
        "bytes" => value.parse::<Size>().ok().map(Size::bytes),
        _ => None,
    }
}

/// A topic with some of its partitions, or with all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicChoice {
    /// The topic.
    pub topic: String,
    /// Its partitions; `None` for all.
    pub partitions: Option<Vec<PartitionIndex>>,
}

impl TopicChoice {
    /// Reads `TOPIC` or `TOPIC:0,1,…`.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let Some((topic, numbers)) = text.split_once(':') else {
            return Ok(Self {
                topic: text.to_owned(),
                partitions: None,
            });
        };
        let mut partitions = Vec::new();
        for number in numbers.split(',') {
            match number.trim().parse::<i32>() {
                Ok(index) if index >= 0 => partitions.push(PartitionIndex(index)),
                _ => bail!(
                    "--topic {text}: `{number}` is no partition; accepted: TOPIC or TOPIC:0,1,…"
                ),
            }
        }
        Ok(Self {
            topic: topic.to_owned(),
            partitions: Some(partitions),
        })
    }

    /// Whether a partition is among those chosen.
    pub fn has(&self, (topic, index): &TopicPartition) -> bool {
        let chosen = self.partitions.as_ref();
        *topic == self.topic && chosen.is_none_or(|chosen| chosen.contains(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_no_borders_and_numbers_stand_right() {
        let rows = vec![
            ["orders".to_owned(), "5".to_owned()],
            ["a".to_owned(), "1234".to_owned()],
        ];
        let text = columns(["TOPIC", "#LAG"], &rows);
        assert_eq!(text, "TOPIC    LAG\norders     5\na       1234\n");
        assert_eq!(columns(["TOPIC", "#LAG"], &[]), "TOPIC  LAG\n");
    }

    #[test]
    fn topics_are_read_with_their_partitions() {
        let check = |text: &str, expected: Option<(&str, Option<&[i32]>)>| {
            let expected = expected.map(|(topic, partitions)| TopicChoice {
                topic: topic.to_owned(),
                partitions: partitions.map(|p| p.iter().copied().map(PartitionIndex).collect()),
            });
            assert_eq!(TopicChoice::parse(text).ok(), expected, "{text}");
        };
        check("orders", Some(("orders", None)));
        check("orders:0,2", Some(("orders", Some(&[0, 2]))));
        check("orders:-1", None);
        check("orders:", None);
        check("orders:x", None);
    }

    #[test]
    fn settings_are_read_and_bad_ones_named() {
        let ok = settings(
            "--config",
            &["retention.ms=5".to_owned(), "a=b=c".to_owned()],
        );
        let ok = ok.unwrap();
        assert_eq!(ok["retention.ms"], "5");
        assert_eq!(ok["a"], "b=c");
        let error = settings("--config", &["retention.ms".to_owned()]).unwrap_err();
        assert!(
            error.to_string().contains("accepted: PROPERTY=VALUE"),
            "{error}"
        );
        let check = |given: &str, plain: &str| {
            let error = settings("--set", &[given.to_owned()]).unwrap_err();
            let accepted = format!("plain numbers; accepted: {plain}");
            assert!(error.to_string().ends_with(&accepted), "{error}");
        };
        check("retention.ms=1h", "retention.ms=3600000");
        check("segment.bytes=64MiB", "segment.bytes=67108864");
        for plain in ["retention.ms=-1", "cleanup.policy=1h", "segment.bytes=x"] {
            assert!(settings("--set", &[plain.to_owned()]).is_ok(), "{plain}");
        }
    }
}
