//! How long a disk lasts: the disk calculator turned round. Rules D4 and D5.

use crate::answer::Answer;
use crate::batch::RecordShape;
use crate::disk::{Model, Storage, assume};
use crate::error::{InputError, above_zero};
use crate::exact::Exact;
use crate::range::Range;
use crate::unit::Unit;
use plimsoll_units::{Rate, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A disk, and what is written to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Bytes of disk over all brokers.
    pub disk: Size,
    /// Records a second, over all partitions.
    pub rate: Rate,
    /// Key, value and headers of a record.
    pub record: RecordShape,
    /// How records are stored.
    pub storage: Storage,
    /// How far behind the slowest consumer may be.
    pub slowest_consumer: Option<Span>,
    /// The topic's `retention.ms`, where it is set already.
    #[serde(default)]
    pub time: Option<Span>,
    /// The topic's `retention.bytes`, for one partition, where it is set already.
    #[serde(default)]
    pub bytes: Option<Size>,
}

/// The retention that `input.disk` pays for.
///
/// Retention = disk ÷ room ÷ (replication × append rate × (1 + index share)) − what
/// lingers after expiry. Rules D4 (whole segments) and D5 (milliseconds).
pub fn retention(input: &Input) -> Result<Answer, InputError> {
    let disk = above_zero("disk", input.disk)?;
    let model = Model::new(input.rate, &input.record, &input.storage)?;
    let per_second = model.used(Exact::ONE.into()) * model.room;
    let held = per_second.map(|bytes| disk / bytes);
    let kept = Range::new(
        held.low().minus(model.lingering.high()),
        held.mid().minus(model.lingering.mid()),
        held.high().minus(model.lingering.low()),
    );

    let mut answer = Answer::new("retention", &["D4", "D5", "D7"]);
    answer.line(
        "written, all replicas",
        Unit::BytesPerSecond,
        model.used(Exact::ONE.into()),
        "append rate × replication, with indexes",
    )?;
    answer.line(
        "retention",
        Unit::Seconds,
        kept,
        "disk ÷ (written × room), less what lingers",
    )?;
    let millis = Range::from(Exact::whole(1000)) * kept;
    answer.line(
        "retention.ms",
        Unit::Setting,
        millis.map(Exact::floor),
        "D5: the setting",
    )?;
    let partition_share = model.replication * Exact::from(input.storage.partitions);
    let bytes = model
        .room
        .map(|room| (disk / room / partition_share).floor());
    answer.line(
        "retention.bytes",
        Unit::Setting,
        bytes,
        "the same disk as a limit for each partition",
    )?;
    answer.line(
        "late by",
        Unit::Seconds,
        model.lingering,
        "D4: the last byte of a segment expires, then the check, then the delete",
    )?;
    let settings = settings(&mut answer, input, &model, kept)?;
    let safe = settings.map(|kept| kept * Exact::from(input.rate));
    answer.line(
        "a consumer may be behind by",
        Unit::Count,
        safe,
        "retention × rate, in records: further behind it loses some",
    )?;
    if let Some(behind) = input.slowest_consumer {
        oldest_read(&mut answer, settings, behind)?;
    }
    if kept.mid().is_zero() {
        answer.note(
            "the disk is full before the first segment can be deleted: roll segments earlier.",
        );
    }
    assume(&mut answer, &input.storage, &model);
    answer.correct(
        "D4",
        "the active segment is not deleted",
        "it is rolled and deleted once its newest record has expired",
        "a segment whose records have all expired is rolled first",
    );
    Ok(answer)
}

/// What the disk pays for against what the topic's settings allow: whichever is
/// shortest deletes, and binds.
fn settings(
    answer: &mut Answer,
    input: &Input,
    model: &Model,
    disk: Range,
) -> Result<Range, InputError> {
    let mut terms = vec![("the disk", disk)];
    if let Some(time) = input.time {
        let time = Range::from(above_zero("time", time)?);
        answer.line(
            "by retention.ms",
            Unit::Seconds,
            time,
            "the topic's setting",
        )?;
        terms.push(("retention.ms", time));
    }
    if let Some(bytes) = input.bytes {
        let all = above_zero("bytes", bytes)? * Exact::from(input.storage.partitions);
        let held = model.append_rate.map(|rate| all / rate);
        answer.line(
            "by retention.bytes",
            Unit::Seconds,
            held,
            "retention.bytes × partitions ÷ append rate; partitions evenly filled",
        )?;
        terms.push(("retention.bytes", held));
    }
    let shortest = terms.iter().min_by_key(|(_, range)| range.mid());
    let (term, least) = shortest.copied().unwrap_or(("the disk", disk));
    let because = match term {
        "the disk" if terms.len() > 1 => "it is full before the settings delete",
        "the disk" => "no retention.ms or retention.bytes was given to compare it with",
        _ => "it is the shortest: it deletes first",
    };
    answer.bind(term, because);
    if term == "the disk" && terms.len() > 1 {
        answer.note("the disk fills up before the topic's settings delete anything: shorten them.");
    }
    Ok(least)
}

fn oldest_read(answer: &mut Answer, kept: Range, behind: Span) -> Result<(), InputError> {
    let spare = kept.map(|kept| kept.minus(behind.into()));
    answer.line(
        "margin of the slowest consumer",
        Unit::Seconds,
        spare,
        "retention − the age of its oldest unread record",
    )?;
    if spare.low().is_zero() {
        answer.note("the slowest consumer may lose records: its oldest unread record is older than the shortest retention.");
    }
    Ok(())
}
