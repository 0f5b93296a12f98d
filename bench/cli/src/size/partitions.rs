//! `plimsoll size partitions`.

use super::load::Load;
use plimsoll_calculators::calibration::Calibration;
use plimsoll_calculators::partitions::{Input, partitions};
use plimsoll_calculators::{Answer, Between, InputError};
use plimsoll_units::{ByteRate, Rate, Share, Span};

/// Partitions that a topic needs: by bytes, by records, by consumers.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size partitions --rate 50K/s --size 1KB --processing 10ms"
)]
pub struct Args {
    #[command(flatten)]
    load: Load,
    /// Consumers of the largest group.
    #[arg(long)]
    consumers: Option<u32>,
    /// Time that a consumer spends on a record.
    #[arg(long)]
    processing: Option<Span>,
    /// Partitions that the topic has now.
    #[arg(long)]
    current: Option<u32>,
    /// Brokers that hold the partitions.
    #[arg(long)]
    brokers: Option<u32>,
    /// Copies of every partition; 3 unless given.
    #[arg(long, requires = "brokers")]
    replication: Option<u32>,
    /// Share of the records that carry the hottest key.
    #[arg(long)]
    hot_key: Option<Share>,
    /// Bytes a second that one partition takes; the document has 10MB/s..30MB/s.
    #[arg(long, value_name = "RATE[..RATE]")]
    partition_bytes: Option<Between<ByteRate>>,
    /// Records a second that one partition takes; the document has 10K/s..50K/s.
    #[arg(long, value_name = "RATE[..RATE]")]
    partition_records: Option<Between<Rate>>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self, calibration: Option<&Calibration>) -> Result<Answer, InputError> {
        let mut input = Input::new(self.load.rate, self.load.size);
        if let Some(found) = calibration {
            input.calibrate(found);
        }
        input.current = self.current;
        input.brokers = self.brokers;
        input.replication = self.replication;
        input.consumers = self.consumers;
        input.processing = self.processing;
        input.hot_key = self.hot_key;
        input.partition_bytes = input.partition_bytes.or_user(self.partition_bytes);
        input.partition_records = input.partition_records.or_user(self.partition_records);
        partitions(&input)
    }
}
