//! How many brokers a cluster needs: rules B1, B4, B5, P6 and P8.

use crate::answer::Answer;
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::{Between, Parameter};
use crate::range::Range;
use crate::unit::Unit;
use plimsoll_units::{ByteRate, Rate, Share, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a cluster carries, and what one broker takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Records a second.
    pub rate: Rate,
    /// Bytes of a record.
    pub size: Size,
    /// Copies of every partition.
    pub replication: u32,
    /// Groups that read everything.
    pub groups: u32,
    /// Partitions of all topics, before replication.
    pub partitions: u32,
    /// Disk of all replicas together, as `size disk` says.
    pub disk: Option<Size>,
    /// Disk of one broker.
    pub broker_disk: Option<Size>,
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
}

impl Input {
    /// `rate` records of `size`, on the document's brokers.
    pub fn new(rate: Rate, size: Size) -> Self {
        Self {
            rate,
            size,
            replication: 3,
            groups: 1,
            partitions: 12,
            disk: None,
            broker_disk: None,
            writes: Parameter::quoted("B1", "100MB/s..200MB/s"),
            reads: Parameter::quoted("B1", "200MB/s..400MB/s"),
            records: Parameter::quoted("B1", "100K/s..200K/s"),
            replicas: Parameter::document("P6", 1000),
            utilisation: Parameter::quoted("B4", "80%"),
        }
    }
}

/// The brokers that `input` needs.
///
/// The most of writes (W × RF), reads (W × (RF − 1 + G)), records, storage and
/// replicas, each ÷ what one broker takes at the target utilisation; one more,
/// so that the rest carry the load without it (B5); at least the replication.
pub fn brokers(input: &Input) -> Result<Answer, InputError> {
    let replication = within("replication", input.replication, 1, 1000)?;
    let groups = within("groups", input.groups, 0, 1_000_000)?;
    let partitions = within("partitions", input.partitions, 1, 10_000_000)?;
    let utilisation = above_zero("utilisation", input.utilisation.value)?;
    let replicas = within("replicas", input.replicas.value, 1, 10_000_000)?;
    let rate = Exact::from(input.rate);
    let written = rate * above_zero("size", input.size)?;
    let stored = written * replication;
    let sent = written * (replication.minus(Exact::ONE) + groups);
    let per = |load: Exact, limit: Range| limit.map(|limit| (load / (limit * utilisation)).ceil());

    let mut terms = vec![
        ("writes", per(stored, input.writes.value.range())),
        ("reads", per(sent, input.reads.value.range())),
        ("records", per(rate, input.records.value.range())),
        (
            "replicas",
            Range::from((partitions * replication / replicas).ceil()),
        ),
    ];
    match (input.disk, input.broker_disk) {
        (Some(disk), Some(each)) => {
            let each = above_zero("broker disk", each)?;
            terms.push(("storage", Range::from((Exact::from(disk) / each).ceil())));
        }
        (Some(disk), None) => {
            return Err(InputError::refused(
                "disk",
                disk,
                "also the disk of one broker",
            ));
        }
        (None, Some(each)) => {
            return Err(InputError::refused(
                "broker disk",
                each,
                "also the disk of all replicas",
            ));
        }
        (None, None) => {}
    }
    answer(input, &terms, replication, partitions * replication)
}

fn answer(
    input: &Input,
    terms: &[(&str, Range)],
    replication: Exact,
    replicas: Exact,
) -> Result<Answer, InputError> {
    let mut answer = Answer::new("brokers", &["B1", "B4", "B5", "P6", "P8"]);
    for (name, range) in terms {
        let because = match *name {
            "writes" => "rate × size × replication ÷ one broker's disk writes",
            "reads" => "rate × size × (replication − 1 + groups) ÷ one broker's reads",
            "records" => "rate ÷ one broker's records",
            "replicas" => "P6: partitions × replication ÷ one broker's",
            _ => "disk of all replicas ÷ one broker's",
        };
        answer.line(name, Unit::Count, *range, because)?;
    }
    let most = terms
        .iter()
        .fold(Range::from(Exact::ONE), |most, term| most.max(term.1));
    let brokers = most.map(|count| (count + Exact::ONE).max(replication));
    answer.line(
        "brokers",
        Unit::Count,
        brokers,
        "the most of these, and one to lose; at least the replication",
    )?;
    let leaders = brokers.map(|brokers| replicas / replication / brokers);
    answer.line(
        "leaders on each",
        Unit::Count,
        leaders,
        "P8: partitions ÷ brokers",
    )?;
    let followers =
        brokers.map(|brokers| replicas * replication.minus(Exact::ONE) / replication / brokers);
    answer.line(
        "followers on each",
        Unit::Count,
        followers,
        "P8: partitions × (replication − 1) ÷ brokers",
    )?;
    if brokers.mid() == replication && most.mid() + Exact::ONE < replication {
        answer.bind("replication", "fewer brokers cannot hold every copy");
    } else {
        answer.bind_largest(terms, Unit::Count);
    }
    answer.assume("writes", &input.writes);
    answer.assume("reads", &input.reads);
    answer.assume("records", &input.records);
    answer.assume("replicas", &input.replicas);
    answer.assume("utilisation", &input.utilisation);
    let ingress = input.writes.value.range().map(|limit| limit / replication);
    let show = |value| Unit::BytesPerSecond.show(value);
    answer.correct(
        "B1",
        "one broker writes 100-200 MB/s",
        &format!(
            "{} to {} of client ingress, if it counts disk writes",
            show(ingress.low()),
            show(ingress.high())
        ),
        "the document does not say which; every byte taken is written once for each replica",
    );
    answer.correct(
        "B5",
        "replication 3 tolerates two failures",
        "reads survive two, writes one at min.insync.replicas 2",
        "acks=all needs two replicas in sync",
    );
    Ok(answer)
}
