//! `plimsoll size rebalance`.

use plimsoll_calculators::rebalance::{Input, Protocol, rebalance};
use plimsoll_calculators::{Answer, Between, InputError};
use plimsoll_units::{Rate, Span};

/// What losing a member costs a group, and rebalances that keep coming.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size rebalance --rate 10K/s --partitions 50 --consumers 10 --every 45s"
)]
pub struct Args {
    /// Records a second, over all partitions: 10K/s.
    #[arg(long)]
    rate: Rate,
    /// Partitions of the topic.
    #[arg(long)]
    partitions: u32,
    /// Members of the group before one is lost.
    #[arg(long)]
    consumers: u32,
    /// How partitions move: eager, cooperative or consumer.
    #[arg(long, value_parser = protocol, default_value = "eager")]
    protocol: Protocol,
    /// Time between rebalances.
    #[arg(long)]
    every: Option<Span>,
    /// Time after which a crash is seen, session.timeout.ms.
    #[arg(long)]
    session: Option<Span>,
    /// How long what stops stands still; 3s..30s unless given.
    #[arg(long, value_name = "SPAN[..SPAN]")]
    pause: Option<Between<Span>>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self) -> Result<Answer, InputError> {
        let mut input = Input::new(self.rate, self.partitions, self.consumers);
        input.protocol = self.protocol;
        input.every = self.every;
        input.session = input.session.or_user(self.session);
        input.pause = input.pause.or_user(self.pause);
        rebalance(&input)
    }
}

fn protocol(text: &str) -> Result<Protocol, &'static str> {
    match text {
        "eager" => Ok(Protocol::Eager),
        "cooperative" => Ok(Protocol::Cooperative),
        "consumer" => Ok(Protocol::Consumer),
        _ => Err("accepted: eager, cooperative or consumer"),
    }
}
