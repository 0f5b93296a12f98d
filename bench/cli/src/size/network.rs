//! `plimsoll size network`.

use super::load::{Fanout, Load};
use plimsoll_calculators::network::{Input, network};
use plimsoll_calculators::{Answer, InputError};
use plimsoll_units::{ByteRate, Share, Size};

/// Bytes in and out of every broker, and with one lost.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size network --rate 100K/s --size 1KB --groups 2 --link 1250MB/s"
)]
pub struct Args {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    fanout: Fanout,
    /// Brokers.
    #[arg(long, default_value_t = 3)]
    brokers: u32,
    /// What one broker's network carries in one direction.
    #[arg(long)]
    link: Option<ByteRate>,
    /// Share of the link to plan with.
    #[arg(long)]
    utilisation: Option<Share>,
    /// Bytes that one broker holds.
    #[arg(long)]
    held: Option<Size>,
    /// Throttle of copying a lost broker.
    #[arg(long)]
    throttle: Option<ByteRate>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self) -> Result<Answer, InputError> {
        let mut input = Input::new(self.load.rate, self.load.size);
        input.replication = self.fanout.replication;
        input.groups = self.fanout.groups;
        input.brokers = self.brokers;
        input.link = self.link;
        input.held = self.held;
        input.throttle = self.throttle;
        input.utilisation = input.utilisation.or_user(self.utilisation);
        network(&input)
    }
}
