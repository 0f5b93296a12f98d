//! How much disk a topic takes: rules D1 to D4 and D7.
//!
//! Bytes are exact from the shape of the batches. The document multiplies
//! payload by time; the log also holds batch headers, record framing and
//! indexes, and bytes that have expired and wait for their segment.

use crate::answer::Answer;
use crate::batch::{BatchShape, DEFAULT_BATCH_BYTES, RecordShape};
use crate::curve::{Axis, Curve};
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::{Between, Parameter};
use crate::range::Range;
use crate::unit::Unit;
use plimsoll_units::{Rate, Share, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An offset index entry (8) and a time index entry (12), written with the first
/// batch after more than `log.index.interval.bytes`.
const INDEX_BYTES: u64 = 8 + 12;
const INDEX_INTERVAL_BYTES: u64 = 4096;
/// `log.index.size.max.bytes`, for the offset and the time index.
const PREALLOCATED_BYTES: u64 = 2 * 10 * 1024 * 1024;
/// `log.retention.check.interval.ms` and `file.delete.delay.ms`, in seconds.
const CHECK_SECONDS: u64 = 300;
const DELETE_DELAY_SECONDS: u64 = 60;

/// What is kept, how it is stored, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Records a second, over all partitions.
    pub rate: Rate,
    /// Key, value and headers of a record.
    pub record: RecordShape,
    /// How long records are kept.
    pub retention: Span,
    /// How they are stored.
    pub storage: Storage,
}

/// How a topic is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Copies of every partition.
    pub replication: u32,
    /// Brokers that share the bytes.
    pub brokers: u32,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Bytes that a producer puts into one batch, before compression.
    pub batch: Parameter<Size>,
    /// How many times smaller records get by compression; 1 for none.
    pub ratio: Parameter<Between<f64>>,
    /// Bytes at which a segment is rolled.
    pub segment: Parameter<Size>,
    /// Age at which a segment is rolled.
    pub roll: Parameter<Span>,
    /// Room above what is used.
    pub headroom: Parameter<Between<Share>>,
    /// Use of a disk at which an alert goes off.
    pub alert: Parameter<Share>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            replication: 3,
            brokers: 3,
            partitions: 12,
            batch: Parameter::default_of("batch.size", Size::from_bytes(DEFAULT_BATCH_BYTES)),
            ratio: Parameter::default_of("compression.type", Between::new(1.0, 1.0)),
            segment: Parameter::default_of("log.segment.bytes", Size::from_bytes(1 << 30)),
            roll: Parameter::default_of("log.roll.hours", Span::from_secs(604_800)),
            headroom: Parameter::quoted("D2", "20%..30%"),
            alert: Parameter::quoted("D7", "80%"),
        }
    }
}

/// The bytes behind a disk or a retention: one place for both directions.
pub(crate) struct Model {
    pub(crate) batch: BatchShape,
    pub(crate) payload_rate: Exact,
    /// Bytes a second appended to one copy, low where records shrink most.
    pub(crate) append_rate: Range,
    /// Index bytes for each byte appended.
    pub(crate) index_share: Range,
    /// How much longer than its retention a byte stays.
    pub(crate) lingering: Range,
    pub(crate) replication: Exact,
    /// Provisioned bytes for each one used.
    pub(crate) room: Range,
    /// Which of headroom and alert sets the room.
    pub(crate) room_from: &'static str,
}

