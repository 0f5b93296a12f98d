//! One partition on this node: its log behind a lock, the part this node plays
//! in it, and who waits for it.

use crate::fetch_wait::FetchWait;
use crate::metrics::Traffic;
use crate::replica::Leading;
use crate::replica::leading::Heard;
use crate::storage::DiskFaults;
use crate::transactions::{Guard, Guards};
use parking_lot::{Mutex, MutexGuard};
use plimsoll_cluster::PartitionImage;
use plimsoll_coordinator::Producer;
use plimsoll_log::{LogError, PartitionLog};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::Instant;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset, PartitionIndex, TimestampMs};
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

/// What the lock of a partition protects.
pub(crate) struct Held {
    state: State,
    role: Role,
    /// Where the log ended when it was last looked at whether it is idle.
    looked_at: Offset,
    waiting: Vec<Waiter>,
    /// Transactions that have been verified and not yet begun here.
    pub(crate) guards: Guards,
}

/// A partition's log, when there is one.
enum State {
    Open(Box<PartitionLog>),
    /// No replica of it is on this node.
    Elsewhere,
    /// The log could not be opened, or its disk has failed.
    Offline,
    /// The topic was deleted.
    Deleted,
    /// The broker has shut down.
    Closed,
}

/// The part this node plays.
enum Role {
    Leading(Box<Leading>),
    /// Another leads, in this term.
    Following(LeaderEpoch),
}

