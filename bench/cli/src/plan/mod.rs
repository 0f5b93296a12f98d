//! `plimsoll plan`: a whole requirement in, a cluster out.

mod table;

use crate::failure::{Failure, Outcome};
use crate::size::calibrated::Calibrated;
use crate::size::load::{Shape, Stored};
use anyhow::{Context as _, anyhow};
use plimsoll_calculators::calibration::Calibration;
use plimsoll_calculators::plan::{Input, Simulated, Topic, model, plan};
use plimsoll_calculators::simulate::{BUDGET, simulate};
use plimsoll_calculators::{Between, Parameter};
use plimsoll_units::{ByteRate, Rate, Share, Size, Span};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Plan a cluster: topics, partitions, brokers, disk and settings.
///
/// One topic is described by options, many by a file: a list of [[topics]] with
/// name, rate, record = { value = "1KB" }, retention, groups, processing. Prints
/// the cluster, each topic, the settings of brokers and clients, and the
/// kafka-topics command lines that create the topics.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plimsoll plan --rate 50K/s --size 1KB --retention 30d --groups 3 --processing 2ms --growth 50% --years 2\n  \
    plimsoll plan --needs needs.toml --latency 25ms --broker-disk 20TB --json\n  \
    plimsoll plan --rate 2M/s --size 1KB --retention 1d --simulate\n  \
    plimsoll plan --rate 50K/s --size 1KB --retention 7d --commands | sh")]
pub struct Args {
    /// The topics, in a TOML file, instead of the options for one.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topic", "rate", "size", "retention", "groups", "processing", "consumers", "hot_key", "key", "header"])]
    needs: Option<PathBuf>,
    /// Name of the topic.
    #[arg(long, value_name = "NAME", default_value = "events")]
    topic: String,
    /// Records a second today: 50K/s.
    #[arg(long, required_unless_present = "needs")]
    rate: Option<Rate>,
    /// Bytes of a record: 1KB is 1000, 1KiB is 1024.
    #[arg(long, required_unless_present = "needs")]
    size: Option<Size>,
    /// How long records are kept: 7d.
    #[arg(long, required_unless_present = "needs")]
    retention: Option<Span>,
    /// Groups that read everything.
    #[arg(long, default_value_t = 1)]
    groups: u32,
    /// Time that a consumer spends on a record.
    #[arg(long)]
    processing: Option<Span>,
    /// Consumers of the largest group.
    #[arg(long)]
    consumers: Option<u32>,
    /// Share of the records that carry the hottest key.
    #[arg(long)]
    hot_key: Option<Share>,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    model: Model,
    /// Print the kafka-topics command lines alone.
    #[arg(long, conflicts_with = "json")]
    commands: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    calibrated: Calibrated,
}

/// What the simulation asks besides.
#[derive(clap::Args)]
struct Model {
    /// Simulate the plan: throughput, latencies, and a broker that fails.
    #[arg(long, conflicts_with = "commands")]
    simulate: bool,
    /// Producers, each of which writes to every topic.
    #[arg(long, default_value_t = 10, requires = "simulate")]
    producers: u32,
    /// Cores of one broker; 8 unless given.
    #[arg(long, requires = "simulate")]
    cores: Option<u32>,
    /// Time there and back between two machines; 500us unless given.
    #[arg(long, value_name = "SPAN", requires = "simulate")]
    round_trip: Option<Span>,
    /// Time until a lost broker is noticed; 9s unless given.
    #[arg(long, value_name = "SPAN", requires = "simulate")]
    detection: Option<Span>,
    /// Batches that the simulation sends, for each of three seeds.
    #[arg(long, value_name = "BATCHES", default_value_t = BUDGET, requires = "simulate")]
    budget: u32,
}