impl Model {
    pub(crate) fn new(
        rate: Rate,
        record: &RecordShape,
        storage: &Storage,
    ) -> Result<Self, InputError> {
        if record.payload_bytes() == 0 {
            let accepted = "a key or a value above 0B";
            return Err(InputError::refused("size", record.value, accepted));
        }
        let ratio = storage.ratio.value;
        if !(ratio.low >= 1.0 && ratio.high >= ratio.low && ratio.high <= 1e6) {
            return Err(InputError::refused(
                "ratio",
                ratio,
                "1 to 1000000, the lower end first",
            ));
        }
        let brokers = within("brokers", storage.brokers, 1, 1_000_000)?;
        let replication = within("replication", storage.replication, 1, 1000)?;
        let partitions = within("partitions", storage.partitions, 1, 10_000_000)?;
        if replication > brokers {
            let accepted = format!("at most the brokers, {}", storage.brokers);
            return Err(InputError::refused(
                "replication",
                storage.replication,
                accepted,
            ));
        }
        let alert = above_zero("alert", storage.alert.value)?;
        let segment = above_zero("segment", storage.segment.value)?;
        let roll = above_zero("roll", storage.roll.value)?;
        let batch = BatchShape::filling(record.clone(), storage.batch.value)?;
        batch.check()?;
        let rate = Exact::from(rate);
        // More digits than a ratio can be measured to would not fit the fractions.
        let digits = |ratio: f64| Exact::from_f64((ratio * 1e6).round() / 1e6);
        let ratio = Range::between(digits(ratio.low), digits(ratio.high));
        let append_rate = ratio.map(|ratio| rate * batch.bytes_per_record(ratio));
        let filled = append_rate.map(|bytes| (segment / (bytes / partitions)).min(roll));
        let records = Exact::from(batch.records);
        let index_share = ratio.map(|ratio| index_share(batch.bytes_per_record(ratio) * records));
        let half = Exact::ratio(1, 2);
        let check = Exact::from(CHECK_SECONDS);
        let lingering = Range::new(0_u64, (filled.mid() + check) * half, filled.high() + check);
        let lingering = lingering + Exact::from(DELETE_DELAY_SECONDS).into();
        let alert_room = Range::from(Exact::ONE / alert);
        let headroom = storage.headroom.value.range().map(|more| Exact::ONE + more);
        let binds_alert = alert_room.mid() > headroom.mid();
        Ok(Self {
            payload_rate: rate * Exact::from(record.payload_bytes()),
            batch,
            append_rate,
            index_share,
            lingering,
            replication,
            room: headroom.max(alert_room),
            room_from: if binds_alert { "alert" } else { "headroom" },
        })
    }

    /// Bytes of one copy's active segments: empty after a roll, half full on
    /// average, full or as old as a segment gets just before one.
    fn active(&self, storage: &Storage) -> Range {
        let segments = storage.segment.exact() * Exact::from(storage.partitions);
        let most = self
            .append_rate
            .map(|rate| (rate * storage.roll.exact()).min(segments));
        Range::new(0_u64, most.mid() * Exact::ratio(1, 2), most.high())
    }

    /// Bytes of all copies, with indexes, for records that stay so long.
    pub(crate) fn used(&self, seconds: Range) -> Range {
        let with_index = self.index_share.map(|share| Exact::ONE + share);
        self.append_rate * seconds * with_index * Range::from(self.replication)
    }
}

/// Index bytes for each byte appended in batches of `batch` bytes: an entry with
/// every batch larger than the interval, or once the batches before exceed it.
fn index_share(batch: Exact) -> Exact {
    let batches = (Exact::from(INDEX_INTERVAL_BYTES) / batch).floor() + Exact::ONE;
    Exact::from(INDEX_BYTES) / (batches * batch)
}