/// Someone who waits for the partition.
struct Waiter {
    wait: Arc<FetchWait>,
    what: Awaited,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Records that consumers may read.
    Committed,
    /// Records in the log, which followers read.
    Appended,
    /// The high watermark's passing of an offset.
    HighWatermark(Offset),
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
            held: Mutex::new(Held {
                state: State::Elsewhere,
                role: Role::Following(LeaderEpoch::NONE),
                looked_at: Offset(-1),
                waiting: Vec::new(),
                guards: Guards::default(),
            }),
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

impl Held {
    /// The log, to write, whoever leads.
    pub(crate) fn log_mut(&mut self) -> Result<&mut PartitionLog, ErrorCode> {
        match &mut self.state {
            State::Open(log) => Ok(log),
            State::Offline => Err(ErrorCode::KafkaStorageError),
            State::Deleted => Err(ErrorCode::UnknownTopicOrPartition),
            State::Elsewhere | State::Closed => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// The log, to read, whoever leads.
    pub(crate) fn log(&self) -> Result<&PartitionLog, ErrorCode> {
        match &self.state {
            State::Open(log) => Ok(log),
            State::Offline => Err(ErrorCode::KafkaStorageError),
            State::Deleted => Err(ErrorCode::UnknownTopicOrPartition),
            State::Elsewhere | State::Closed => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// The log of a partition that this node leads, and the term.
    pub(crate) fn led_mut(&mut self) -> Result<(&mut PartitionLog, LeaderEpoch), ErrorCode> {
        let epoch = self.led_epoch()?;
        self.log_mut().map(|log| (log, epoch))
    }

    /// The log of a partition that this node leads.
    pub(crate) fn led(&self) -> Result<&PartitionLog, ErrorCode> {
        let log = self.log()?;
        self.led_epoch().map(|_| log)
    }

    /// The term in which this node leads.
    pub(crate) fn led_epoch(&self) -> Result<LeaderEpoch, ErrorCode> {
        match (&self.role, &self.state) {
            (Role::Leading(leading), _) => Ok(leading.epoch),
            (Role::Following(_), State::Deleted) => Err(ErrorCode::UnknownTopicOrPartition),
            (Role::Following(_), _) => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// The term in which another leads, when one does.
    pub(crate) const fn followed(&self) -> Option<LeaderEpoch> {
        match &self.role {
            Role::Following(epoch) => Some(*epoch),
            Role::Leading(_) => None,
        }
    }

    /// The leader's view, when this node leads.
    pub(crate) fn leading(&mut self) -> Option<&mut Leading> {
        match &mut self.role {
            Role::Leading(leading) => Some(leading),
            Role::Following(_) => None,
        }
    }

    /// Whether there is a log, or ought to be.
    pub(crate) const fn is_here(&self) -> bool {
        !matches!(self.state, State::Elsewhere | State::Deleted)
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

    fn play(&mut self, orders: Orders<'_>) -> bool {
        let (me, image) = (orders.me, orders.image);
        let in_sync_min = usize::try_from(orders.in_sync_min).unwrap_or(1);
        if image.leader != me || !orders.may_lead {
            let led = matches!(self.role, Role::Leading(_));
            self.role = Role::Following(image.leader_epoch);
            if mutation::is(Mutation::TruncateByHighWatermark)
                && let State::Open(log) = &mut self.state
            {
                let to = log.high_watermark();
                let _cut = log.truncate_to(to, TimestampMs::NONE);
            }
            if led {
                self.wake_all();
            }
            return led;
        }
        let end = self.log().map_or(Offset(0), PartitionLog::log_end);
        let begins = match &mut self.role {
            Role::Leading(leading) if leading.epoch == image.leader_epoch => {
                leading.take_over(image, orders.now, in_sync_min);
                false
            }
            role => {
                let leading = Leading::begin(me, image, end, orders.now, in_sync_min);
                *role = Role::Leading(Box::new(leading));
                if let State::Open(log) = &mut self.state {
                    log.begin_epoch(image.leader_epoch);
                }
                true
            }
        };
        if begins {
            self.wake_all();
        }
        self.advance();
        begins
    }

    /// The log has grown: followers hear of it, and where nobody else must have
    /// the records first, readers do at once.
    pub(crate) fn grew(&mut self, bytes: usize) {
        let alone = match &self.role {
            Role::Leading(leading) => leading.is_alone(),
            Role::Following(_) => false,
        };
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if alone {
            if let State::Open(log) = &mut self.state {
                let end = log.log_end();
                log.set_high_watermark(end);
            }
            if !self.waiting.is_empty() {
                self.waiting.retain(|waiter| !waiter.wait.arrived(bytes));
            }
            return;
        }
        if !self.waiting.is_empty() {
            self.waiting
                .retain(|waiter| waiter.what != Awaited::Appended || !waiter.wait.arrived(bytes));
        }
        self.advance();
    }

    /// Moves the high watermark to where those in sync have got.
    fn advance(&mut self) {
        let (Role::Leading(leading), State::Open(log)) = (&self.role, &mut self.state) else {
            return;
        };
        let end = log.log_end();
        let alone = mutation::is(Mutation::CommitAlone).then_some(end);
        let Some(to) = alone.or_else(|| leading.high_watermark(end)) else {
            return;
        };
        if to <= log.high_watermark() {
            return;
        }
        log.set_high_watermark(to);
        self.wake_readers(to);
    }

    /// The leader said how far the high watermark is.
    pub(crate) fn follow_high_watermark(&mut self, to: Offset) {
        let State::Open(log) = &mut self.state else {
            return;
        };
        let to = to.min(log.log_end());
        if to > log.high_watermark() {
            log.set_high_watermark(to);
            self.wake_readers(to);
        }
    }

    fn wake_readers(&mut self, high_watermark: Offset) {
        self.waiting.retain(|waiter| match waiter.what {
            Awaited::Appended => true,
            Awaited::HighWatermark(offset) if offset > high_watermark => true,
            Awaited::HighWatermark(_) | Awaited::Committed => {
                waiter.wait.wake();
                false
            }
        });
    }

    /// A follower fetches. Answers whether it may now join the ISR; an error
    /// when it is no replica.
    pub(crate) fn hear_follower(&mut self, heard: Heard) -> Result<bool, ErrorCode> {
        let log_end = self.led()?.log_end();
        let Role::Leading(leading) = &mut self.role else {
            return Err(ErrorCode::NotLeaderOrFollower);
        };
        if !leading.hear(heard, log_end) {
            return Err(ErrorCode::UnknownLeaderEpoch);
        }
        self.advance();
        let high_watermark = self.log()?.high_watermark();
        Ok(self
            .leading()
            .is_some_and(|leading| leading.may_grow(heard.node, high_watermark)))
    }

    /// Waiting fetches should look again, whatever they lack.
    pub(crate) fn wake_all(&mut self) {
        for waiter in self.waiting.drain(..) {
            waiter.wait.wake();
        }
    }

    /// Remembers someone who saw the partition up to `seen`. Answers whether
    /// there is more by now.
    pub(crate) fn wait(&mut self, wait: &Arc<FetchWait>, what: Awaited, seen: Offset) -> bool {
        self.waiting.retain(|waiter| !waiter.wait.is_done());
        let end = self.log().map(|log| match what {
            Awaited::Appended => log.log_end(),
            Awaited::Committed | Awaited::HighWatermark(_) => log.high_watermark(),
        });
        let more = match what {
            Awaited::HighWatermark(offset) => end.is_ok_and(|end| end >= offset) || end.is_err(),
            Awaited::Appended | Awaited::Committed => end != Ok(seen),
        };
        if more {
            return true;
        }
        self.waiting.push(Waiter {
            wait: Arc::clone(wait),
            what,
        });
        false
    }

    /// The topic is gone, or its replica leaves this node. Answers with the
    /// log, for its files to be deleted.
    pub(crate) fn delete(&mut self, topic_is_gone: bool) -> Option<PartitionLog> {
        self.wake_all();
        let next = if topic_is_gone {
            State::Deleted
        } else {
            State::Elsewhere
        };
        self.role = Role::Following(LeaderEpoch::NONE);
        match std::mem::replace(&mut self.state, next) {
            State::Open(log) => Some(*log),
            _ => None,
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
