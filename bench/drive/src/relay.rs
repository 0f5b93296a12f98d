//! Records on their way through a read-process-write: what a processor has read
//! and is to write again, as it is, in transactions.
//!
//! A record keeps its key, value and stamp, so the reader at the far end
//! verifies the lanes of those who sent it first. Records of a transaction are
//! kept until it ends; when it was aborted they are written again, before all
//! others. So each is seen exactly once by a reader of committed records,
//! whatever the share of aborts, and one that is seen twice was a fault.

use crate::clock::{Mono, sleep_until};
use crate::driver::{Due, FinishLine, Incoming, Outgoing, Source};
use plimsoll_workloads::generate::{STAMP_LEN, Stamp, Transactions};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

/// Records read and not yet taken.
const WAITING_MAX: usize = 4096;
/// How long the reader waits while that many are.
const FULL_NANOS: u64 = 200_000;
/// How often the writer looks for records.
const EMPTY_NANOS: u64 = 200_000;
/// How long an open transaction waits for more records.
const PATIENCE_NANOS: u64 = 20_000_000;

#[derive(Debug)]
struct Passed {
    partition: u32,
    offset: i64,
    sequence: u64,
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    stamp: Option<[u8; STAMP_LEN]>,
}

/// Where the reader leaves records.
#[derive(Debug)]
pub struct Forward(SyncSender<Passed>);

/// What the writer sends.
#[derive(Debug)]
pub struct Relay {
    arriving: Receiver<Passed>,
    waiting: VecDeque<Passed>,
    /// Records of the open transaction.
    open: Vec<Passed>,
    /// When its first record was taken.
    opened: Mono,
    transactions: Transactions,
}

/// Both ends of a relay whose writer sends in `transactions`.
pub fn relay(transactions: Transactions) -> (Forward, Relay) {
    let (sender, arriving) = sync_channel(WAITING_MAX);
    let relay = Relay {
        arriving,
        waiting: VecDeque::new(),
        open: Vec::new(),
        opened: Mono::default(),
        transactions,
    };
    (Forward(sender), relay)
}

impl Forward {
    /// Leaves a record, waiting while there is no room; `false` when the run
    /// ended before there was.
    pub fn send(&self, record: &Incoming<'_>, stamp: &Stamp, finish: &FinishLine) -> bool {
        let mut passed = Passed {
            partition: record.partition,
            offset: record.offset,
            sequence: stamp.sequence,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.to_vec(),
            stamp: record.stamp.and_then(|stamp| stamp.try_into().ok()),
        };
        loop {
            passed = match self.0.try_send(passed) {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => back,
            };
            if finish.is_abandoned() {
                return false;
            }
            sleep_until(Mono::now().plus(FULL_NANOS));
        }
    }
}

impl Source for Relay {
    fn due(&mut self, now: Mono) -> Due {
        if self.waiting.is_empty() {
            match self.arriving.try_recv() {
                Ok(passed) => self.waiting.push_back(passed),
                Err(TryRecvError::Empty) => return Due::Later(now.plus(EMPTY_NANOS)),
                Err(TryRecvError::Disconnected) => return Due::Never,
            }
        }
        Due::Now(now)
    }

    fn next(&mut self, intended: Mono) -> Outgoing<'_> {
        if self.open.is_empty() {
            self.opened = intended;
        }
        self.open.extend(self.waiting.pop_front());
        let transaction = Some(self.transactions.step());
        let Some(record) = self.open.last() else {
            unreachable!("a record is asked for only when one is due");
        };
        Outgoing {
            partition: record.partition,
            sequence: record.sequence,
            key: record.key.as_deref(),
            front: &[],
            value: &record.value,
            headers: &[],
            stamp: record.stamp.as_ref(),
            transaction,
            read_at: Some(record.offset),
        }
    }

    fn gap_nanos(&self) -> u64 {
        0
    }

    fn closes(&mut self, now: Mono) -> bool {
        let closes = !self.open.is_empty() && now.since(self.opened) > PATIENCE_NANOS;
        if closes {
            self.transactions.cut();
        }
        closes
    }

    fn ended(&mut self, aborted: bool) {
        let open = std::mem::take(&mut self.open);
        if aborted {
            open.into_iter()
                .rev()
                .for_each(|passed| self.waiting.push_front(passed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_workloads::generate::Worker;
    use plimsoll_workloads::language::TransactionSpec;

    #[test]
    fn records_of_an_aborted_transaction_come_again_and_first() {
        let spec = TransactionSpec {
            records: Some(2),
            ..TransactionSpec::default()
        };
        let transactions = Transactions::new(&spec, Worker { index: 0, of: 1 }, 1);
        let (forward, mut relay) = relay(transactions.expect("there are some"));
        let finish = FinishLine::default();
        for offset in 0..3 {
            let record = Incoming {
                partition: 0,
                offset,
                key: None,
                value: b"v",
                stamp: None,
                bytes: 1,
            };
            let stamp = Stamp {
                run: 1,
                producer: 0,
                sequence: offset.unsigned_abs(),
                intended_ns: 0,
                aborts: false,
            };
            assert!(forward.send(&record, &stamp, &finish));
        }
        drop(forward);
        let now = Mono(1);
        let take = |relay: &mut Relay| match relay.due(now) {
            Due::Now(at) => {
                let record = relay.next(at);
                let closes = record.transaction.is_some_and(|t| t.closes);
                record.read_at.map(|offset| (offset, closes))
            }
            _ => None,
        };
        assert_eq!(take(&mut relay), Some((0, false)));
        assert_eq!(take(&mut relay), Some((1, true)));
        relay.ended(true);
        assert_eq!(take(&mut relay), Some((0, false)));
        assert_eq!(take(&mut relay), Some((1, true)));
        relay.ended(false);
        assert_eq!(take(&mut relay), Some((2, false)));
        assert_eq!(take(&mut relay), None);
        assert!(
            relay.closes(Mono(1 + 2 * PATIENCE_NANOS)),
            "it waits no longer"
        );
        relay.ended(false);
        assert!(
            !relay.closes(Mono(1 + 4 * PATIENCE_NANOS)),
            "nothing is open"
        );
    }
}