/// The disk that `input` takes.
///
/// Rules D1 (rate × retention), D2 (replication, headroom), D3 (compression),
/// D4 (whole segments), D7 (alert). One copy = rate ÷ n × (61 + Σ records) ×
/// retention for batches of n records; indexes add 20
/// bytes for each batch, or for the batches that exceed 4096 bytes together.
pub fn disk(input: &Input) -> Result<Answer, InputError> {
    let retention = above_zero("retention", input.retention)?;
    let storage = &input.storage;
    let model = Model::new(input.rate, &input.record, storage)?;
    let payload = model.payload_rate * retention;
    let log = model.append_rate * retention.into();
    let kept = Range::from(retention) + model.lingering;
    let used = model.used(kept);
    let provision = used * model.room;
    let (brokers, partitions) = (storage.brokers, storage.partitions);

    let mut answer = Answer::new("disk", &["D1", "D2", "D3", "D4", "D7"]);
    let line = &mut answer;
    line.line(
        "written",
        Unit::BytesPerSecond,
        model.payload_rate,
        "rate × (key + value)",
    )?;
    line.line(
        "one copy, payload only",
        Unit::Bytes,
        payload,
        "D1: written × retention",
    )?;
    line.line(
        "one copy, as logged",
        Unit::Bytes,
        log,
        "with record framing and batch headers, after compression",
    )?;
    let index = log * model.index_share;
    line.line(
        "its indexes",
        Unit::Bytes,
        index,
        "20 bytes a batch, or for batches past 4096 bytes together",
    )?;
    let active = model.active(storage);
    line.line(
        "in active segments",
        Unit::Bytes,
        active,
        "the last segment of every partition: filling, so never deleted alone",
    )?;
    let lingering = model.append_rate * model.lingering;
    line.line(
        "expired, not yet deleted",
        Unit::Bytes,
        lingering,
        "D4: waits for its segment, the check and the delete delay",
    )?;
    line.line(
        "used by all replicas",
        Unit::Bytes,
        used,
        "everything above × replication",
    )?;
    line.line(
        "to provision",
        Unit::Bytes,
        provision,
        "used, with headroom, and below the alert",
    )?;
    let per_broker = provision.map(|bytes| bytes / brokers.into());
    line.line(
        "per broker",
        Unit::Bytes,
        per_broker,
        "to provision ÷ brokers",
    )?;
    line.line(
        "alert goes off at",
        Unit::Bytes,
        per_broker.map(|bytes| bytes * storage.alert.exact()),
        "D7: used on one broker: per broker × alert",
    )?;
    one_broker_lost(line, provision, storage)?;
    let sparse = Exact::from(PREALLOCATED_BYTES) * partitions.into() * model.replication;
    line.line(
        "preallocated indexes",
        Unit::Bytes,
        sparse,
        "apparent size of the active segments' indexes; sparse, takes no blocks",
    )?;
    line.curve(filling(&model, retention, provision, storage));
    line.bind(model.room_from, "it sets the room above what is used");
    assume(line, storage, &model);
    corrections(line, input, payload, &model);
    Ok(answer)
}

/// Bytes of all replicas while the topic fills, until deletion keeps them level.
fn filling(model: &Model, retention: Exact, provision: Range, storage: &Storage) -> Curve {
    let kept = retention + model.lingering.mid();
    let rate = model.used(Exact::ONE.into());
    let end = kept.to_f64() * 1.3;
    let mut curve = Curve::new(
        "Disk over time, until deletion keeps it level",
        Axis::new("since the topic was created", Unit::Seconds),
        Axis::new("bytes of all replicas", Unit::Bytes),
    );
    const STEPS: u32 = 100;
    let times = (0..=STEPS).map(|step| end * f64::from(step) / f64::from(STEPS));
    let held = |time: f64| rate.mid().to_f64() * time.min(kept.to_f64());
    curve.line("used", times.map(|time| (time, held(time))));
    let level = |bytes: Exact| [(0.0, bytes.to_f64()), (end, bytes.to_f64())];
    let provision = provision.mid();
    curve.line("alert", level(provision * storage.alert.exact()));
    curve.line("provisioned", level(provision));
    curve
}

