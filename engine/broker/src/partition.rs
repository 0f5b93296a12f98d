//! One partition on this node: its log behind a lock, the part this node plays
//! in it, and who waits for it.

mod held;

pub(crate) use held::{Awaited, Held, Life};

use crate::metrics::Traffic;
use crate::storage::DiskFaults;
use held::State;
use parking_lot::{Mutex, MutexGuard};
use plimsoll_cluster::PartitionImage;
use plimsoll_log::PartitionLog;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Instant;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset, PartitionIndex};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use uuid::Uuid;

/// A partition, here or elsewhere.
pub(crate) struct Partition {
    /// Its topic's name.
    pub(crate) topic: Arc<str>,
    /// Its topic's id.
    pub(crate) topic_id: Uuid,
    /// Its number.
    pub(crate) index: PartitionIndex,
    leader: AtomicI32,
    leader_epoch: AtomicI32,
    in_sync: AtomicI32,
    /// The recovery point in the stored checkpoint.
    stored_to: AtomicI64,
    /// The log directory that the log lies in; none when there is no log.
    log_dir: Mutex<Option<Arc<Path>>>,
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

/// How the controller sees a partition, and who looks.
#[derive(Clone, Copy)]
pub(crate) struct Orders<'a> {
    /// This node.
    pub(crate) me: NodeId,
    /// Whether it may lead: the controller has registered this very run. What
    /// the last run led it may have lost.
    pub(crate) may_lead: bool,
    /// The partition's state.
    pub(crate) image: &'a PartitionImage,
    /// `min.insync.replicas` of its topic.
    pub(crate) in_sync_min: i32,
    /// Now.
    pub(crate) now: Instant,
}

impl Partition {
    /// A partition without a log so far.
    pub(crate) fn new(
        topic: Arc<str>,
        topic_id: Uuid,
        index: PartitionIndex,
        watch: Watch,
    ) -> Self {
        Self {
            topic,
            topic_id,
            index,
            leader: AtomicI32::new(NodeId::NONE.get()),
            leader_epoch: AtomicI32::new(-1),
            in_sync: AtomicI32::new(0),
            stored_to: AtomicI64::new(0),
            log_dir: Mutex::default(),
            offline: AtomicBool::new(false),
            watch,
            cleaning: AtomicBool::new(false),
            uncleanable: AtomicBool::new(false),
            held: Mutex::new(Held::elsewhere()),
        }
    }

    /// The term of the leader.
    pub(crate) fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    /// The leader, or none.
    pub(crate) fn leader(&self) -> NodeId {
        NodeId(self.leader.load(Ordering::Acquire))
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

    /// Takes over what the metadata says of the partition. Answers whether this
    /// node began or ceased to lead, or leads in another term.
    pub(crate) fn follow(&self, orders: Orders<'_>) -> bool {
        let mut held = self.lock();
        let image = orders.image;
        if image.leader_epoch < self.leader_epoch() {
            return false;
        }
        let leader = if image.leader == orders.me && !orders.may_lead {
            NodeId::NONE
        } else {
            image.leader
        };
        self.leader.store(leader.get(), Ordering::Release);
        self.leader_epoch
            .store(image.leader_epoch.get(), Ordering::Release);
        let in_sync = i32::try_from(image.isr.len()).unwrap_or(i32::MAX);
        self.in_sync.store(in_sync, Ordering::Release);
        held.play(orders)
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
    pub(crate) fn log_dir(&self) -> Option<Arc<Path>> {
        self.log_dir.lock().clone()
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

    /// A replica of the partition is on this node: its log, or none when it
    /// could not be opened.
    pub(crate) fn settle_in(&self, log: Option<PartitionLog>) {
        let dir = log.as_ref().and_then(|log| log.dir().parent());
        *self.log_dir.lock() = dir.map(Arc::from);
        self.offline.store(log.is_none(), Ordering::Release);
        self.lock().state = log.map_or(State::Offline, |log| State::Open(Box::new(log)));
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
