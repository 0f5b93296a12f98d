//! One topic of a plan.

use super::{Input, Settings, middle, number, settings, too_large, whole};
use crate::answer::Answer;
use crate::batch::RecordShape;
use crate::consumers::{self, consumers};
use crate::disk::{self, Storage, disk};
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::Parameter;
use crate::partitions::{self, partitions};
use plimsoll_units::Size;
use plimsoll_units::{Rate, Share, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A topic's segment is rolled at the latest after this part of its retention,
/// so that what has expired does not linger longer than that.
const ROLLS_IN_RETENTION: u64 = 10;
/// Kafka's longest topic name.
const NAME_MAX: usize = 249;

/// What one topic must carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Records a second today.
    pub rate: Rate,
    /// What a record looks like.
    pub record: RecordShape,
    /// How long records are kept.
    pub retention: Span,
    /// Groups that read everything.
    #[serde(default = "one_group")]
    pub groups: u32,
    /// Time that a consumer of the slowest group spends on a record.
    #[serde(default)]
    pub processing: Option<Span>,
    /// Consumers of the largest group, where they are known.
    #[serde(default)]
    pub consumers: Option<u32>,
    /// Share of the records that carry the hottest key.
    #[serde(default)]
    pub hot_key: Option<Share>,
}

const fn one_group() -> u32 {
    1
}

/// A topic as it is to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicPlan {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: u32,
    /// Copies of each.
    pub replication: u32,
    /// Bytes of disk over all replicas, with room.
    pub disk_bytes: u64,
    /// Consumers that the slowest group needs, where its time is known.
    pub consumers: Option<u32>,
    /// Its settings, under Kafka's names.
    pub settings: Settings,
    /// Settings of its consumers.
    pub consumer: Settings,
}

/// A topic with the calculators' answers.
pub(super) struct Sized {
    pub(super) topic: Topic,
    /// Records a second at the end.
    pub(super) rate: Rate,
    pub(super) partitions: u32,
    pub(super) groups: u32,
    /// Bytes of a record in the log, after compression.
    pub(super) bytes_per_record: Exact,
    pub(super) disk: Exact,
    pub(super) consumers: Option<u32>,
    pub(super) roll: Span,
    pub(super) parts: Vec<Answer>,
}

impl Topic {
    pub(super) fn check(&self) -> Result<(), InputError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let named = (1..=NAME_MAX).contains(&self.name.len())
            && self.name.chars().all(legal)
            && !matches!(self.name.as_str(), "." | "..");
        if !named {
            let accepted = format!("1 to {NAME_MAX} of a-z, A-Z, 0-9, `.`, `_` and `-`");
            return Err(InputError::refused("topic", &self.name, accepted));
        }
        above_zero("retention", self.retention)?;
        within("groups", self.groups, 0, 1_000_000)?;
        Ok(())
    }
}

/// What `topic` takes once it has grown.
pub(super) fn size(input: &Input, topic: &Topic, grown: Exact) -> Result<Sized, InputError> {
    let grown = (Exact::from(topic.rate) * grown).to_f64();
    // To a millionth: years of growth would otherwise leave long fractions.
    let grown = (grown * 1e6).round() / 1e6;
    let rate = Rate::from_per_second(grown).ok_or_else(|| too_large("rate"))?;
    let payload = Size::from_bytes(topic.record.payload_bytes());
    let count = partitions(&partitions::Input {
        consumers: topic.consumers,
        processing: topic.processing,
        hot_key: topic.hot_key,
        partition_bytes: input.partition_bytes.clone(),
        partition_records: input.partition_records.clone(),
        ..partitions::Input::new(rate, payload)
    })?;
    let many = whole("partitions", middle(&count, "partitions").ceil())?;
    let roll = roll(input, topic);
    let taken = disk(&disk::Input {
        rate,
        record: topic.record.clone(),
        retention: topic.retention,
        storage: Storage {
            replication: input.replication,
            brokers: input.replication,
            partitions: many,
            roll: roll.clone(),
            ..input.storage.clone()
        },
    })?;
    let logged = middle(&taken, "one copy, as logged");
    let records = Exact::from(rate) * topic.retention.into();
    let mut sized = Sized {
        topic: topic.clone(),
        rate,
        partitions: many,
        groups: topic.groups,
        bytes_per_record: logged / records,
        disk: middle(&taken, "to provision"),
        consumers: topic.consumers,
        roll: roll.value,
        parts: vec![count, taken],
    };
    if let Some(processing) = topic.processing {
        let group = consumers(&consumers::Input {
            partitions: Some(many),
            consumers: topic.consumers,
            ..consumers::Input::new(rate, processing)
        })?;
        sized.consumers = Some(whole("consumers", middle(&group, "consumers"))?);
        sized.parts.push(group);
    }
    Ok(sized)
}

/// The user's, or early enough for the retention.
fn roll(input: &Input, topic: &Topic) -> Parameter<Span> {
    let early = Span::from_nanos(topic.retention.nanos() / ROLLS_IN_RETENTION);
    let early = Span::from_millis(early.millis().max(1));
    match early < input.storage.roll.value {
        true => Parameter::default_of("a tenth of the retention, so that little lingers", early),
        false => input.storage.roll.clone(),
    }
}

impl Sized {
    pub(super) fn plan(&self, input: &Input) -> TopicPlan {
        TopicPlan {
            name: self.topic.name.clone(),
            partitions: self.partitions,
            replication: input.replication,
            disk_bytes: number("disk", self.disk.ceil()).unwrap_or(u64::MAX),
            consumers: self.consumers,
            settings: settings::topic(input, &self.topic, self.roll),
            consumer: settings::consumer(&self.topic),
        }
    }
}
