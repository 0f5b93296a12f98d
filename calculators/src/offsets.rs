//! What committing offsets writes to `__consumer_offsets`.

use crate::answer::Answer;
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::Parameter;
use crate::unit::Unit;
use plimsoll_units::{Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who commits, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Groups.
    pub groups: u32,
    /// Partitions that each group reads.
    pub partitions: u32,
    /// Time between the commits of a consumer.
    pub interval: Parameter<Span>,
    /// Bytes of a commit's record in the log.
    pub record: Parameter<Size>,
    /// `offsets.topic.num.partitions`.
    pub topic_partitions: Parameter<u32>,
    /// `offsets.topic.segment.bytes`.
    pub segment: Parameter<Size>,
}

impl Input {
    /// `groups` that read `partitions` each, with Kafka's defaults.
    pub fn new(groups: u32, partitions: u32) -> Self {
        Self {
            groups,
            partitions,
            interval: Parameter::default_of("auto.commit.interval.ms", Span::from_secs(5)),
            record: Parameter::default_of("a commit with short names", Size::from_bytes(120)),
            topic_partitions: Parameter::default_of("offsets.topic.num.partitions", 50),
            segment: Parameter::default_of(
                "offsets.topic.segment.bytes",
                Size::from_bytes(100 << 20),
            ),
        }
    }
}

/// The load of `input` on the offsets topic.
///
/// Writes a second = groups × partitions ÷ commit interval. A group lives on
/// one partition, the hash of its name, so one group loads one broker.
pub fn offsets(input: &Input) -> Result<Answer, InputError> {
    let groups = within("groups", input.groups, 1, 10_000_000)?;
    let partitions = within("partitions", input.partitions, 1, 10_000_000)?;
    let topic = within("topic partitions", input.topic_partitions.value, 1, 10_000)?;
    let interval = above_zero("interval", input.interval.value)?;
    let record = above_zero("record", input.record.value)?;
    let segment = above_zero("segment", input.segment.value)?;
    let one = partitions / interval;
    let all = one * groups;
    let live = groups * partitions * record;
    let crowded = (groups / topic).ceil();
    let busiest = one * crowded;

    let mut answer = Answer::new("offsets", &["C2", "X1"]);
    answer.line(
        "one group",
        Unit::PerSecond,
        one,
        "partitions ÷ commit interval",
    )?;
    answer.line("all groups", Unit::PerSecond, all, "× groups")?;
    answer.line(
        "written",
        Unit::BytesPerSecond,
        all * record,
        "× bytes of a commit",
    )?;
    answer.line(
        "busiest partition, at best",
        Unit::PerSecond,
        busiest,
        "groups spread evenly over the topic; a hash does no better",
    )?;
    answer.line(
        "live",
        Unit::Bytes,
        live,
        "one record for each group and partition",
    )?;
    let size = live * Exact::whole(2) + segment * topic;
    answer.line(
        "size, at most",
        Unit::Bytes,
        size,
        "live ÷ (1 − dirty ratio 0.5), and an active segment for each partition",
    )?;
    match groups < topic {
        true => answer.bind(
            "one group",
            "it lives on one partition: more partitions do not help it",
        ),
        false => answer.bind("groups", "they share the topic's partitions"),
    }
    answer.assume("interval", &input.interval);
    answer.assume("record", &input.record);
    answer.assume("topic partitions", &input.topic_partitions);
    answer.assume("segment", &input.segment);
    answer.correct(
        "C2",
        "offset 5 = consumed through 5",
        "consumed through 4",
        "a committed offset is the next one to read",
    );
    answer.correct(
        "C2",
        "the next poll fetches from the committed offset",
        "it fetches from the position in memory",
        "the committed offset is read when a partition is assigned",
    );
    Ok(answer)
}
