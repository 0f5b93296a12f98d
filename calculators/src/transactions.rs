//! What transactions cost a producer: rule B3.

use crate::answer::Answer;
use crate::curve::{Axis, Curve};
use crate::error::{InputError, above_zero};
use crate::exact::Exact;
use crate::parameter::{Between, Parameter};
use crate::unit::Unit;
use plimsoll_units::{Count, Rate, Share, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A producer and its transactions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Records a second without transactions.
    pub plain: Rate,
    /// Records of one transaction.
    pub records: Count,
    /// Time that a commit takes.
    pub commit: Parameter<Span>,
    /// Share of the throughput that may be lost.
    pub overhead: Parameter<Between<Share>>,
}

impl Input {
    /// Transactions of `records` on a producer that does `plain` without.
    pub fn new(plain: Rate, records: Count, commit: Parameter<Span>) -> Self {
        Self {
            plain,
            records,
            commit,
            overhead: Parameter::quoted("B3", "20%..30%"),
        }
    }
}

/// What `input`'s transactions cost.
///
/// Overhead = t_c ÷ (n ÷ r₀ + t_c); turned round, n = r₀ × t_c × (1 − o) ÷ o
/// records a transaction keep it at o.
pub fn transactions(input: &Input) -> Result<Answer, InputError> {
    let records = above_zero("records", input.records)?;
    let commit = above_zero("commit", input.commit.value)?;
    let plain = Exact::from(input.plain);
    above_zero("overhead", input.overhead.value.low)?;
    let sending = records / plain;
    let lasting = sending + commit;
    let overhead = commit / lasting;
    let allowed = input.overhead.value.range();
    let enough = allowed.map(|share| (plain * commit * Exact::ONE.minus(share) / share).ceil());

    let mut answer = Answer::new("transactions", &["B3", "T1"]);
    answer.line(
        "one transaction",
        Unit::Seconds,
        lasting,
        "records ÷ plain rate + commit",
    )?;
    answer.line(
        "overhead",
        Unit::Share,
        overhead,
        "B3: commit ÷ one transaction",
    )?;
    answer.line(
        "records a second",
        Unit::PerSecond,
        records / lasting,
        "records ÷ one transaction",
    )?;
    answer.line(
        "transactions a second",
        Unit::PerSecond,
        Exact::ONE / lasting,
        "1 ÷ one transaction",
    )?;
    answer.line(
        "records for the allowed overhead",
        Unit::Count,
        enough,
        "plain rate × commit × (1 − overhead) ÷ overhead",
    )?;
    match commit > sending {
        true => answer.bind(
            "commit",
            "committing takes longer than sending: make transactions larger",
        ),
        false => answer.bind("sending", "sending takes longer than committing"),
    }
    let mut curve = Curve::new(
        "What transactions cost by records in each",
        Axis::log("records of one transaction", Unit::Count),
        Axis::new("share of the throughput lost", Unit::Share),
    );
    let around = (0..=40).map(|step| records.to_f64() * 10_f64.powf(f64::from(step - 20) / 10.0));
    let lost = |n: f64| commit.to_f64() / (n / plain.to_f64() + commit.to_f64());
    curve.line(
        "overhead",
        around.filter(|n| *n >= 1.0).map(|n| (n, lost(n))),
    );
    answer.curve(curve);
    answer.note("readers under read_committed see a record only after its commit: latency grows by the transaction's length.");
    answer.assume("commit", &input.commit);
    answer.assume("overhead", &input.overhead);
    let range = Unit::Share.show(overhead);
    answer.correct(
        "B3",
        "transactions cost 20-30% of throughput",
        &format!("{range} here"),
        "the cost is one commit for each transaction, whatever its size",
    );
    Ok(answer)
}
