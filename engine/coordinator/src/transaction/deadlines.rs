//! What time brings: transactions that take too long, markers that are still
//! missing, ids that nobody uses any more.

use super::init::fence;
use super::shard::{TransactionShard, TransactionStep};
use crate::names::TransactionalId;
use crate::schema::{TransactionRecord, TransactionState};
use plimsoll_wire::time::Now;
use std::time::Duration;

/// How many tombstones one look for unused ids may write.
const EXPIRED_IDS_MAX: usize = 1000;

/// What a deadline is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TransactionTimer {
    /// An open transaction has run out of time.
    Timeout(TransactionalId),
    /// Markers, or the record that follows them, are missing.
    Markers(TransactionalId),
    /// Unused ids are looked for.
    Expiry,
}

impl TransactionShard {
    /// Acts on the earliest deadline that has passed; ask again while
    /// `next_deadline` is not in the future.
    pub fn expire(&mut self, now: Now) -> TransactionStep {
        match self.timers.pop_due(now.mono) {
            None => TransactionStep::default(),
            Some(TransactionTimer::Timeout(id)) => self.time_out(&id, now),
            Some(TransactionTimer::Markers(id)) => {
                let mut step = TransactionStep::default();
                self.carry_on(&id, now, &mut step);
                step
            }
            Some(TransactionTimer::Expiry) => self.forget_unused(now),
        }
    }

    /// Gives an open transaction its deadline, and others none.
    pub(super) fn watch(&mut self, id: &TransactionalId, now: Now) {
        let timer = TransactionTimer::Timeout(id.clone());
        let entry = self.entries.get(id);
        match entry.filter(|e| e.value.state == TransactionState::Ongoing) {
            None => self.timers.cancel(&timer),
            Some(entry) => {
                let age = now.wall.get().saturating_sub(entry.value.started_at.get());
                let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
                let left = entry.value.timeout.saturating_sub(age);
                self.timers.set(timer, now.mono.after(left));
            }
        }
    }

    /// A record could not be stored that time had asked for: try again.
    pub(super) fn try_later(&mut self, id: &TransactionalId, now: Now) {
        let at = now.mono.after(self.config.marker_retry);
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        if entry.is_preparing() {
            self.timers.set(TransactionTimer::Markers(id.clone()), at);
        } else if entry.value.state == TransactionState::Ongoing {
            self.watch(id, now);
            let timer = TransactionTimer::Timeout(id.clone());
            if self.timers.is_due(&timer, now.mono) {
                self.timers.set(timer, at);
            }
        }
    }

    fn time_out(&mut self, id: &TransactionalId, now: Now) -> TransactionStep {
        let entry = self.entries.get(id);
        let open = entry.filter(|e| e.value.state == TransactionState::Ongoing);
        match open {
            None => TransactionStep::default(),
            Some(entry) if entry.in_flux => {
                let at = now.mono.after(self.config.marker_retry);
                self.timers.set(TransactionTimer::Timeout(id.clone()), at);
                TransactionStep::default()
            }
            Some(entry) => {
                let value = Some(fence(entry, now.wall));
                let id = id.clone();
                self.store_all(vec![TransactionRecord { id, value }])
            }
        }
    }

    fn forget_unused(&mut self, now: Now) -> TransactionStep {
        let limit = i64::try_from(self.config.id_expiration.as_millis()).unwrap_or(i64::MAX);
        let unused = self.entries.iter().filter(|(_, e)| {
            let idle = matches!(
                e.value.state,
                TransactionState::Empty
                    | TransactionState::CompleteCommit
                    | TransactionState::CompleteAbort
            );
            let age = now.wall.get().saturating_sub(e.value.updated_at.get());
            idle && !e.in_flux && age >= limit
        });
        let records = unused
            .take(EXPIRED_IDS_MAX)
            .map(|(id, _)| TransactionRecord {
                id: id.clone(),
                value: None,
            });
        let records: Vec<_> = records.collect();
        let wait = match records.len() {
            EXPIRED_IDS_MAX => self.config.marker_retry,
            _ => self.config.id_check_interval,
        };
        let again = now.mono.after(wait);
        self.timers.set(TransactionTimer::Expiry, again);
        if records.is_empty() {
            return TransactionStep::default();
        }
        self.store_all(records)
    }
}
