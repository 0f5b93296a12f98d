//! `plimsoll size lag`.

use plimsoll_calculators::lag::{Input, lag};
use plimsoll_calculators::{Answer, InputError};
use plimsoll_units::{Count, Rate, Span};

/// How lag grows, when it is caught up, and when records are lost.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size lag --produced 50K/s --consumed 60K/s --outage 1h --retention 7d"
)]
pub struct Args {
    /// Records written a second.
    #[arg(long)]
    produced: Rate,
    /// Records that the group can read a second.
    #[arg(long)]
    consumed: Rate,
    /// Records behind now.
    #[arg(long, default_value_t = Count::new(0))]
    lag: Count,
    /// How long the group stands still first.
    #[arg(long, default_value_t = Span::ZERO)]
    outage: Span,
    /// How long records are kept.
    #[arg(long)]
    retention: Option<Span>,
    /// Recover within this many times the outage.
    #[arg(long)]
    recover_within: Option<Count>,
    /// Records behind that set off the alert.
    #[arg(long)]
    alert_records: Option<Count>,
    /// Age of the oldest unread record that sets off the alert.
    #[arg(long)]
    alert_age: Option<Span>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self) -> Result<Answer, InputError> {
        let mut input = Input::new(self.produced, self.consumed);
        input.lag = self.lag;
        input.outage = self.outage;
        input.retention = self.retention;
        input.recover_within = self.recover_within;
        input.alert_records = input.alert_records.or_user(self.alert_records);
        input.alert_age = input.alert_age.or_user(self.alert_age);
        lag(&input)
    }
}
