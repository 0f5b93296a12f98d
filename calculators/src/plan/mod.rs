//! A whole requirement in, a cluster out: topics, partitions, brokers, disk,
//! settings and the commands that create the topics.
//!
//! Every figure is a single calculator's: `plan` grows the load, hands each
//! topic to [`partitions`](crate::partitions), [`disk`](crate::disk) and
//! [`consumers`](crate::consumers), and all of them together to
//! [`brokers`](crate::brokers) and [`network`](crate::network). It adds only
//! what lies between them: how much a latency objective lowers utilisation, and
//! how early segments must roll. The calculators' own answers are in
//! [`Plan::parts`].

mod commands;
mod latency;
mod model;
mod settings;
mod topic;

use crate::answer::{Answer, Line, Value};
use crate::brokers::{self, brokers};
use crate::calibration::Calibration;
use crate::disk::Storage;
use crate::error::{InputError, within};
use crate::exact::Exact;
use crate::network::{self, network};
use crate::parameter::{Between, Parameter};
use crate::unit::Unit;
pub use model::{Simulated, model};
use plimsoll_units::{ByteRate, Rate, Share, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use topic::Sized;
pub use topic::{Topic, TopicPlan};

/// Settings under Kafka's names.
pub type Settings = BTreeMap<String, String>;

/// Most topics of one plan.
const TOPICS_MAX: usize = 100_000;
/// Most years that a plan looks ahead.
const YEARS_MAX: u32 = 20;
/// Most that a load grows in a year, as a share.
const GROWTH_MAX: f64 = 100.0;

/// The requirement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What is written, kept and read.
    pub topics: Vec<Topic>,
    /// Copies of every partition.
    pub replication: u32,
    /// What the load grows by in a year, as a share: 0.5 is half as much again.
    pub growth: f64,
    /// Years of growth that the cluster must hold.
    pub years: u32,
    /// 99th percentile from send to acknowledgement.
    pub latency: Option<Span>,
    /// Time that a broker takes for one produce request when it is idle.
    pub service: Parameter<Span>,
    /// What acks=all adds to it.
    pub acks: Parameter<Between<Span>>,
    /// Disk of one broker.
    pub broker_disk: Option<Size>,
    /// What one broker's network carries in one direction.
    pub link: Option<ByteRate>,
    /// How topics are stored; replication, brokers and partitions are the plan's.
    pub storage: Storage,
    /// The codec, as producers name it.
    pub codec: String,
    /// What one partition takes in bytes.
    pub partition_bytes: Parameter<Between<ByteRate>>,
    /// What one partition takes in records.
    pub partition_records: Parameter<Between<Rate>>,
    /// Bytes a second that one broker writes to disk.
    pub writes: Parameter<Between<ByteRate>>,
    /// Bytes a second that one broker sends.
    pub reads: Parameter<Between<ByteRate>>,
    /// Records a second that one broker takes from producers.
    pub records: Parameter<Between<Rate>>,
    /// Replicas that one broker holds.
    pub replicas: Parameter<u32>,
    /// Share of a broker's capacity to plan with.
    pub utilisation: Parameter<Share>,
    /// Where the topics are created.
    pub bootstrap: String,
}

/// The cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The cluster in a few lines.
    pub summary: Answer,
    /// All topics as one load.
    pub load: Load,
    /// The topics.
    pub topics: Vec<TopicPlan>,
    /// Settings of every broker.
    pub broker: Settings,
    /// Settings of the producers.
    pub producer: Settings,
    /// The command lines that create the topics.
    pub commands: Vec<String>,
    /// The single calculators' answers.
    pub parts: Vec<Answer>,
}

impl Input {
    /// `topics` on the document's brokers, without growth.
    pub fn new(topics: Vec<Topic>) -> Self {
        let one = brokers::Input::new(
            Rate::from_per_second(1.0).unwrap_or_else(|| unreachable!("1/s is a rate")),
            Size::from_bytes(1),
        );
        let topic = crate::partitions::Input::new(one.rate, one.size);
        Self {
            topics,
            replication: 3,
            growth: 0.0,
            years: 0,
            latency: None,
            service: Parameter::default_of("an idle broker, to be measured", Span::from_millis(1)),
            acks: Parameter::document(
                "B2",
                Between::new(Span::from_millis(1), Span::from_millis(5)),
            ),
            broker_disk: None,
            link: None,
            storage: Storage::default(),
            codec: "none".to_owned(),
            partition_bytes: topic.partition_bytes,
            partition_records: topic.partition_records,
            writes: one.writes,
            reads: one.reads,
            records: one.records,
            replicas: one.replicas,
            utilisation: one.utilisation,
            bootstrap: "localhost:9092".to_owned(),
        }
    }

