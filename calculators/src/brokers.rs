//! How many brokers a cluster needs: rules B1, B2, B4 to B6, P6 and P8.

use crate::answer::Answer;
use crate::batch::DEFAULT_BATCH_BYTES;
use crate::calibration::{Calibration, Measured};
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::{Between, Parameter};
use crate::range::Range;
use crate::unit::Unit;
use plimsoll_units::{ByteRate, Rate, Share, Size, Span};
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
    /// What one broker's network carries in one direction.
    #[serde(default)]
    pub link: Option<ByteRate>,
    /// Cores of one broker.
    #[serde(default)]
    pub cores: Option<u32>,
    /// CPU time that one broker spends on 10^9 bytes appended.
    #[serde(default)]
    pub cpu_per_gb: Option<Parameter<Span>>,
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
            link: None,
            cores: None,
            cpu_per_gb: None,
            replicas: Parameter::document("P6", 1000),
            utilisation: Parameter::quoted("B4", "80%"),
        }
    }
}

impl Input {
    /// Takes what one broker carries from a calibration, and the CPU time of
    /// full default batches where the cores are known.
    pub fn calibrate(&mut self, found: &Calibration) {
        if let Some(writes) = found.broker_writes.as_ref().and_then(Measured::byte_rate) {
            self.writes = writes;
        }
        if let Some(reads) = found.broker_reads.as_ref().and_then(Measured::byte_rate) {
            self.reads = reads;
        }
        if let Some(records) = found.broker_records.as_ref().and_then(Measured::rate) {
            self.records = records;
        }
        if let (Some(cpu), Some(_)) = (&found.broker_cpu, self.cores) {
            self.cpu_per_gb = Some(cpu.per_gb(DEFAULT_BATCH_BYTES));
        }
    }
}

/// One need of the cluster, and what answers it.
struct Term {
    name: &'static str,
    brokers: Range,
    /// Bytes a second from producers that one broker allows, where bytes count.
    each: Option<Range>,
    because: &'static str,
}

/// The brokers that `input` needs.
///
/// The most of writes (W × RF), reads (W × (RF − 1 + G)), network, CPU, records,
/// storage and replicas, each ÷ what one broker takes at the target utilisation;
/// one more, so that the rest carry the load without it (B5); at least the
/// replication. Turned round, N brokers carry the least of what each resource
/// allows (the bound that AWS publishes for its clusters).
pub fn brokers(input: &Input) -> Result<Answer, InputError> {
    let replication = within("replication", input.replication, 1, 1000)?;
    let partitions = within("partitions", input.partitions, 1, 10_000_000)?;
    let terms = terms(input, replication, partitions)?;
    let mut answer = Answer::new("brokers", &["B1", "B2", "B4", "B5", "B6", "P6", "P8"]);
    for term in &terms {
        answer.line(term.name, Unit::Count, term.brokers, term.because)?;
    }
    let brokers = count(&mut answer, &terms, replication)?;
    spread(&mut answer, brokers, partitions, replication)?;
    carried(&mut answer, &terms, brokers)?;
    assume(&mut answer, input);
    remarks(&mut answer, input, replication);
    Ok(answer)
}

fn terms(input: &Input, replication: Exact, partitions: Exact) -> Result<Vec<Term>, InputError> {
    let groups = within("groups", input.groups, 0, 1_000_000)?;
    let utilisation = above_zero("utilisation", input.utilisation.value)?;
    let replicas = within("replicas", input.replicas.value, 1, 10_000_000)?;
    let rate = Exact::from(input.rate);
    let written = rate * above_zero("size", input.size)?;
    let out = replication.minus(Exact::ONE) + groups;
    // `factor` bytes pass through a resource for each byte from a producer.
    let bytes = |name, limit: Range, factor: Exact, because| Term {
        name,
        brokers: limit.map(|limit| (written * factor / (limit * utilisation)).ceil()),
        each: Some(limit.map(|limit| limit * utilisation / factor)),
        because,
    };
    let mut terms = vec![bytes(
        "writes",
        input.writes.value.range(),
        replication,
        "rate × size × replication ÷ one broker's disk writes",
    )];
    if !out.is_zero() {
        terms.push(bytes(
            "reads",
            input.reads.value.range(),
            out,
            "rate × size × (replication − 1 + groups) ÷ one broker's reads",
        ));
    }
    if let Some(link) = input.link {
        terms.push(bytes(
            "network",
            Range::from(link),
            replication.max(out),
            "the busier direction, in or out, ÷ one broker's link",
        ));
    }
    terms.extend(cpu(input, bytes, replication)?);
    terms.push(Term {
        name: "records",
        brokers: input
            .records
            .value
            .range()
            .map(|limit| (rate / (limit * utilisation)).ceil()),
        each: Some(
            input
                .records
                .value
                .range()
                .map(|limit| limit * utilisation * input.size.into()),
        ),
        because: "rate ÷ one broker's records",
    });
    terms.push(Term {
        name: "replicas",
        brokers: Range::from((partitions * replication / replicas).ceil()),
        each: None,
        because: "P6: partitions × replication ÷ one broker's",
    });
    terms.extend(storage(input)?);
    Ok(terms)
}