/// What holds for the whole cluster.
#[derive(clap::Args)]
struct Cluster {
    /// Copies of every partition.
    #[arg(long, default_value_t = 3)]
    replication: u32,
    /// What the load grows by in a year: 50%, 200%.
    #[arg(long, value_name = "PERCENT", value_parser = growth, default_value = "0%")]
    growth: f64,
    /// Years of growth that the cluster must hold.
    #[arg(long, default_value_t = 0)]
    years: u32,
    /// 99th percentile from send to acknowledgement: 25ms.
    #[arg(long, value_name = "SPAN")]
    latency: Option<Span>,
    /// Time that an idle broker takes for a produce request; 1ms unless given.
    #[arg(long, value_name = "SPAN")]
    service: Option<Span>,
    /// What acks=all adds; the document has 1ms..5ms.
    #[arg(long, value_name = "SPAN[..SPAN]")]
    acks_cost: Option<Between<Span>>,
    /// Codec of the batches: none, gzip, snappy, lz4 or zstd.
    #[arg(long, value_name = "NAME", default_value = "none")]
    codec: String,
    /// How many times smaller the codec makes records.
    #[arg(long, value_name = "TIMES[..TIMES]")]
    ratio: Option<Between<f64>>,
    /// Bytes of one batch before compression, batch.size.
    #[arg(long)]
    batch: Option<Size>,
    /// Room above what is used; the document has 20%..30%.
    #[arg(long, value_name = "SHARE[..SHARE]")]
    headroom: Option<Between<Share>>,
    /// Disk of one broker.
    #[arg(long)]
    broker_disk: Option<Size>,
    /// What one broker's network carries in one direction: 1250MB/s.
    #[arg(long)]
    link: Option<ByteRate>,
    /// Share of a broker's capacity to plan with.
    #[arg(long)]
    utilisation: Option<Share>,
    /// Where the topics are created.
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:9092")]
    bootstrap: String,
}

