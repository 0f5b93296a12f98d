//! `plimsoll size memory`.

use super::load::Load;
use plimsoll_calculators::memory::{Input, memory};
use plimsoll_calculators::{Answer, InputError};
use plimsoll_units::{Size, Span};

/// Page cache, memory maps and files of a broker.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size memory --rate 100K/s --size 1KB --free 64GiB --partitions 1000"
)]
pub struct Args {
    #[command(flatten)]
    load: Load,
    /// Memory of one broker that is left to the page cache: 64GiB.
    #[arg(long)]
    free: Size,
    /// Copies of every partition.
    #[arg(long, default_value_t = 3)]
    replication: u32,
    /// Brokers.
    #[arg(long, default_value_t = 3)]
    brokers: u32,
    /// Partitions of all topics, before replication.
    #[arg(long, default_value_t = 12)]
    partitions: u32,
    /// How long records are kept; 7d unless given.
    #[arg(long)]
    retention: Option<Span>,
    /// Client connections over all brokers.
    #[arg(long, default_value_t = 0)]
    clients: u32,
    /// How far behind the slowest reader is.
    #[arg(long)]
    behind: Option<Span>,
    /// Bytes at which a segment is rolled, log.segment.bytes.
    #[arg(long)]
    segment: Option<Size>,
    /// The brokers' vm.max_map_count.
    #[arg(long)]
    maps: Option<u32>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self) -> Result<Answer, InputError> {
        let mut input = Input::new(self.load.rate, self.load.size, self.free);
        input.retention = self.retention.unwrap_or(input.retention);
        input.replication = self.replication;
        input.brokers = self.brokers;
        input.partitions = self.partitions;
        input.clients = self.clients;
        input.behind = self.behind;
        input.segment = input.segment.or_user(self.segment);
        input.maps = input.maps.or_user(self.maps);
        memory(&input)
    }
}
