//! `plimsoll size cost`.

use super::load::{Fanout, Load};
use crate::failure::Failure;
use anyhow::Context as _;
use plimsoll_calculators::Answer;
use plimsoll_calculators::cost::{Input, Prices, cost};
use plimsoll_units::Size;
use std::path::PathBuf;

/// A month's bill: Kafka against services that bill bytes or requests.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll size cost --rate 500M/d --size 1KB")]
pub struct Args {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    fanout: Fanout,
    /// Brokers.
    #[arg(long, default_value_t = 3)]
    brokers: u32,
    /// Disk over all brokers; 3TB unless given.
    #[arg(long)]
    disk: Option<Size>,
    /// A list of prices; the shipped one unless given.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self) -> Result<Answer, Failure> {
        let mut input = Input::new(self.load.rate, self.load.size);
        input.disk = self.disk.unwrap_or(input.disk);
        input.groups = self.fanout.groups;
        input.replication = self.fanout.replication;
        input.brokers = self.brokers;
        if let Some(file) = &self.prices {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))
                .map_err(Failure::usage)?;
            input.prices = Prices::from_toml(&text)
                .with_context(|| file.display().to_string())
                .map_err(Failure::usage)?;
        }
        cost(&input).map_err(Failure::usage)
    }
}