/// A broker with c cores appends c ÷ (CPU time of a byte) bytes a second.
fn cpu(
    input: &Input,
    bytes: impl Fn(&'static str, Range, Exact, &'static str) -> Term,
    replication: Exact,
) -> Result<Option<Term>, InputError> {
    let (cores, cost) = match (input.cores, &input.cpu_per_gb) {
        (Some(cores), Some(cost)) => (within("cores", cores, 1, 100_000)?, cost),
        (None, None) => return Ok(None),
        (Some(cores), None) => {
            let accepted = "no cores, or also the CPU time of 10^9 bytes (cpu per gb)";
            return Err(InputError::refused("cores", cores, accepted));
        }
        (None, Some(cost)) => {
            let accepted = "no CPU time, or also the cores of one broker";
            return Err(InputError::refused("cpu per gb", cost.value, accepted));
        }
    };
    let limit = cores * Exact::whole(1_000_000_000) / above_zero("cpu per gb", cost.value)?;
    let because = "rate × size × replication × CPU time of a byte ÷ one broker's cores";
    Ok(Some(bytes("cpu", Range::from(limit), replication, because)))
}

fn storage(input: &Input) -> Result<Option<Term>, InputError> {
    let (disk, each) = match (input.disk, input.broker_disk) {
        (Some(disk), Some(each)) => (disk, above_zero("broker disk", each)?),
        (None, None) => return Ok(None),
        (Some(disk), None) => {
            let accepted = "also the disk of one broker";
            return Err(InputError::refused("disk", disk, accepted));
        }
        (None, Some(each)) => {
            let accepted = "also the disk of all replicas";
            return Err(InputError::refused("broker disk", each, accepted));
        }
    };
    Ok(Some(Term {
        name: "storage",
        brokers: Range::from((Exact::from(disk) / each).ceil()),
        each: None,
        because: "disk of all replicas ÷ one broker's",
    }))
}

/// The most of all terms, and one to lose.
fn count(answer: &mut Answer, terms: &[Term], replication: Exact) -> Result<Range, InputError> {
    let one = Range::from(Exact::ONE);
    let most = terms.iter().fold(one, |most, term| most.max(term.brokers));
    let brokers = most.map(|count| (count + Exact::ONE).max(replication));
    answer.line(
        "brokers",
        Unit::Count,
        brokers,
        "the most of these, and one to lose; at least the replication",
    )?;
    if brokers.mid() == replication && most.mid() + Exact::ONE < replication {
        answer.bind("replication", "fewer brokers cannot hold every copy");
    } else {
        let named: Vec<_> = terms.iter().map(|term| (term.name, term.brokers)).collect();
        answer.bind_largest(&named, Unit::Count);
    }
    Ok(brokers)
}

fn spread(
    answer: &mut Answer,
    brokers: Range,
    partitions: Exact,
    replication: Exact,
) -> Result<(), InputError> {
    answer.line(
        "leaders on each",
        Unit::Count,
        brokers.map(|brokers| partitions / brokers),
        "P8: partitions ÷ brokers",
    )?;
    answer.line(
        "followers on each",
        Unit::Count,
        brokers.map(|brokers| partitions * replication.minus(Exact::ONE) / brokers),
        "P8: partitions × (replication − 1) ÷ brokers",
    )
}

/// Turned round: what the brokers carry when one of them is lost.
fn carried(answer: &mut Answer, terms: &[Term], brokers: Range) -> Result<(), InputError> {
    let left = brokers.mid().minus(Exact::ONE);
    let allowed = terms
        .iter()
        .filter_map(|term| Some((term.name, term.each?)));
    let allowed: Vec<_> = allowed
        .map(|(name, each)| (name, each.map(|each| each * left)))
        .collect();
    let Some((name, least)) = allowed.iter().min_by_key(|(_, bytes)| bytes.mid()) else {
        return Ok(());
    };
    if left.is_zero() {
        answer.note("one broker: its loss is the loss of the cluster.");
        return Ok(());
    }
    answer.line(
        "they carry, one lost",
        Unit::BytesPerSecond,
        *least,
        &format!("from producers: the least that any resource of the others allows, here {name}"),
    )
}

fn assume(answer: &mut Answer, input: &Input) {
    answer.assume("writes", &input.writes);
    answer.assume("reads", &input.reads);
    answer.assume("records", &input.records);
    answer.assume("replicas", &input.replicas);
    answer.assume("utilisation", &input.utilisation);
    if let Some(cost) = &input.cpu_per_gb {
        answer.assume("cpu per gb", cost);
    }
}

fn remarks(answer: &mut Answer, input: &Input, replication: Exact) {
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
    answer.note("B2: acks=all adds 1 to 5 ms a batch to acks=1; `plimsoll calibrate` measures it.");
    answer.note("B6: larger batches and a longer linger carry more, and each record waits longer.");
}
