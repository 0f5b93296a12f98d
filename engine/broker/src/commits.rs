//! Group commit, for `plimsoll.durable`.
//!
//! A produce request is answered once what it wrote is synced. Requests that
//! come while syncs are under way share the next round of them, whatever
//! partitions they wrote, so that a disk that syncs slowly costs a wait and not
//! the throughput.

use crate::broker::Broker;
use crate::outcome::Wake;
use crate::partition::Partition;
use crate::recovery::Job;
use crate::upkeep::sync_log;
use parking_lot::Mutex;
use plimsoll_log::PartitionLog;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::Offset;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

/// How many logs are synced at once: a file system takes syncs that overlap
/// into one write of its journal.
const SYNCS_AT_ONCE: usize = 8;

/// The requests that wait for the next round.
#[derive(Default)]
pub(crate) struct Commits {
    queue: Mutex<Vec<Arc<Commit>>>,
    committer: OnceLock<Arc<dyn Wake>>,
}

/// One request's part in a round.
pub(crate) struct Commit {
    /// What must be durable: partitions, and the offsets after the last records.
    parts: Vec<(Arc<Partition>, Offset)>,
    state: AtomicU8,
    waker: Arc<dyn Wake>,
}

/// How far a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    Waiting,
    Durable,
    Failed,
}

const WAITING: u8 = 0;
const DURABLE: u8 = 1;
const FAILED: u8 = 2;

impl Commits {
    /// Asks for a sync. `waker` is told when it is done.
    pub(crate) fn ask(
        &self,
        parts: Vec<(Arc<Partition>, Offset)>,
        waker: &Arc<dyn Wake>,
    ) -> Arc<Commit> {
        let commit = Arc::new(Commit {
            parts,
            state: AtomicU8::new(WAITING),
            waker: Arc::clone(waker),
        });
        self.queue.lock().push(Arc::clone(&commit));
        if let Some(committer) = self.committer.get() {
            committer.wake();
        }
        commit
    }

    /// Whether somebody is told when there is something to sync.
    pub(crate) fn has_committer(&self) -> bool {
        self.committer.get().is_some()
    }
}

impl Commit {
    pub(crate) fn state(&self) -> Committed {
        match self.state.load(Ordering::Acquire) {
            WAITING => Committed::Waiting,
            DURABLE => Committed::Durable,
            _ => Committed::Failed,
        }
    }

    /// Looks whether everything is durable. Answers whether the wait is over.
    fn settle(&self) -> bool {
        let mut state = DURABLE;
        for (partition, upto) in &self.parts {
            match partition.lock().log().map(PartitionLog::recovery_point) {
                Ok(durable) if durable >= *upto && !partition.is_offline() => {}
                Ok(_) if !partition.is_offline() => {
                    state = WAITING;
                    break;
                }
                Ok(_) | Err(_) => state = FAILED,
            }
        }
        if state == WAITING {
            return false;
        }
        self.state.store(state, Ordering::Release);
        self.waker.wake();
        true
    }
}

impl Broker {
    /// Whether produce requests are answered after a sync, so that somebody
    /// should call [`Self::commit`] when told.
    pub fn is_durable(&self) -> bool {
        self.limits().durable
    }

    /// Says who is to be told when there is something to sync. Without anybody
    /// the regular work does it.
    pub fn set_committer(&self, committer: Arc<dyn Wake>) {
        // The first one stays.
        let _ = self.commits.committer.set(committer);
    }

    /// Syncs what requests wait for, and lets them go on. May take as long as
    /// the disk takes. Answers whether some still wait, for a sync that is under
    /// way elsewhere.
    pub fn commit(&self, now: Now) -> bool {
        let round = std::mem::take(&mut *self.commits.queue.lock());
        if round.is_empty() {
            return false;
        }
        let parts = round.iter().flat_map(|commit| &commit.parts);
        let partitions: HashMap<*const Partition, &Arc<Partition>> = parts
            .map(|(partition, _)| (Arc::as_ptr(partition), partition))
            .collect();
        let jobs = partitions
            .into_values()
            .map(|partition| Box::new(move || sync_log(partition, now)) as Job<'_>)
            .collect();
        self.config.workers.run(jobs, SYNCS_AT_ONCE);
        self.act_on_faults();
        let left: Vec<_> = round
            .into_iter()
            .filter(|commit| !commit.settle())
            .collect();
        let some_left = !left.is_empty();
        self.commits.queue.lock().extend(left);
        some_left
    }
}
