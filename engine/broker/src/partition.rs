//! One partition on this node: its log behind a lock, and who waits for it.

use crate::fetch_wait::FetchWait;
use crate::metrics::Traffic;
use crate::storage::DiskFaults;
use crate::transactions::{Guard, Guards};
use parking_lot::{Mutex, MutexGuard};
use plimsoll_coordinator::Producer;
use plimsoll_log::{LogError, PartitionLog};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};

/// A partition that this node leads.
pub(crate) struct Partition {
    /// Its topic's name.
    pub(crate) topic: Arc<str>,
    /// Its number.
    pub(crate) index: PartitionIndex,
    leader_epoch: AtomicI32,
    in_sync: AtomicI32,
    /// The recovery point in the stored checkpoint.
    stored_to: AtomicI64,
    /// The log directory that the log lies in; none when it was never opened.
    log_dir: Option<PathBuf>,
    offline: AtomicBool,
    watch: Watch,
    /// Whether a thread compacts the log.
    pub(crate) cleaning: AtomicBool,
    /// Whether compaction failed: it is not tried again.
    pub(crate) uncleanable: AtomicBool,
    held: Mutex<Held>,
}

/// Where what happens to a partition is noted.
#[derive(Clone)]
pub(crate) struct Watch {
    /// Failures of disks.
    pub(crate) faults: Arc<DiskFaults>,
    /// The traffic of its topic.
    pub(crate) traffic: Arc<Traffic>,
}

/// What the lock of a partition protects.
pub(crate) struct Held {
    state: State,
    /// Where the log ended when it was last looked at whether it is idle.
    looked_at: Offset,
    waiting: Vec<Arc<FetchWait>>,
    /// Transactions that have been verified and not yet begun here.
    pub(crate) guards: Guards,
}

/// A partition's log, when there is one.
enum State {
    Open(Box<PartitionLog>),
    /// The log could not be opened, or its disk has failed.
    Offline,
    /// The topic was deleted.
    Deleted,
    /// The broker has shut down.
    Closed,
}

impl Partition {
    /// A partition and its log; none when the log could not be opened.
    pub(crate) fn new(
        topic: Arc<str>,
        index: PartitionIndex,
        log: Option<PartitionLog>,
        watch: Watch,
    ) -> Self {
        let dir = log.as_ref().and_then(|log| log.dir().parent());
        let log_dir = dir.map(Path::to_owned);
        let offline = AtomicBool::new(log.is_none());
        let state = log.map_or(State::Offline, |log| State::Open(Box::new(log)));
        Self {
            topic,
            index,
            leader_epoch: AtomicI32::new(0),
            in_sync: AtomicI32::new(1),
            stored_to: AtomicI64::new(0),
            log_dir,
            offline,
            watch,
            cleaning: AtomicBool::new(false),
            uncleanable: AtomicBool::new(false),
            held: Mutex::new(Held {
                state,
                looked_at: Offset(-1),
                waiting: Vec::new(),
                guards: Guards::default(),
            }),
        }
    }

    /// The term of this leader.
    pub(crate) fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    /// How many replicas are in sync.
    pub(crate) fn in_sync(&self) -> i32 {
        self.in_sync.load(Ordering::Acquire)
    }

    /// The recovery point that the stored checkpoint holds.
    pub(crate) fn stored_to(&self) -> Offset {
        Offset(self.stored_to.load(Ordering::Acquire))
    }

    /// The checkpoint with this recovery point is stored.
    pub(crate) fn stored(&self, recovery_point: Offset) {
        self.stored_to
            .store(recovery_point.get(), Ordering::Release);
    }

    /// Takes over what the metadata says of the partition.
    pub(crate) fn follow(&self, epoch: LeaderEpoch, in_sync: usize) {
        self.leader_epoch.store(epoch.get(), Ordering::Release);
        self.in_sync.store(
            i32::try_from(in_sync).unwrap_or(i32::MAX),
            Ordering::Release,
        );
    }

    /// Whether a client's idea of the leader's term is ours; −1 is no idea.
    pub(crate) fn check_epoch(&self, theirs: LeaderEpoch) -> Result<(), ErrorCode> {
        let ours = self.leader_epoch();
        if theirs.get() < 0 || theirs == ours {
            Ok(())
        } else if theirs < ours {
            Err(ErrorCode::FencedLeaderEpoch)
        } else {
            Err(ErrorCode::UnknownLeaderEpoch)
        }
    }

