//! What the lock of a partition protects: its log, the part this node plays,
//! and who waits.

use super::Orders;
use crate::fetch_wait::FetchWait;
use crate::replica::Leading;
use crate::replica::leading::Heard;
use crate::transactions::{Guard, Guards};
use plimsoll_coordinator::Producer;
use plimsoll_log::{LogError, PartitionLog};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};
use std::sync::Arc;

/// What the lock of a partition protects.
pub(crate) struct Held {
    pub(super) state: State,
    role: Role,
    /// How many logs the partition had here before: what is done without the
    /// lock may end after its log was deleted.
    logs_before: u32,
    /// Where the log ended when it was last looked at whether it is idle.
    looked_at: Offset,
    waiting: Vec<Waiter>,
    /// Transactions that have been verified and not yet begun here.
    pub(crate) guards: Guards,
}

/// A partition's log, when there is one.
pub(super) enum State {
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

/// One of the logs that a partition has on this node, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life(u32);

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

impl Held {
    /// No replica of the partition is here so far.
    pub(super) fn elsewhere() -> Self {
        Self {
            state: State::Elsewhere,
            role: Role::Following(LeaderEpoch::NONE),
            logs_before: 0,
            looked_at: Offset(-1),
            waiting: Vec::new(),
            guards: Guards::default(),
        }
    }

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

    /// Tells the log apart from those that the partition had here before. A
    /// failure without the lock is one only if the log is still the same:
    /// another's files are renamed and removed.
    pub(crate) const fn life(&self) -> Life {
        Life(self.logs_before)
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

    /// As [`Held::admits`], with the error of records that are not.
    pub(crate) fn admit(&self, producer: Producer, guard: Option<Guard>) -> Result<(), ErrorCode> {
        self.led_epoch()?;
        if self.admits(producer, guard) {
            Ok(())
        } else if guard.is_some_and(|guard| self.guards.is_of_another_term(guard)) {
            // Nobody knows whether it has ended: the client asks once more.
            Err(ErrorCode::NotLeaderOrFollower)
        } else {
            Err(ErrorCode::InvalidTxnState)
        }
    }

    pub(super) fn play(&mut self, orders: Orders<'_>) -> bool {
        let (me, image) = (orders.me, orders.image);
        let in_sync_min = usize::try_from(orders.in_sync_min).unwrap_or(1);
        if image.leader != me || !orders.may_lead {
            let led = matches!(self.role, Role::Leading(_));
            self.role = Role::Following(image.leader_epoch);
            // Another writes the markers that would lower them.
            self.guards.lower_all();
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
                self.guards.lower_all();
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

    /// Consumers should look again: they may read further than they could.
    pub(crate) fn wake_consumers(&mut self) {
        let high_watermark = self.log().map_or(Offset(-1), PartitionLog::high_watermark);
        self.wake_readers(high_watermark);
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
        self.logs_before += 1;
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
