//! Page cache, file handles and memory maps of a broker: rule P6.

use crate::answer::Answer;
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::Parameter;
use crate::unit::Unit;
use plimsoll_units::{Rate, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One cluster's load and one broker's memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Records a second.
    pub rate: Rate,
    /// Bytes of a record.
    pub size: Size,
    /// Copies of every partition.
    pub replication: u32,
    /// Brokers.
    pub brokers: u32,
    /// Partitions of all topics, before replication.
    pub partitions: u32,
    /// How long records are kept.
    pub retention: Span,
    /// Memory of one broker that is left to the page cache.
    pub free: Size,
    /// Client connections over all brokers.
    pub clients: u32,
    /// How far behind the slowest reader is.
    pub behind: Option<Span>,
    /// Bytes at which a segment is rolled.
    pub segment: Parameter<Size>,
    /// `vm.max_map_count` of the brokers' kernel.
    pub maps: Parameter<u32>,
}

impl Input {
    /// `rate` records of `size`, and `free` memory on each of three brokers.
    pub fn new(rate: Rate, size: Size, free: Size) -> Self {
        Self {
            rate,
            size,
            replication: 3,
            brokers: 3,
            partitions: 12,
            retention: Span::from_secs(604_800),
            free,
            clients: 0,
            behind: None,
            segment: Parameter::default_of("log.segment.bytes", Size::from_bytes(1 << 30)),
            maps: Parameter::default_of("vm.max_map_count", 65_530),
        }
    }
}

/// What `input` asks of a broker's memory and handles.
///
/// Page-cache window = free ÷ (W × RF ÷ N). Files ≈ 3 × segments (log and two
/// indexes), maps ≈ 2 × segments (the indexes), sockets = clients and replicas.
pub fn memory(input: &Input) -> Result<Answer, InputError> {
    let brokers = within("brokers", input.brokers, 1, 1_000_000)?;
    let replication = within("replication", input.replication, 1, 1000)?;
    let partitions = within("partitions", input.partitions, 1, 10_000_000)?;
    if replication > brokers {
        let accepted = format!("at most the brokers, {}", input.brokers);
        return Err(InputError::refused(
            "replication",
            input.replication,
            accepted,
        ));
    }
    let segment = above_zero("segment", input.segment.value)?;
    let free = above_zero("free", input.free)?;
    let retention = above_zero("retention", input.retention)?;
    let written = Exact::from(input.rate) * above_zero("size", input.size)? * replication / brokers;
    let replicas = partitions * replication / brokers;
    let full = (written * retention / replicas / segment).ceil();
    let segments = replicas * (full + Exact::ONE);
    let window = free / written;
    let maps = segments * Exact::whole(2);

    let mut answer = Answer::new("memory", &["P6", "P8"]);
    answer.line(
        "written on each",
        Unit::BytesPerSecond,
        written,
        "rate × size × replication ÷ brokers",
    )?;
    answer.line(
        "page-cache window",
        Unit::Seconds,
        window,
        "free ÷ written: readers further behind read the disk",
    )?;
    answer.line(
        "replicas on each",
        Unit::Count,
        replicas,
        "partitions × replication ÷ brokers",
    )?;
    answer.line(
        "segments on each",
        Unit::Count,
        segments,
        "retained bytes ÷ segment, and the active one, for every replica",
    )?;
    answer.line(
        "open files",
        Unit::Count,
        segments * Exact::whole(3),
        "log, offset index and time index of every segment",
    )?;
    answer.line(
        "memory maps",
        Unit::Count,
        maps,
        "both indexes of every segment",
    )?;
    let sockets =
        Exact::from(input.clients) / brokers + brokers.minus(Exact::ONE) * Exact::whole(2);
    answer.line(
        "sockets",
        Unit::Count,
        sockets.ceil(),
        "clients ÷ brokers, and replication to and from each other broker",
    )?;
    if maps > Exact::from(input.maps.value) {
        answer.bind(
            "memory maps",
            "they exceed vm.max_map_count: raise it, or use larger segments",
        );
    } else {
        answer.bind(
            "page-cache window",
            "the maps fit; memory decides who reads from disk",
        );
    }
    if let Some(behind) = input.behind {
        let where_from = match Exact::from(behind) <= window {
            true => "the page cache",
            false => "the disk",
        };
        answer.text(
            "slowest reader reads from",
            where_from,
            "its lag against the window",
        );
    }
    answer.assume("segment", &input.segment);
    answer.assume("maps", &input.maps);
    Ok(answer)
}
