//! How many consumers a group needs: rules C1, C3 and P1.

use crate::answer::Answer;
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::Parameter;
use crate::unit::Unit;
use plimsoll_units::{Rate, Share, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a group has to keep up with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Records a second.
    pub rate: Rate,
    /// Time that one consumer spends on a record.
    pub processing: Span,
    /// Partitions of the topic, if they are there already.
    pub partitions: Option<u32>,
    /// Consumers of the group, if they are there already.
    pub consumers: Option<u32>,
    /// How busy a consumer may be.
    pub utilisation: Parameter<Share>,
    /// `max.poll.records`.
    pub poll_records: Parameter<u32>,
    /// `max.poll.interval.ms`.
    pub poll_interval: Parameter<Span>,
}

impl Input {
    /// `rate` records that take `processing` each, with Kafka's defaults.
    pub fn new(rate: Rate, processing: Span) -> Self {
        Self {
            rate,
            processing,
            partitions: None,
            consumers: None,
            utilisation: Parameter::quoted("C1", "100%"),
            poll_records: Parameter::document("C3", 500),
            poll_interval: Parameter::quoted("C3", "300s"),
        }
    }
}

/// The consumers that `input` needs.
///
/// One consumer takes 1 ÷ time (C1); those past the partitions are idle (P1);
/// a poll's records must be done within the poll interval (C3).
pub fn consumers(input: &Input) -> Result<Answer, InputError> {
    let time = above_zero("processing", input.processing)?;
    let utilisation = above_zero("utilisation", input.utilisation.value)?;
    let records = within("poll records", input.poll_records.value, 1, u32::MAX)?;
    let interval = above_zero("poll interval", input.poll_interval.value)?;
    let rate = Exact::from(input.rate);
    let each = utilisation / time;
    let needed = (rate / each).ceil();

    let mut answer = Answer::new("consumers", &["C1", "C3", "P1"]);
    answer.line(
        "one consumer",
        Unit::PerSecond,
        each,
        "C1: utilisation ÷ time per record",
    )?;
    answer.line(
        "consumers",
        Unit::Count,
        needed,
        "rate ÷ one consumer, whole",
    )?;
    let start = needed * Exact::whole(2);
    answer.line(
        "partitions for them",
        Unit::Count,
        start,
        "P1: twice the largest group",
    )?;
    let longest = interval / records;
    answer.line(
        "longest time per record",
        Unit::Seconds,
        longest,
        "C3: poll interval ÷ records of a poll",
    )?;
    answer.bind(
        "processing",
        "the time per record sets the number of consumers",
    );
    if let Some(partitions) = input.partitions {
        let partitions = within("partitions", partitions, 1, 10_000_000)?;
        let useful = needed.min(partitions);
        answer.line(
            "useful consumers",
            Unit::Count,
            useful,
            "P1: at most one for each partition",
        )?;
        if needed > partitions {
            let most = Unit::PerSecond.show(each * partitions);
            answer.bind(
                "partitions",
                format!("all partitions together take {most}: the lag grows"),
            );
        }
        if let Some(consumers) = input.consumers {
            let idle = Exact::from(consumers).minus(partitions);
            answer.line(
                "idle consumers",
                Unit::Count,
                idle,
                "P1: consumers − partitions",
            )?;
        }
    }
    if let Some(consumers) = input.consumers {
        let consumers = within("consumers", consumers, 1, 1_000_000)?;
        answer.line(
            "time left per record",
            Unit::Seconds,
            consumers / rate,
            "consumers ÷ rate",
        )?;
    }
    if time > longest {
        answer.note("a full poll outlasts max.poll.interval.ms: the consumer leaves its group. Lower max.poll.records or raise the interval.");
    }
    answer.assume("utilisation", &input.utilisation);
    answer.assume("poll records", &input.poll_records);
    answer.assume("poll interval", &input.poll_interval);
    answer.correct(
        "C1",
        "100 consumers for 10K/s as the minimum; 50-100 for 50K/s in the walkthrough",
        "500 for 50K/s at 10 ms; 50-100 leave 1-2 ms a record",
        "P1's factor of 2 asks for 200 and 1000 partitions, P5 stops at 100",
    );
    Ok(answer)
}
