//! `plimsoll size compaction`.

use super::load::Load;
use plimsoll_calculators::compaction::{Input, compaction};
use plimsoll_calculators::{Answer, InputError};
use plimsoll_units::{Count, Share, Size, Span};

/// How large a compacted topic gets.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll size compaction --keys 10M --size 1KB --rate 1K/s")]
pub struct Args {
    /// Keys that are live: 10M.
    #[arg(long)]
    keys: Count,
    #[command(flatten)]
    load: Load,
    /// Share of the records whose key is new.
    #[arg(long)]
    new_keys: Option<Share>,
    /// Share of the records that delete their key.
    #[arg(long)]
    tombstones: Option<Share>,
    /// Dirty share at which the cleaner starts, min.cleanable.dirty.ratio.
    #[arg(long)]
    dirty: Option<Share>,
    /// Bytes at which a segment is rolled, log.segment.bytes.
    #[arg(long)]
    segment: Option<Size>,
    /// How long tombstones stay, delete.retention.ms.
    #[arg(long)]
    delete_retention: Option<Span>,
    /// The cleaner's map, log.cleaner.dedupe.buffer.size.
    #[arg(long)]
    buffer: Option<Size>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self) -> Result<Answer, InputError> {
        let mut input = Input::new(self.keys, self.load.size, self.load.rate);
        input.new_keys = self.new_keys.unwrap_or_default();
        input.tombstones = self.tombstones.unwrap_or_default();
        input.dirty = input.dirty.or_user(self.dirty);
        input.segment = input.segment.or_user(self.segment);
        input.delete_retention = input.delete_retention.or_user(self.delete_retention);
        input.buffer = input.buffer.or_user(self.buffer);
        compaction(&input)
    }
}
