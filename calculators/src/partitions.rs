//! How many partitions a topic needs: rules P1 to P7 and P9 to P11. What each
//! rule says is a line of its own; the largest need wins.

use crate::answer::Answer;
use crate::calibration::{Calibration, Measured, Scaling};
use crate::error::{InputError, above_zero, within};
use crate::exact::{Exact, common_divisor};
use crate::parameter::{Between, Parameter};
use crate::range::Range;
use crate::unit::Unit;
use plimsoll_units::{ByteRate, Rate, Share, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Suffixes that the document salts a hot key with (P10).
const SALTS: u64 = 10;
/// P5: the most partitions that a topic has in most cases.
const TOPIC_MOST: u64 = 100;
/// P6: replicas from which on a broker pays for each.
const BROKER_MOST: u64 = 1000;
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
    /// Partitions that the topic has now.
    #[serde(default)]
    pub current: Option<u32>,
    /// Brokers that hold them.
    #[serde(default)]
    pub brokers: Option<u32>,
    /// Copies of every partition.
    #[serde(default)]
    pub replication: Option<u32>,
    /// How throughput grew with partitions when it was measured.
    #[serde(default)]
    pub scaling: Option<Scaling>,
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
            current: None,
            brokers: None,
            replication: None,
            scaling: None,
            partition_bytes: Parameter::quoted("P3", "10MB/s..30MB/s"),
            partition_records: Parameter::quoted("P4", "10K/s..50K/s"),
        }
    }
}

impl Input {
    /// Takes what one partition carries, and how it scales, from a calibration.
    pub fn calibrate(&mut self, found: &Calibration) {
        if let Some(bytes) = found.partition_bytes.as_ref().and_then(Measured::byte_rate) {
            self.partition_bytes = bytes;
        }
        if let Some(records) = found.partition_records.as_ref().and_then(Measured::rate) {
            self.partition_records = records;
        }
        self.scaling = found.scaling_of("topic.partitions").cloned();
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

    let rules = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P9", "P10", "P11"];
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
    answer.line(
        "most that P5 asks for",
        Unit::Count,
        Exact::from(TOPIC_MOST),
        "P5: 10 to 100 for most topics",
    )?;
    answer.bind_largest(&terms, Unit::Count);
    linear(&mut answer, input, rate)?;
    on_brokers(&mut answer, input, needed)?;
    growth(&mut answer, input, needed.mid().ceil())?;
    if let Some(hot) = input.hot_key {
        hot_key(&mut answer, input, hot, needed.mid().ceil())?;
    }
    answer.assume("partition bytes", &input.partition_bytes);
    answer.assume("partition records", &input.partition_records);
    remarks(&mut answer, needed.mid());
    Ok(answer)
}

/// P7: 1, 10 and 100 partitions give 1, 10 and 100 times the throughput, "up to
/// a point". A measured law says to which.
fn linear(answer: &mut Answer, input: &Input, rate: Exact) -> Result<(), InputError> {
    let Some(scaling) = &input.scaling else {
        answer.note("P7 promises 100 times the throughput of 100 partitions, up to a point: measure the point with `plimsoll run partition-scaling` and `plimsoll calibrate`.");
        return Ok(());
    };
    let fit = scaling.fit()?;
    let wanted = rate.to_f64();
    let limit = fit.largest * plimsoll_results::scaling::REACH;
    let peak = fit.peak();
    let last = peak
        .map_or(limit, |peak| peak.n.min(limit))
        .floor()
        .max(1.0);
    let enough = (1..=last as u64).find(|n| fit.law.at(*n as f64) >= wanted);
    let because = format!(
        "P7: {} of {} runs in {}, up to {last}",
        scaling.setting, fit.runs, scaling.run
    );
    match enough {
        Some(n) => answer.line("by the measured law", Unit::Count, Exact::from(n), &because)?,
        None => {
            let most = Unit::PerSecond.show(Exact::from_f64(fit.law.at(last).round()));
            answer.text(
                "by the measured law",
                "none is enough",
                &format!("{because}: {most}"),
            );
            answer.note("the machine that was measured does not carry this rate at any number of partitions it was measured with: add brokers.");
        }
    }
    let told = match peak {
        Some(peak) => format!(
            "{:.0} to {:.0} times at {:.0} partitions, and less beyond",
            fit.law.at(peak.bounds.low) / fit.law.gamma,
            fit.law.at(peak.bounds.high) / fit.law.gamma,
            peak.n
        ),
        None => format!(
            "{:.2} times at {:.0} partitions; no peak told from noise",
            fit.law.at(fit.largest) / fit.law.gamma,
            fit.largest
        ),
    };
    let because = format!(
        "the law fitted: {:.0}/s alone, contention {:.4}, coherence {:.6}",
        fit.law.gamma, fit.law.sigma, fit.law.kappa
    );
    answer.correct(
        "P7",
        "100 partitions give 100 times the throughput",
        &told,
        &because,
    );
    Ok(())
}

/// P6: what the replicas cost each broker.
fn on_brokers(answer: &mut Answer, input: &Input, needed: Range) -> Result<(), InputError> {
    let (Some(brokers), replication) = (input.brokers, input.replication.unwrap_or(3)) else {
        if let Some(replication) = input.replication {
            let accepted = "no replication, or also the brokers";
            return Err(InputError::refused("replication", replication, accepted));
        }
        return Ok(());
    };
    let count = within("brokers", brokers, 1, 1_000_000)?;
    let copies = within("replication", replication, 1, 1000)?;
    if copies > count {
        let accepted = format!("at most the brokers, {brokers}");
        return Err(InputError::refused("replication", replication, accepted));
    }
    let replicas = needed.map(|partitions| partitions.ceil() * copies / count);
    answer.line(
        "replicas on each broker",
        Unit::Count,
        replicas,
        "P6: partitions × replication ÷ brokers; each is three open files and two memory maps a segment",
    )?;
    if replicas.mid() > Exact::from(BROKER_MOST) {
        answer.note("above P6's 1000 replicas on a broker: metadata, connections and elections cost; `size memory` counts files and maps.");
    }
    Ok(())
}

/// P11: what going from the present number to the needed one moves.
fn growth(answer: &mut Answer, input: &Input, needed: Exact) -> Result<(), InputError> {
    let Some(current) = input.current else {
        return Ok(());
    };
    let current = within("current", current, 1, 10_000_000)?;
    if needed <= current {
        answer.note("the topic has partitions enough.");
        return Ok(());
    }
    let (Some(from), Some(to)) = (current.as_whole(), needed.as_whole()) else {
        return Ok(());
    };
    let stay = Exact::ratio(common_divisor(from, to), to);
    answer.line(
        "keys that move",
        Unit::Share,
        Exact::ONE.minus(stay),
        "P11: a hash leaves the same remainder for gcd(current, needed) of needed partitions",
    )
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
    if needed > Exact::from(TOPIC_MOST) {
        answer.note("above P5's 100 partitions for a topic: lower the time per record or process it in parallel first.");
    }
    answer.correct(
        "P11",
        "adding partitions moves no data",
        "no data, but existing keys: their later records go to other partitions",
        "a key's partition is its hash modulo their number, so order by key is lost once",
    );
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
