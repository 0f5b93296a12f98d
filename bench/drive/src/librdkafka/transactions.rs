//! Transactions through librdkafka, one after the other.
//!
//! The client's calls block the worker's thread, as they block an application's.

use super::producer::Context;
use crate::clock::Mono;
use crate::driver::{Outgoing, ProducerJob};
use crate::error::DriveError;
use crate::record::{Commit, Ended};
use crate::verify::Written;
use rdkafka::producer::{Producer as _, ThreadedProducer};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long beginning, committing and aborting may take.
const ANSWER: Duration = Duration::from_secs(30);

/// One producer's transactions.
pub struct Transactions {
    /// First and last number of each partition's records in the open one.
    touched: BTreeMap<u32, (u64, u64)>,
    records: u64,
    aborts: bool,
    aborted: u64,
}

impl Transactions {
    /// Takes the transactional id over; `None` without transactions.
    pub fn begin(
        job: &ProducerJob,
        client: &ThreadedProducer<Context>,
    ) -> Result<Option<Self>, DriveError> {
        if job.settings.transaction_timeout.is_none() {
            return Ok(None);
        }
        client.init_transactions(ANSWER)?;
        Ok(Some(Self {
            touched: BTreeMap::new(),
            records: 0,
            aborts: false,
            aborted: 0,
        }))
    }

    /// Records of transactions that were aborted on purpose.
    pub const fn aborted(&self) -> u64 {
        self.aborted
    }

    /// A record becomes part of the transaction, which it may begin; whether it
    /// is its last.
    pub fn take(
        &mut self,
        client: &ThreadedProducer<Context>,
        record: &Outgoing<'_>,
    ) -> Result<bool, DriveError> {
        let Some(membership) = record.transaction else {
            return Ok(false);
        };
        if self.records == 0 {
            client.begin_transaction()?;
        }
        self.records += 1;
        self.aborts = membership.aborts;
        let begun = (record.sequence, record.sequence);
        self.touched.entry(record.partition).or_insert(begun).1 = record.sequence;
        Ok(membership.closes)
    }

    /// Ends the open transaction, if there is one, as its fate is. When the
    /// drain is over before its records are acknowledged it is given up.
    pub fn end(
        &mut self,
        job: &mut ProducerJob,
        client: &ThreadedProducer<Context>,
        written: &mut [Written],
    ) -> Result<(), DriveError> {
        if self.records == 0 {
            return Ok(());
        }
        let left = job.recorder.window().give_up.elapsed_since(Mono::now());
        if client.flush(left).is_err() {
            self.give_up(client, written);
            return Ok(());
        }
        let asked = Mono::now();
        if self.aborts {
            client.abort_transaction(ANSWER)?;
            self.aborted += self.records;
        } else {
            for (partition, (_, last)) in &self.touched {
                let commit = Commit { last: *last, asked };
                if let Some(board) = &job.commits {
                    board.post(job.worker, *partition, commit);
                }
            }
            client.commit_transaction(ANSWER)?;
        }
        let ended = Ended {
            aborted: self.aborts,
            asked,
            answered: Mono::now(),
        };
        job.recorder.transaction(&ended, self.records);
        self.forget();
        Ok(())
    }

    fn give_up(&mut self, client: &ThreadedProducer<Context>, written: &mut [Written]) {
        if let Err(error) = client.abort_transaction(ANSWER) {
            tracing::debug!(%error, "the open transaction is left to its timeout");
        }
        for (partition, (first, _)) in self.touched.iter().filter(|_| !self.aborts) {
            if let Some(written) = written.get_mut(*partition as usize) {
                written.give_up(*first, written.sent() - first);
            }
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.touched.clear();
        self.records = 0;
    }
}
