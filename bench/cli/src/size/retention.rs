//! `plimsoll size retention`.

use super::load::{Load, Shape, Stored};
use plimsoll_calculators::calibration::Calibration;
use plimsoll_calculators::retention::{Input, retention};
use plimsoll_calculators::{Answer, InputError};
use plimsoll_units::{Size, Span};

/// Days that a disk lasts, the disk calculator turned round.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size retention --disk 30TB --rate 50K/s --size 1KB --brokers 3"
)]
pub struct Args {
    /// Bytes of disk over all brokers: 30TB.
    #[arg(long)]
    disk: Size,
    #[command(flatten)]
    load: Load,
    /// How far behind the slowest consumer may be.
    #[arg(long)]
    slowest_consumer: Option<Span>,
    /// The topic's retention.ms, where it is set already.
    #[arg(long, value_name = "SPAN")]
    time: Option<Span>,
    /// The topic's retention.bytes, for one partition, where it is set already.
    #[arg(long, value_name = "SIZE")]
    bytes: Option<Size>,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    stored: Stored,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self, calibration: Option<&Calibration>) -> Result<Answer, InputError> {
        retention(&Input {
            disk: self.disk,
            rate: self.load.rate,
            record: self.shape.record(self.load.size),
            storage: self.stored.storage(calibration),
            slowest_consumer: self.slowest_consumer,
            time: self.time,
            bytes: self.bytes,
        })
    }
}