    /// Takes from a calibration what the document would otherwise say.
    pub fn calibrate(&mut self, found: &Calibration) {
        let one = &self.topics.first().map(|t| (t.rate, t.record.value));
        let Some((rate, size)) = *one else { return };
        let mut topic = crate::partitions::Input::new(rate, size);
        topic.calibrate(found);
        (self.partition_bytes, self.partition_records) =
            (topic.partition_bytes, topic.partition_records);
        let mut all = brokers::Input::new(rate, size);
        all.calibrate(found);
        (self.writes, self.reads, self.records) = (all.writes, all.reads, all.records);
        if let Some(acks) = found.acks.as_ref().and_then(|acks| acks.p99_us.micros()) {
            self.acks = acks;
        }
        if let Some(ratio) = found.ratio(&self.codec) {
            self.storage.ratio = ratio;
        }
    }

    /// What the load is multiplied by at the end.
    fn grown(&self) -> Result<Exact, InputError> {
        if !(0.0..=GROWTH_MAX).contains(&self.growth) {
            let accepted = format!("0 to {GROWTH_MAX}, as a share of the load");
            return Err(InputError::refused("growth", self.growth, accepted));
        }
        within("years", self.years, 0, YEARS_MAX)?;
        let year = Exact::ONE + Exact::from_f64(self.growth);
        Ok((0..self.years).fold(Exact::ONE, |factor, _| factor * year))
    }
}

/// The cluster that `input` needs.
pub fn plan(input: &Input) -> Result<Plan, InputError> {
    check(input)?;
    let grown = input.grown()?;
    let utilisation = latency::utilisation(input)?;
    let replication = within("replication", input.replication, 1, 1000)?;
    let sized: Vec<Sized> = input
        .topics
        .iter()
        .map(|topic| topic::size(input, topic, grown))
        .collect::<Result<_, _>>()?;
    let mut load = Load::of(&sized)?;
    let cluster = brokers(&brokers::Input {
        rate: load.rate,
        size: load.size,
        replication: input.replication,
        groups: load.groups,
        partitions: load.partitions,
        disk: input.broker_disk.map(|_| load.disk),
        broker_disk: input.broker_disk,
        writes: input.writes.clone(),
        reads: input.reads.clone(),
        records: input.records.clone(),
        link: input.link,
        cores: None,
        cpu_per_gb: None,
        replicas: input.replicas.clone(),
        utilisation: utilisation.clone(),
    })?;
    let brokers = middle(&cluster, "brokers").ceil().max(replication);
    load.brokers = whole("brokers", brokers)?;
    let traffic = network(&network::Input {
        rate: load.rate,
        size: load.size,
        replication: input.replication,
        groups: load.groups,
        brokers: load.brokers,
        link: input.link,
        utilisation,
        held: Some(load.disk),
        throttle: None,
    })?;
    let linger = latency::linger(input);
    let summary = summary(input, &sized, &load, &cluster, &traffic, grown, brokers)?;
    let topics: Vec<TopicPlan> = sized.iter().map(|s| s.plan(input)).collect();
    let mut parts: Vec<Answer> = sized.into_iter().flat_map(|s| s.parts).collect();
    parts.extend([cluster, traffic]);
    Ok(Plan {
        summary,
        load,
        broker: settings::broker(input),
        producer: settings::producer(input, linger),
        commands: topics
            .iter()
            .map(|t| commands::create(t, &input.bootstrap))
            .collect(),
        topics,
        parts,
    })
}

fn check(input: &Input) -> Result<(), InputError> {
    if input.topics.is_empty() || input.topics.len() > TOPICS_MAX {
        let accepted = format!("1 to {TOPICS_MAX}");
        return Err(InputError::refused("topics", input.topics.len(), accepted));
    }
    let mut names = std::collections::BTreeSet::new();
    for topic in &input.topics {
        topic.check()?;
        if !names.insert(&topic.name) {
            return Err(InputError::refused("topic", &topic.name, "each name once"));
        }
    }
    const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
    match CODECS.contains(&input.codec.as_str()) {
        true => Ok(()),
        false => Err(InputError::refused(
            "codec",
            &input.codec,
            CODECS.join(", "),
        )),
    }
}

/// All topics as one load: their rates and bytes added, groups by what they
/// read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Records a second.
    pub rate: Rate,
    /// Bytes of the mean record in the log, rounded up.
    pub size: Size,
    /// Groups that read everything.
    pub groups: u32,
    /// Partitions.
    pub partitions: u32,
    /// Brokers.
    pub brokers: u32,
    /// Bytes of disk over all replicas, with room.
    pub disk: Size,
}

