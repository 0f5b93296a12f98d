//! `plimsoll size brokers`.

use super::load::{Fanout, Load};
use plimsoll_calculators::brokers::{Input, brokers};
use plimsoll_calculators::calibration::Calibration;
use plimsoll_calculators::{Answer, Between, InputError, Parameter};
use plimsoll_units::{ByteRate, Rate, Share, Size, Span};

/// Brokers that a cluster needs, with one to lose.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size brokers --rate 50K/s --size 1KB --groups 3 --partitions 1000"
)]
pub struct Args {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    fanout: Fanout,
    /// Partitions of all topics, before replication.
    #[arg(long, default_value_t = 12)]
    partitions: u32,
    /// Disk of all replicas, as `size disk` says.
    #[arg(long)]
    disk: Option<Size>,
    /// Disk of one broker.
    #[arg(long)]
    broker_disk: Option<Size>,
    /// Bytes a second that one broker writes to disk; the document has 100MB/s..200MB/s.
    #[arg(long, value_name = "RATE[..RATE]")]
    writes: Option<Between<ByteRate>>,
    /// Bytes a second that one broker sends; the document has 200MB/s..400MB/s.
    #[arg(long, value_name = "RATE[..RATE]")]
    reads: Option<Between<ByteRate>>,
    /// Records a second that one broker takes; the document has 100K/s..200K/s.
    #[arg(long, value_name = "RATE[..RATE]")]
    records: Option<Between<Rate>>,
    /// What one broker's network carries in one direction: 1250MB/s.
    #[arg(long)]
    link: Option<ByteRate>,
    /// Cores of one broker.
    #[arg(long)]
    cores: Option<u32>,
    /// CPU time that one broker spends on 10^9 bytes appended: 3s.
    #[arg(long, value_name = "SPAN", requires = "cores")]
    cpu_per_gb: Option<Span>,
    /// Replicas that one broker holds.
    #[arg(long)]
    replicas: Option<u32>,
    /// Share of a broker's capacity to plan with.
    #[arg(long)]
    utilisation: Option<Share>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self, calibration: Option<&Calibration>) -> Result<Answer, InputError> {
        let mut input = Input::new(self.load.rate, self.load.size);
        input.link = self.link;
        input.cores = self.cores;
        if let Some(found) = calibration {
            input.calibrate(found);
        }
        if let Some(cost) = self.cpu_per_gb {
            input.cpu_per_gb = Some(Parameter::user(cost));
        }
        input.replication = self.fanout.replication;
        input.groups = self.fanout.groups;
        input.partitions = self.partitions;
        input.disk = self.disk;
        input.broker_disk = self.broker_disk;
        input.writes = input.writes.or_user(self.writes);
        input.reads = input.reads.or_user(self.reads);
        input.records = input.records.or_user(self.records);
        input.replicas = input.replicas.or_user(self.replicas);
        input.utilisation = input.utilisation.or_user(self.utilisation);
        brokers(&input)
    }
}
