//! How large a compacted topic gets: rules X1 and X2.

use crate::answer::Answer;
use crate::error::{InputError, above_zero};
use crate::exact::Exact;
use crate::parameter::Parameter;
use crate::unit::Unit;
use plimsoll_units::{Count, Rate, Share, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a key's hash and offset in the cleaner's map.
const MAP_ENTRY_BYTES: u64 = 24;

/// What is rewritten, and how the cleaner is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Keys that are live.
    pub keys: Count,
    /// Bytes of a record.
    pub size: Size,
    /// Records a second, over all keys.
    pub rate: Rate,
    /// Share of the records whose key has never been written before.
    pub new_keys: Share,
    /// Share of the records that delete their key.
    pub tombstones: Share,
    /// Bytes of a tombstone.
    pub tombstone: Size,
    /// `min.cleanable.dirty.ratio`.
    pub dirty: Parameter<Share>,
    /// Bytes at which a segment is rolled.
    pub segment: Parameter<Size>,
    /// `delete.retention.ms`.
    pub delete_retention: Parameter<Span>,
    /// `log.cleaner.dedupe.buffer.size`.
    pub buffer: Parameter<Size>,
    /// `log.cleaner.io.buffer.load.factor`.
    pub load_factor: Parameter<Share>,
}

impl Input {
    /// `keys` of `size`, rewritten at `rate`, with Kafka's defaults.
    pub fn new(keys: Count, size: Size, rate: Rate) -> Self {
        Self {
            keys,
            size,
            rate,
            new_keys: Share::default(),
            tombstones: Share::default(),
            tombstone: Size::from_bytes(70),
            dirty: Parameter::default_of(
                "min.cleanable.dirty.ratio",
                Share::new(0.5).unwrap_or_default(),
            ),
            segment: Parameter::default_of("log.segment.bytes", Size::from_bytes(1 << 30)),
            delete_retention: Parameter::document("X1", Span::from_secs(86_400)),
            buffer: Parameter::default_of(
                "log.cleaner.dedupe.buffer.size",
                Size::from_bytes(128 << 20),
            ),
            load_factor: Parameter::default_of(
                "log.cleaner.io.buffer.load.factor",
                Share::new(0.9).unwrap_or_default(),
            ),
        }
    }
}

/// The steady state of `input`, for one copy.
///
/// K·s ÷ (1 − r) at dirty ratio r, the active segment, the tombstones of the
/// last `delete.retention`, and room for the copy that the cleaner writes.
pub fn compaction(input: &Input) -> Result<Answer, InputError> {
    let keys = above_zero("keys", input.keys)?;
    let size = above_zero("size", input.size)?;
    let dirty = Exact::from(input.dirty.value);
    if dirty >= Exact::ONE {
        return Err(InputError::refused(
            "dirty",
            input.dirty.value,
            "a share below 1",
        ));
    }
    let shares = Exact::from(input.new_keys) + input.tombstones.into();
    if shares > Exact::ONE {
        let accepted = "with the new keys at most 1";
        return Err(InputError::refused(
            "tombstones",
            input.tombstones,
            accepted,
        ));
    }
    let buffer = above_zero("buffer", input.buffer.value)?;
    let load_factor = above_zero("load factor", input.load_factor.value)?;
    let rate = Exact::from(input.rate);
    let live = keys * size;
    let before = live / Exact::ONE.minus(dirty);
    let active = Exact::from(input.segment.value);
    let deleted = rate * Exact::from(input.tombstones) * input.delete_retention.exact();
    let tombstones = deleted * input.tombstone.into();
    let most = before + active + tombstones;

    let mut answer = Answer::new("compaction", &["X1", "X2"]);
    answer.line("live", Unit::Bytes, live, "X1: one record for each key")?;
    answer.line(
        "before a cleaning",
        Unit::Bytes,
        before,
        "live ÷ (1 − dirty ratio)",
    )?;
    answer.line("active segment", Unit::Bytes, active, "never cleaned")?;
    answer.line(
        "tombstones",
        Unit::Bytes,
        tombstones,
        "deletes a second × delete.retention × their size",
    )?;
    answer.line("at most", Unit::Bytes, most, "all of these")?;
    answer.line(
        "with the cleaner's copy",
        Unit::Bytes,
        most + live.min(active),
        "a cleaned segment is written before the old one goes",
    )?;
    let between = before.minus(live) / (rate * size);
    answer.line(
        "between cleanings",
        Unit::Seconds,
        between,
        "dirty bytes ÷ written",
    )?;
    passes(
        &mut answer,
        keys.min(keys * dirty / Exact::ONE.minus(dirty)),
        buffer * load_factor,
    )?;
    let growth = rate * Exact::from(input.new_keys) * size;
    if growth.is_zero() {
        answer.bind("keys", "their number and the dirty ratio set the size");
    } else {
        answer.line(
            "grows by, a day",
            Unit::Bytes,
            growth * Exact::whole(86_400),
            "X2: new keys × size: nothing to compact",
        )?;
        answer.bind(
            "new keys",
            "the topic grows for ever: unique keys are never compacted",
        );
    }
    answer.assume("dirty", &input.dirty);
    answer.assume("segment", &input.segment);
    answer.assume("delete retention", &input.delete_retention);
    answer.assume("buffer", &input.buffer);
    answer.assume("load factor", &input.load_factor);
    Ok(answer)
}

/// Each pass cleans as many keys as the offset map holds.
fn passes(answer: &mut Answer, keys: Exact, map: Exact) -> Result<(), InputError> {
    let entries = (map / Exact::from(MAP_ENTRY_BYTES)).floor();
    answer.line(
        "keys of one pass",
        Unit::Count,
        entries,
        "buffer × load factor ÷ 24 bytes, over all cleaner threads",
    )?;
    answer.line(
        "passes",
        Unit::Count,
        (keys / entries).ceil(),
        "dirty keys ÷ keys of one pass, at most",
    )
}