impl Load {
    fn of(sized: &[Sized]) -> Result<Self, InputError> {
        let sum = |of: fn(&Sized) -> Exact| sized.iter().fold(Exact::ZERO, |sum, s| sum + of(s));
        let rate = sum(|s| s.rate.into());
        let bytes = sum(|s| Exact::from(s.rate) * s.bytes_per_record);
        let read = sum(|s| Exact::from(s.rate) * s.bytes_per_record * s.groups.into());
        let mean = (bytes / rate).ceil();
        Ok(Self {
            rate: Rate::from_per_second(rate.to_f64()).ok_or_else(|| too_large("rate"))?,
            size: Size::from_bytes(number("size", mean)?),
            groups: whole("groups", (read / bytes).ceil())?,
            partitions: whole("partitions", sum(|s| s.partitions.into()))?,
            brokers: 0,
            disk: Size::from_bytes(number("disk", sum(|s| s.disk).ceil())?),
        })
    }
}

fn summary(
    input: &Input,
    sized: &[Sized],
    load: &Load,
    cluster: &Answer,
    traffic: &Answer,
    grown: Exact,
    brokers: Exact,
) -> Result<Answer, InputError> {
    let mut rules: Vec<&str> = cluster.rules.iter().map(String::as_str).collect();
    let parts = sized.iter().flat_map(|s| &s.parts).chain([traffic]);
    rules.extend(parts.flat_map(|part| part.rules.iter().map(String::as_str)));
    rules.sort_unstable();
    rules.dedup();
    let mut answer = Answer::new("plan", &rules);
    let line = &mut answer;
    line.line(
        "load at the end",
        Unit::Times,
        grown,
        "(1 + growth) ^ years",
    )?;
    let rate = Exact::from(load.rate);
    line.line("records", Unit::PerSecond, rate, "over all topics, grown")?;
    line.line(
        "partitions",
        Unit::Count,
        Exact::from(load.partitions),
        "over all topics",
    )?;
    copy(line, cluster, "brokers");
    let disk = Exact::from(load.disk);
    line.line(
        "disk to provision",
        Unit::Bytes,
        disk,
        "over all topics and replicas",
    )?;
    line.line(
        "disk of each broker",
        Unit::Bytes,
        disk / brokers,
        "÷ brokers",
    )?;
    let after = disk / brokers.minus(Exact::ONE).max(Exact::ONE);
    line.line(
        "disk of each, one lost",
        Unit::Bytes,
        after,
        "÷ (brokers − 1)",
    )?;
    copy(line, traffic, "into each");
    copy(line, traffic, "out of each");
    copy(line, traffic, "busier direction, one lost");
    latency::explain(line, input)?;
    line.binds.clone_from(&cluster.binds);
    line.assume("service", &input.service);
    line.assume("acks", &input.acks);
    line.assumptions.extend(cluster.assumptions.iter().cloned());
    for part in sized.iter().flat_map(|s| &s.parts) {
        for assumed in &part.assumptions {
            if !line
                .assumptions
                .iter()
                .any(|known| known.name == assumed.name)
            {
                line.assumptions.push(assumed.clone());
            }
        }
    }
    if grown == Exact::ONE {
        line.note("no growth: the cluster is full when the load is what was asked for.");
    }
    Ok(answer)
}

/// A line of a calculator, as it is.
fn copy(into: &mut Answer, from: &Answer, name: &str) {
    into.lines.extend(from.get(name).cloned());
}

/// The middle of a calculator's line; zero for words.
fn middle(answer: &Answer, name: &str) -> Exact {
    let value = |line: &Line| match &line.value {
        Value::Quantity { mid, .. } => mid.as_u64().map_or_else(
            || mid.as_f64().map(Exact::from_f64),
            |whole| Some(whole.into()),
        ),
        Value::Text(_) => None,
    };
    answer.get(name).and_then(value).unwrap_or(Exact::ZERO)
}

fn whole(name: &str, value: Exact) -> Result<u32, InputError> {
    let whole = value.as_whole().and_then(|value| u32::try_from(value).ok());
    whole.ok_or_else(|| too_large(name))
}

fn number(name: &str, value: Exact) -> Result<u64, InputError> {
    let whole = value.as_whole().and_then(|value| u64::try_from(value).ok());
    whole.ok_or_else(|| too_large(name))
}

fn too_large(name: &str) -> InputError {
    InputError::TooLarge {
        line: name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