    /// The log directory that the log lies in.
    pub(crate) fn log_dir(&self) -> Option<&Path> {
        self.log_dir.as_deref()
    }

    /// Where failures of its disk are noted.
    pub(crate) fn faults(&self) -> &DiskFaults {
        &self.watch.faults
    }

    /// The traffic of its topic.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.watch.traffic
    }

    /// What tells its metrics from those of others.
    pub(crate) fn labels(&self) -> Vec<(&'static str, String)> {
        vec![
            ("topic", self.topic.to_string()),
            ("partition", self.index.to_string()),
        ]
    }

    /// Whether the log cannot be used.
    pub(crate) fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// The log's disk has failed: it is given up, and who waits is told.
    pub(crate) fn take_offline(&self) {
        self.offline.store(true, Ordering::Release);
        let mut held = self.held.lock();
        if let State::Open(_) = held.state {
            held.state = State::Offline;
        }
        held.wake_all();
    }

    /// Takes the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }
}

impl Held {
    /// The log, to write.
    pub(crate) fn log_mut(&mut self) -> Result<&mut PartitionLog, ErrorCode> {
        match &mut self.state {
            State::Open(log) => Ok(log),
            State::Offline => Err(ErrorCode::KafkaStorageError),
            State::Deleted => Err(ErrorCode::UnknownTopicOrPartition),
            State::Closed => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// The log, to read.
    pub(crate) fn log(&self) -> Result<&PartitionLog, ErrorCode> {
        match &self.state {
            State::Open(log) => Ok(log),
            State::Offline => Err(ErrorCode::KafkaStorageError),
            State::Deleted => Err(ErrorCode::UnknownTopicOrPartition),
            State::Closed => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// Whether a producer's transaction is open here.
    pub(crate) fn is_open_to(&self, producer: Producer) -> bool {
        let known = self.log().ok().and_then(|log| log.producer(producer.id));
        known.is_some_and(|view| view.txn_start.is_some() && view.epoch == producer.epoch)
    }

    /// Whether a producer's transaction is open here, or has been verified
    /// under `guard` and not ended since.
    pub(crate) fn admits(&self, producer: Producer, guard: Option<Guard>) -> bool {
        self.is_open_to(producer) || guard.is_some_and(|g| self.guards.stands(producer.id, g))
    }

    /// The log has grown: readers see it at once, since no other replica must
    /// have it first, and waiting fetches hear of it.
    pub(crate) fn grew(&mut self, bytes: usize) {
        if let State::Open(log) = &mut self.state {
            let end = log.log_end();
            log.set_high_watermark(end);
        }
        if !self.waiting.is_empty() {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            self.waiting.retain(|wait| !wait.arrived(bytes));
        }
    }

    /// Waiting fetches should look again, whatever they lack.
    pub(crate) fn wake_all(&mut self) {
        for wait in self.waiting.drain(..) {
            wait.wake();
        }
    }

    /// Remembers a waiting fetch that saw the partition up to `seen`. Answers
    /// whether there is more by now.
    pub(crate) fn wait(&mut self, wait: &Arc<FetchWait>, seen: Offset) -> bool {
        self.waiting.retain(|wait| !wait.is_done());
        let end = self.log().map(PartitionLog::high_watermark);
        if end != Ok(seen) {
            return true;
        }
        self.waiting.push(Arc::clone(wait));
        false
    }

    /// The topic is gone. Answers with the log, for its files to be deleted.
    pub(crate) fn delete(&mut self) -> Option<PartitionLog> {
        self.wake_all();
        match std::mem::replace(&mut self.state, State::Deleted) {
            State::Open(log) => Some(*log),
            State::Offline | State::Deleted | State::Closed => None,
        }
    }

    /// Frees what an idle log does not need: one that has not grown since the
    /// last call.
    pub(crate) fn rest_if_idle(&mut self) -> Result<(), LogError> {
        let State::Open(log) = &mut self.state else {
            return Ok(());
        };
        let idle = self.looked_at == log.log_end();
        self.looked_at = log.log_end();
        if idle { log.rest() } else { Ok(()) }
    }

    /// The broker shuts down: nothing is read or written any more.
    pub(crate) fn close(&mut self) {
        if let State::Open(_) = self.state {
            self.state = State::Closed;
        }
        self.wake_all();
    }
}
