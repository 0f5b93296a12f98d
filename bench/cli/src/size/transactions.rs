//! `plimsoll size transactions`.

use plimsoll_calculators::calibration::Calibration;
use plimsoll_calculators::transactions::{Input, transactions};
use plimsoll_calculators::{Answer, Between, InputError, Parameter};
use plimsoll_units::{Count, Rate, Share, Span};

/// What transactions cost, by records in each.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll size transactions --plain 100K/s --records 1K --commit 10ms"
)]
pub struct Args {
    /// Records a second without transactions: 100K/s.
    #[arg(long)]
    plain: Rate,
    /// Records of one transaction: 1K.
    #[arg(long)]
    records: Count,
    /// Time that a commit takes: 10ms; the calibration's unless given.
    #[arg(long)]
    commit: Option<Span>,
    /// Share of the throughput that may be lost; the document has 20%..30%.
    #[arg(long, value_name = "SHARE[..SHARE]")]
    overhead: Option<Between<Share>>,
}

impl Args {
    /// Computes the answer.
    pub fn answer(self, calibration: Option<&Calibration>) -> Result<Answer, InputError> {
        let measured = calibration.and_then(|found| found.commit_seconds.as_ref()?.span());
        let commit = self.commit.map(Parameter::user).or(measured);
        let accepted = "a time such as 10ms, or a calibration with transactions in it";
        let commit = commit.ok_or_else(|| InputError::refused("commit", "not given", accepted))?;
        let mut input = Input::new(self.plain, self.records, commit);
        input.overhead = input.overhead.or_user(self.overhead);
        transactions(&input)
    }
}
