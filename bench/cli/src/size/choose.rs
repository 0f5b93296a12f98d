//! `plimsoll size choose`.

use plimsoll_calculators::choose::{Input, choose};
use plimsoll_calculators::{Answer, InputError};
use plimsoll_units::{Rate, Span};

/// Whether Kafka is the right thing, and what is otherwise.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll size choose --rate 50K/s --readers 3 --keep 7d")]
pub struct Args {
    /// Messages a second: 50K/s.
    #[arg(long)]
    rate: Rate,
    /// Independent readers of everything.
    #[arg(long, default_value_t = 1)]
    readers: u32,
    /// Messages are read again later.
    #[arg(long)]
    replay: bool,
    /// How long messages are kept.
    #[arg(long)]
    keep: Option<Span>,
    /// The sender waits for an answer.
    #[arg(long)]
    reply: bool,
    /// Messages are routed by their content.
    #[arg(long)]
    routing: bool,
    /// Both sides use one database already.
    #[arg(long)]
    database: bool,
    /// Nobody is there to run a cluster.
    #[arg(long)]
    serverless: bool,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self) -> Result<Answer, InputError> {
        let mut input = Input::new(self.rate, self.readers);
        input.replay = self.replay;
        input.keep = self.keep;
        input.reply = self.reply;
        input.routing = self.routing;
        input.database = self.database;
        input.serverless = self.serverless;
        choose(&input)
    }
}
