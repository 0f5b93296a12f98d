//! `plimsoll size consumers`.

use plimsoll_calculators::consumers::{Input, consumers};
use plimsoll_calculators::{Answer, InputError};
use plimsoll_units::{Rate, Share, Span};

/// Consumers that a group needs, and how many are idle.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size consumers --rate 10K/s --processing 10ms --partitions 50"
)]
pub struct Args {
    /// Records a second, over all partitions: 10K/s.
    #[arg(long)]
    rate: Rate,
    /// Time that one consumer spends on a record: 10ms.
    #[arg(long)]
    processing: Span,
    /// Partitions of the topic.
    #[arg(long)]
    partitions: Option<u32>,
    /// Consumers that the group has.
    #[arg(long)]
    consumers: Option<u32>,
    /// How busy a consumer may be.
    #[arg(long)]
    utilisation: Option<Share>,
    /// Records of one poll, max.poll.records.
    #[arg(long)]
    poll_records: Option<u32>,
    /// Longest time between polls, max.poll.interval.ms.
    #[arg(long)]
    poll_interval: Option<Span>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self) -> Result<Answer, InputError> {
        let mut input = Input::new(self.rate, self.processing);
        input.partitions = self.partitions;
        input.consumers = self.consumers;
        input.utilisation = input.utilisation.or_user(self.utilisation);
        input.poll_records = input.poll_records.or_user(self.poll_records);
        input.poll_interval = input.poll_interval.or_user(self.poll_interval);
        consumers(&input)
    }
}
