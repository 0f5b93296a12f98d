//! Which records make up a transaction, and how it ends.
//!
//! The fate of a transaction is drawn before its first record, so that each
//! record can carry it in its stamp: a reader that sees a record of an aborted
//! transaction knows at once, however long the run, with nothing looked up.

use super::{Purpose, Worker, random};
use crate::language::TransactionSpec;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A record's place in its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The transaction is to be aborted.
    pub aborts: bool,
    /// This is its last record.
    pub closes: bool,
}

/// One worker's transactions.
#[derive(Clone, Debug)]
pub struct Transactions {
    records: u32,
    abort_rate: f64,
    rng: ChaCha8Rng,
    /// Records that the open transaction still takes.
    left: u32,
    aborts: bool,
}

impl Transactions {
    /// The transactions of one worker; `None` when there are none.
    pub fn new(spec: &TransactionSpec, worker: Worker, seed: u64) -> Option<Self> {
        Some(Self {
            records: spec.records?.max(1),
            abort_rate: spec.abort_rate.get(),
            rng: random(seed, Purpose::Transactions, worker.index),
            left: 0,
            aborts: false,
        })
    }

    /// The open transaction takes no more records.
    pub const fn cut(&mut self) {
        self.left = 0;
    }

    /// The place of the worker's next record.
    pub fn step(&mut self) -> Membership {
        if self.left == 0 {
            self.left = self.records;
            self.aborts = self.rng.random_bool(self.abort_rate.clamp(0.0, 1.0));
        }
        self.left -= 1;
        Membership {
            aborts: self.aborts,
            closes: self.left == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Share;

    fn transactions(records: u32, abort_rate: f64) -> Transactions {
        let spec = TransactionSpec {
            records: Some(records),
            abort_rate: Share::new(abort_rate).expect("a share"),
            ..TransactionSpec::default()
        };
        let worker = Worker { index: 0, of: 1 };
        Transactions::new(&spec, worker, 7).expect("there are transactions")
    }

    #[test]
    fn a_transaction_closes_after_its_records_and_all_share_its_fate() {
        let mut transactions = transactions(5, 0.5);
        for _ in 0..100 {
            let steps: Vec<_> = (0..5).map(|_| transactions.step()).collect();
            assert!(steps.iter().all(|step| step.aborts == steps[0].aborts));
            let closing: Vec<_> = steps.iter().map(|step| step.closes).collect();
            assert_eq!(closing, [false, false, false, false, true]);
        }
    }

    #[test]
    fn the_share_that_aborts_is_the_one_asked_for() {
        let check = |rate: f64| {
            let mut transactions = transactions(1, rate);
            let aborted = (0..20_000).filter(|_| transactions.step().aborts).count();
            assert!(
                (aborted as f64 / 20_000.0 - rate).abs() < 0.02,
                "{rate}: {aborted}"
            );
        };
        [0.0, 0.05, 0.5, 1.0].into_iter().for_each(check);
        assert!(
            Transactions::new(&TransactionSpec::default(), Worker { index: 0, of: 1 }, 1).is_none()
        );
    }
}
