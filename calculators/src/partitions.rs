//! How many partitions a topic needs: rules P1 to P5 and P9 to
//! P11.

use crate::answer::Answer;
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::{Between, Parameter};
use crate::range::Range;
use crate::unit::Unit;
use plimsoll_units::{ByteRate, Rate, Share, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Suffixes that the document salts a hot key with (P10).
const SALTS: u64 = 10;
/// P1: start at twice the largest consumer count.
const CONSUMER_FACTOR: u64 = 2;

/// What a topic carries and what one partition takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Records a second.
    pub rate: Rate,
    /// Bytes of a record.
    pub size: Size,
    /// Consumers in the largest group; computed from `processing` if absent.
    pub consumers: Option<u32>,
    /// Time a consumer spends on a record.
    pub processing: Option<Span>,
    /// Share of the records that carry the hottest key.
    pub hot_key: Option<Share>,
    /// What one partition takes in bytes.
    pub partition_bytes: Parameter<Between<ByteRate>>,
    /// What one partition takes in records.
    pub partition_records: Parameter<Between<Rate>>,
}

impl Input {
    /// `rate` records of `size`, with the document's limits of a partition.
    pub fn new(rate: Rate, size: Size) -> Self {
        Self {
            rate,
            size,
            consumers: None,
            processing: None,
            hot_key: None,
            partition_bytes: Parameter::quoted("P3", "10MB/s..30MB/s"),
            partition_records: Parameter::quoted("P4", "10K/s..50K/s"),
        }
    }
}

/// The partitions that `input` needs.
///
/// The most of: W ÷ one partition's bytes (P3), rate ÷ one partition's records
/// (P4), and 2 × the largest group (P1), whose size is rate × time per record
/// (C1) when it is not given.
pub fn partitions(input: &Input) -> Result<Answer, InputError> {
    let rate = Exact::from(input.rate);
    let written = rate * above_zero("size", input.size)?;
    let by_bytes = input.partition_bytes.value.range();
    let by_bytes = by_bytes.map(|limit| (written / limit).ceil());
    let by_records = input.partition_records.value.range();
    let by_records = by_records.map(|limit| (rate / limit).ceil());
    let group = group_size(input)?;
    let twice = group * Exact::from(CONSUMER_FACTOR);
    let by_group = Range::new(group, twice, twice);

    let rules = ["P1", "P2", "P3", "P4", "P5", "P9", "P10", "P11"];
    let mut answer = Answer::new("partitions", &rules);
    answer.line(
        "by bytes",
        Unit::Count,
        by_bytes,
        "P3: rate × size ÷ what one partition takes",
    )?;
    answer.line(
        "by records",
        Unit::Count,
        by_records,
        "P4: rate ÷ what one partition takes",
    )?;
    let mut terms = vec![("by bytes", by_bytes), ("by records", by_records)];
    if !group.is_zero() {
        answer.line(
            "by consumers",
            Unit::Count,
            by_group,
            "P1: one for each consumer, to twice as many",
        )?;
        terms.push(("by consumers", by_group));
    }
    let needed = terms
        .iter()
        .fold(Range::from(Exact::ONE), |most, term| most.max(term.1));
    answer.line(
        "partitions",
        Unit::Count,
        needed.map(Exact::ceil),
        "the most of these",
    )?;
    answer.line(
        "the document's table",
        Unit::Count,
        by_table(rate),
        "P2: by rate alone",
    )?;
    answer.bind_largest(&terms, Unit::Count);
    if let Some(hot) = input.hot_key {
        hot_key(&mut answer, input, hot, needed.mid().ceil())?;
    }
    answer.assume("partition bytes", &input.partition_bytes);
    answer.assume("partition records", &input.partition_records);
    remarks(&mut answer, needed.mid());
    Ok(answer)
}

/// Consumers in the largest group: given, or rate × time, or none known.
fn group_size(input: &Input) -> Result<Exact, InputError> {
    match (input.consumers, input.processing) {
        (Some(consumers), _) => within("consumers", consumers, 1, 1_000_000),
        (None, Some(time)) => {
            let time = above_zero("processing", time)?;
            Ok((Exact::from(input.rate) * time).ceil())
        }
        (None, None) => Ok(Exact::ZERO),
    }
}

fn by_table(rate: Exact) -> Range {
    let (low, high) = match rate {
        rate if rate < Exact::whole(1000) => (3_u64, 6_u64),
        rate if rate < Exact::whole(100_000) => (10, 50),
        _ => (50, 200),
    };
    Range::between(low, high).map(Exact::ceil)
}

/// The hot key's partition carries the key and an even part of the rest.
fn hot_key(
    answer: &mut Answer,
    input: &Input,
    hot: Share,
    partitions: Exact,
) -> Result<(), InputError> {
    let hot = above_zero("hot key", hot)?;
    let rest = Exact::ONE.minus(hot) / partitions;
    let rate = Exact::from(input.rate);
    let busiest = rate * (hot + rest);
    answer.line(
        "hot partition",
        Unit::PerSecond,
        busiest,
        "P10: the key's records and an even part of the others",
    )?;
    let mean = rate / partitions;
    answer.line(
        "hot over mean",
        Unit::Times,
        busiest / mean,
        "the hot partition's load ÷ the mean",
    )?;
    let others = rate * rest;
    if !others.is_zero() {
        answer.line(
            "hot over others",
            Unit::Times,
            busiest / others,
            "the hot partition's load ÷ another's",
        )?;
    }
    let salted = rate * (hot / Exact::from(SALTS) + rest);
    answer.line(
        "hot partition, salted",
        Unit::PerSecond,
        salted,
        "P10: ten suffixes, each on a partition of its own",
    )?;
    let incident = |partitions| skew_ratio(Share::new(0.9).unwrap_or_default(), partitions);
    answer.correct(
        "P10",
        "incident 2: 90% of the traffic, ten times the others",
        &format!("{} at ten partitions", Unit::Times.show(incident(10))),
        "the ratio is 9 (N − 1); ten times needs 2.1 partitions",
    );
    let limit = input.partition_records.value.range();
    if rate * hot > limit.mid() {
        answer.note(
            "the hot key alone exceeds one partition: no number of partitions helps, salting may.",
        );
    }
    Ok(())
}

fn remarks(answer: &mut Answer, needed: Exact) {
    if needed > Exact::whole(100) {
        answer.note("above P5's 100 partitions for a topic: lower the time per record or process it in parallel first.");
    }
    answer
        .note("adding partitions moves no data but sends existing keys to other partitions (P11).");
    answer.correct(
        "P3",
        "10-30 MB/s, and 10-50K records/s (P4)",
        "10-50 MB/s at 1 KB",
        "the two rules disagree at the document's own record size",
    );
    answer.correct(
        "P2",
        "10-50 partitions at 50K/s in the table, 50-100 in the walkthrough",
        "the terms above",
        "rate alone does not decide",
    );
    answer.correct(
        "P9",
        "null keys are sticky since 2.4, keys hash one way",
        "uniformly sticky since 3.3; murmur2 in the Java client, CRC32 by default in librdkafka",
        "the partitioner is the client's",
    );
}

/// How many times a broker's partition the hot one carries, when `share` of the
/// traffic goes to one of `partitions` and the rest is spread evenly.
///
/// The document's incident 2 has 90 % and ten times the others, which needs
/// 2.1 partitions: the ratio is 9 (N − 1).
pub fn skew_ratio(share: Share, partitions: u32) -> Exact {
    let share = Exact::from(share);
    let others = Exact::from(partitions).minus(Exact::ONE);
    share * others / Exact::ONE.minus(share)
}
