//! `plimsoll size disk`.

use super::load::{Load, Shape, Stored};
use plimsoll_calculators::calibration::Calibration;
use plimsoll_calculators::disk::{Input, disk};
use plimsoll_calculators::{Answer, InputError};
use plimsoll_units::Span;

/// Disk that a topic takes, exactly, on all brokers and on each.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size disk --rate 50K/s --size 1KB --retention 7d --replication 3"
)]
pub struct Args {
    #[command(flatten)]
    load: Load,
    /// How long records are kept: 7d.
    #[arg(long)]
    retention: Span,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    stored: Stored,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self, calibration: Option<&Calibration>) -> Result<Answer, InputError> {
        disk(&Input {
            rate: self.load.rate,
            record: self.shape.record(self.load.size),
            retention: self.retention,
            storage: self.stored.storage(calibration),
        })
    }
}