/// When a broker is gone for good, the rest take its replicas while there are
/// brokers enough for all copies.
fn one_broker_lost(
    answer: &mut Answer,
    provision: Range,
    storage: &Storage,
) -> Result<(), InputError> {
    if storage.brokers < 2 {
        answer.note("one broker: its loss is the loss of the data.");
        return Ok(());
    }
    let left = storage.brokers - 1;
    let copies = storage.replication.min(left);
    let bytes = provision.map(|bytes| {
        bytes * Exact::from(copies) / Exact::from(storage.replication) / Exact::from(left)
    });
    let why = match copies == storage.replication {
        true => "the survivors hold every copy again",
        false => "too few brokers to hold every copy: the survivors carry one copy less",
    };
    answer.line("per broker, one lost", Unit::Bytes, bytes, why)
}

pub(crate) fn assume(answer: &mut Answer, storage: &Storage, model: &Model) {
    answer.assume("batch", &storage.batch);
    answer.assume("ratio", &storage.ratio);
    answer.assume("segment", &storage.segment);
    answer.assume("roll", &storage.roll);
    answer.assume("headroom", &storage.headroom);
    answer.assume("alert", &storage.alert);
    let (records, bytes) = (model.batch.records, model.batch.bytes());
    answer.note(format!(
        "a batch holds {records} records in {bytes} bytes before compression."
    ));
}

/// What the document makes of the disk of one topic.
struct Example {
    per_second: u32,
    bytes: u32,
    days: u32,
    says: &'static str,
    because: &'static str,
}

const ONE_COPY: &str = "rate × retention is one copy; every replica holds it again";
const EXAMPLES: [Example; 5] = [
    Example {
        per_second: 100_000,
        bytes: 1000,
        days: 7,
        says: "about 60 TB",
        because: ONE_COPY,
    },
    Example {
        per_second: 50_000,
        bytes: 1000,
        days: 7,
        says: "30 TB",
        because: ONE_COPY,
    },
    Example {
        per_second: 50_000,
        bytes: 1000,
        days: 30,
        says: "nothing, in the walkthrough",
        because: ONE_COPY,
    },
    Example {
        per_second: 100_000,
        bytes: 500,
        days: 30,
        says: "about 13 TB",
        because: "13 TB belong to 10K/s: the document is off by ten, and counts one copy",
    },
    Example {
        per_second: 100_000,
        bytes: 500,
        days: 14,
        says: "5 TB in two weeks",
        because: "5 TB in two weeks are 8267/s, and one copy",
    },
];

fn corrections(answer: &mut Answer, input: &Input, payload: Exact, model: &Model) {
    let show = |value| Unit::Bytes.show(value);
    let copies = payload * model.replication;
    let (low, high) = (Exact::ratio(12, 10), Exact::ratio(13, 10));
    let same = |example: &&Example| {
        Exact::from(input.rate) == example.per_second.into()
            && input.record.payload_bytes() == u64::from(example.bytes)
            && input.retention == Span::from_secs(u64::from(example.days) * 86_400)
    };
    let (says, because) = match EXAMPLES.iter().find(same) {
        Some(example) => (example.says.to_owned(), example.because),
        None => (format!("rate × retention, {}", show(payload)), ONE_COPY),
    };
    let right = format!(
        "{} a copy, {} over all, {} to {} with room",
        show(payload),
        show(copies),
        show(copies * low),
        show(copies * high)
    );
    answer.correct("D1", &says, &right, because);
    answer.correct(
        "D2",
        "20-30% segment overhead",
        "at most 0.49% of indexes, 61 bytes a batch; the 20-30% are headroom",
        "index entries are 8 + 12 bytes for every 4096 appended, or for every larger batch",
    );
    if input.storage.ratio.value.high > 1.0 {
        let codecs = "gzip, snappy, lz4 and zstd";
        answer.correct(
            "D3",
            "codecs without zstd",
            codecs,
            "Kafka has it since 2.1",
        );
    }
    answer.correct(
        "D7",
        "alert above 80% in one table, above 85% in another",
        "80%, the earlier one",
        "an alert must leave time to act",
    );
}

/// How many times smaller the document expects compression to make records.
pub fn documented_ratio() -> Parameter<Between<f64>> {
    Parameter::document("D3", Between::new(3.0, 6.0))
}