/// Plans and prints.
pub fn run(args: Args) -> Outcome {
    let calibration = args.calibrated.load()?;
    let (json, commands) = (args.json, args.commands);
    let asked = args.model.asked();
    let input = args.input(calibration.as_ref())?;
    let found = plan(&input).map_err(Failure::usage)?;
    let model = asked.map(|asked| model(&input, &found, &asked, calibration.as_ref()));
    let simulated = model.map(|model| simulate(&model)).transpose();
    let simulated = simulated.map_err(Failure::usage)?;
    match (json, commands) {
        (true, _) => {
            let both = serde_json::json!({ "plan": found, "simulation": simulated });
            let text = serde_json::to_string_pretty(&both).map_err(Failure::runtime)?;
            println!("{text}");
        }
        (_, true) => found.commands.iter().for_each(|line| println!("{line}")),
        _ => {
            print!("{}", table::render(&found));
            if let Some(answer) = &simulated {
                print!("\n{}", crate::size::table::render(answer));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Model {
    fn asked(&self) -> Option<Simulated> {
        self.simulate.then_some(Simulated {
            producers: self.producers,
            cores: self.cores,
            round_trip: self.round_trip,
            detection: self.detection,
            budget: self.budget,
        })
    }
}

impl Args {
    fn input(self, calibration: Option<&Calibration>) -> Result<Input, Failure> {
        let topics = match &self.needs {
            Some(file) => read(file).map_err(Failure::usage)?,
            None => vec![self.one()?],
        };
        let mut input = Input::new(topics);
        self.cluster.fill(&mut input, calibration);
        Ok(input)
    }

    fn one(&self) -> Result<Topic, Failure> {
        let absent = |name: &str| Failure::usage(anyhow!("--{name} is not given"));
        let value = self.size.ok_or_else(|| absent("size"))?;
        Ok(Topic {
            name: self.topic.clone(),
            rate: self.rate.ok_or_else(|| absent("rate"))?,
            record: self.shape.clone().record(value),
            retention: self.retention.ok_or_else(|| absent("retention"))?,
            groups: self.groups,
            processing: self.processing,
            consumers: self.consumers,
            hot_key: self.hot_key,
        })
    }
}

impl Cluster {
    fn fill(self, input: &mut Input, calibration: Option<&Calibration>) {
        let stored = Stored {
            batch: self.batch,
            ratio: self.ratio,
            codec: Some(self.codec.clone()).filter(|_| self.ratio.is_none()),
            headroom: self.headroom,
            ..Stored::default()
        };
        input.storage = stored.storage(calibration);
        let given = (self.ratio.is_some()).then(|| input.storage.ratio.clone());
        input.codec = self.codec;
        if let Some(found) = calibration {
            input.calibrate(found);
        }
        input.storage.ratio = given.unwrap_or_else(|| input.storage.ratio.clone());
        input.replication = self.replication;
        input.growth = self.growth;
        input.years = self.years;
        input.latency = self.latency;
        input.service = input.service.clone().or_user(self.service);
        if let Some(acks) = self.acks_cost {
            input.acks = Parameter::user(acks);
        }
        input.broker_disk = self.broker_disk;
        input.link = self.link;
        input.utilisation = input.utilisation.clone().or_user(self.utilisation);
        input.bootstrap = self.bootstrap;
    }
}

/// A file of topics.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Needs {
    topics: Vec<Topic>,
}

fn read(file: &Path) -> anyhow::Result<Vec<Topic>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let needs: Needs = toml::from_str(&text).with_context(|| file.display().to_string())?;
    Ok(needs.topics)
}

fn growth(text: &str) -> Result<f64, &'static str> {
    let accepted = "accepted: a percentage such as 50% or 200%, or a share such as 0.5";
    let (number, of) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    let share = number.trim().parse::<f64>().map_err(|_| accepted)? / of;
    // Percentages are decimal: 50 % is 0.5 and not a long fraction.
    let share = (share * 1e9).round() / 1e9;
    match share.is_finite() && share >= 0.0 {
        true => Ok(share),
        false => Err(accepted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use plimsoll_calculators::plan::Plan;

    #[derive(Parser)]
    struct Host {
        #[command(flatten)]
        args: Args,
    }

    fn planned(line: &str) -> Result<Plan, String> {
        let host = Host::try_parse_from(line.split_whitespace()).map_err(|e| e.to_string())?;
        let input = host.args.input(None).map_err(|e| e.to_string())?;
        plan(&input).map_err(|e| e.to_string())
    }

    #[test]
    fn options_and_a_file_describe_the_same_topic() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("needs.toml");
        let toml = "[[topics]]\nname = \"orders\"\nrate = \"50K/s\"\nretention = \"7d\"\n\
                    groups = 2\nrecord = { value = \"1KB\" }\n";
        std::fs::write(&file, toml).expect("written");
        let from_file = planned(&format!("plan --needs {}", file.display())).expect("sound");
        let options = "plan --topic orders --rate 50K/s --size 1KB --retention 7d --groups 2";
        assert_eq!(Ok(&from_file), planned(options).as_ref());
        let text = table::render(&from_file);
        for part in [
            "orders",
            "brokers",
            "retention.ms",
            "kafka-topics.sh",
            "acks=all",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        std::fs::write(&file, "[[topics]]\nname = \"orders\"\nrtae = 1\n").expect("written");
        let error = planned(&format!("plan --needs {}", file.display())).expect_err("a typo");
        assert!(
            error.contains("needs.toml") && error.contains("rtae"),
            "{error}"
        );
    }

    #[test]
    fn growth_is_a_percentage_of_any_size() {
        assert_eq!(growth("50%"), Ok(0.5));
        assert_eq!(growth("200 %"), Ok(2.0));
        assert_eq!(growth("0.3"), Ok(0.3));
        for text in ["-1%", "nan", "much"] {
            assert!(growth(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_contradicts_is_said() {
        let check = |line: &str, expected: &str| {
            let error = planned(line).expect_err(line);
            assert!(error.contains(expected), "{error}");
        };
        check("plan --size 1KB --retention 7d", "--rate <RATE>");
        check("plan --needs a.toml --rate 1/s", "cannot be used with");
        check("plan --needs nowhere.toml", "cannot read nowhere.toml");
        check(
            "plan --rate 1/s --size 1KB --retention 7d --codec lzma",
            "codec is lzma",
        );
    }
}
