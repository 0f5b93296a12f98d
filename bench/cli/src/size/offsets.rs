//! `plimsoll size offsets`.

use plimsoll_calculators::offsets::{Input, offsets};
use plimsoll_calculators::{Answer, InputError};
use plimsoll_units::{Size, Span};

/// What committing offsets writes.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll size offsets --groups 100 --partitions 50")]
pub struct Args {
    /// Groups.
    #[arg(long)]
    groups: u32,
    /// Partitions that each group reads.
    #[arg(long)]
    partitions: u32,
    /// Time between commits, auto.commit.interval.ms.
    #[arg(long)]
    interval: Option<Span>,
    /// Bytes of a commit's record.
    #[arg(long)]
    record: Option<Size>,
    /// Partitions of the offsets topic, offsets.topic.num.partitions.
    #[arg(long)]
    topic_partitions: Option<u32>,
    /// Bytes of its segments, offsets.topic.segment.bytes.
    #[arg(long)]
    segment: Option<Size>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self) -> Result<Answer, InputError> {
        let mut input = Input::new(self.groups, self.partitions);
        input.interval = input.interval.or_user(self.interval);
        input.record = input.record.or_user(self.record);
        input.topic_partitions = input.topic_partitions.or_user(self.topic_partitions);
        input.segment = input.segment.or_user(self.segment);
        offsets(&input)
    }
}
