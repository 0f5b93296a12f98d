//! Transactions on this node: a coordinator for each partition of the
//! transactions topic that it leads, and the markers that it asks for.
//!
//! A coordinator's replies leave once what it decided is replicated; its markers
//! are written by the leaders of the partitions, on this node or others, and it
//! asks for them until each is replicated. Another node that takes over replays
//! the partition and asks for what is missing.
//!
//! A coordinator's lock is held while its records are appended and markers are
//! written. It is taken before a group coordinator's lock, both before that of
//! the errands, and all before a partition's.

mod errands;
mod guard;
mod markers;
mod verify;

pub(crate) use guard::{Guard, Guards};
pub(crate) use markers::Ending;
pub(crate) use verify::{Transacting, Verification, Verified};

use crate::broker::Broker;
use crate::config::Layers;
use crate::groups::Asker;
use crate::news::{News, Note};
use crate::outcome::Wake;
use crate::own_log::{OwnLog, Replayed};
use crate::replies::{Pending, Slot, Waiting};
use crate::topic_name::TRANSACTIONS_TOPIC;
use errands::Errands;
use parking_lot::Mutex;
use plimsoll_coordinator::transaction::{
    Markers, TransactionCommand, TransactionReply, TransactionShard, TransactionStep,
    TransactionWorld,
};
use plimsoll_coordinator::{Append, Token, TransactionConfig};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The coordinators of this node.
pub(crate) struct Transactions {
    config: TransactionConfig,
    shards: Mutex<BTreeMap<PartitionIndex, Arc<Shard>>>,
    next_token: AtomicU64,
    news: Arc<News>,
}

/// One partition's coordinator, its log, who waits for its replies, and its
/// markers that are on their way.
struct Shard {
    index: PartitionIndex,
    coordinator: Mutex<TransactionShard>,
    log: OwnLog,
    waiting: Waiting<TransactionReply>,
    errands: Mutex<Errands>,
}

/// What a step leaves to be done.
enum Work {
    Append(Append),
    Markers(Markers),
}

impl Transactions {
    pub(crate) fn new(layers: &Layers) -> Self {
        let ms = |name: &str| {
            let number = layers.number(name).and_then(|n| u64::try_from(n).ok());
            Duration::from_millis(number.unwrap_or(0))
        };
        let config = TransactionConfig {
            timeout_max: ms("transaction.max.timeout.ms"),
            id_expiration: ms("transactional.id.expiration.ms"),
            id_check_interval: ms("transaction.remove.expired.transaction.cleanup.interval.ms"),
            ..TransactionConfig::default()
        };
        Self {
            config,
            shards: Mutex::default(),
            next_token: AtomicU64::new(0),
            news: Arc::default(),
        }
    }

    /// `worker` is told when what coordinators wrote has been replicated.
    pub(crate) fn notify(&self, worker: Arc<dyn Wake>) {
        self.news.tell(worker);
    }

    fn token(&self) -> Token {
        Token(self.next_token.fetch_add(1, Ordering::Relaxed))
    }

    /// Told when something that a coordinator waits for is replicated.
    fn note(&self, index: PartitionIndex) -> Arc<dyn Wake> {
        Arc::new(Note {
            index,
            news: Arc::clone(&self.news),
        })
    }
}

impl Broker {
    /// Asks the coordinator of a transactional id, which is on this node.
    pub(crate) fn ask_transaction(
        &self,
        id: &str,
        command: TransactionCommand,
        asker: Asker<'_>,
    ) -> Pending<TransactionReply> {
        let now = asker.now;
        let shard = match self.transaction_shard_of(id, now) {
            Ok(shard) => shard,
            Err(code) => return Pending::Here(Err(code)),
        };
        let token = self.transactions.token();
        let slot = Slot::new(asker.waker);
        shard.waiting.add(token, &slot);
        let reply = {
            let mut coordinator = shard.coordinator.lock();
            self.expire_transactions(&shard, &mut coordinator, now);
            let mut producer_ids = || self.next_producer_id(now).ok();
            let mut world = TransactionWorld {
                now,
                producer_ids: &mut producer_ids,
            };
            let step = coordinator.handle(&mut world, token, command);
            self.carry_out(&shard, &mut coordinator, step, Some(token), now)
        };
        match reply.map(Ok).or_else(|| slot.take()) {
            Some(answer) => {
                shard.waiting.forget(token);
                Pending::Here(answer)
            }
            None => Pending::Coming(slot),
        }
    }

    /// Looks at the coordinator of a transactional id.
    pub(crate) fn look_at_transaction<T>(
        &self,
        id: &str,
        now: Now,
        look: impl FnOnce(&TransactionShard) -> T,
    ) -> Result<T, ErrorCode> {
        let shard = self.transaction_shard_of(id, now)?;
        let coordinator = shard.coordinator.lock();
        Ok(look(&coordinator))
    }

    /// Looks at every coordinator of this node.
    pub(crate) fn look_at_transactions(&self, now: Now, mut look: impl FnMut(&TransactionShard)) {
        for shard in self.transaction_shards(now) {
            look(&shard.coordinator.lock());
        }
    }

    /// Lets coordinators go on whose records or markers have been replicated.
    pub(crate) fn answer_transactions(&self, now: Now) {
        for index in self.transactions.news.take() {
            let shard = self.transactions.shards.lock().get(&index).cloned();
            let Some(shard) = shard else {
                continue;
            };
            let mut coordinator = shard.coordinator.lock();
            let Some(high_watermark) = shard.log.high_watermark() else {
                continue;
            };
            let step = coordinator.committed(now, high_watermark);
            self.carry_out(&shard, &mut coordinator, step, None, now);
            if let Some(upto) = coordinator.awaits() {
                shard.log.await_replicas(upto);
            }
            let note = self.transactions.note(index);
            let written = shard.errands.lock().take_replicated(&note);
            self.count_markers(&shard, &mut coordinator, written, now);
        }
    }

    /// Acts on what has become due in transactions. Answers when the next is.
    pub(crate) fn tick_transactions(&self, now: Now) -> Option<Instant> {
        self.answer_transactions(now);
        let mut next = None;
        for shard in self.transaction_shards(now) {
            let mut coordinator = shard.coordinator.lock();
            self.expire_transactions(&shard, &mut coordinator, now);
            next = [next, coordinator.next_deadline()]
                .into_iter()
                .flatten()
                .min();
        }
        next
    }

    fn expire_transactions(&self, shard: &Shard, coordinator: &mut TransactionShard, now: Now) {
        while coordinator.next_deadline().is_some_and(|at| at <= now.mono) {
            let step = coordinator.expire(now);
            self.carry_out(shard, coordinator, step, None, now);
        }
    }

    /// Carries a step to its end: records are appended, markers written or
    /// asked for, and replies go to those who wait. The reply under `token` is
    /// handed back.
    fn carry_out(
        &self,
        shard: &Shard,
        coordinator: &mut TransactionShard,
        first: TransactionStep,
        token: Option<Token>,
        now: Now,
    ) -> Option<TransactionReply> {
        let mut ours = None;
        let mut work = Vec::new();
        let mut step = first;
        loop {
            for (to, reply) in step.replies {
                if Some(to) == token {
                    ours = Some(reply);
                } else {
                    shard.waiting.deliver(to, reply);
                }
            }
            work.extend(step.markers.into_iter().map(Work::Markers));
            // The append comes first: nothing else may be asked before its outcome.
            work.extend(step.append.map(Work::Append));
            step = match work.pop() {
                None => return ours,
                Some(Work::Append(append)) => {
                    coordinator.outcome(now, shard.log.append(&append, now))
                }
                Some(Work::Markers(asked)) => {
                    let written = self.write_markers(shard, &asked, now);
                    let epoch = asked.producer.epoch;
                    coordinator.markers_written(now, &asked.id, epoch, &written)
                }
            };
        }
    }

    fn transaction_shard_of(&self, id: &str, now: Now) -> Result<Arc<Shard>, ErrorCode> {
        let index = self.partition_of_internal(TRANSACTIONS_TOPIC, id, now)?;
        let shard = self.transaction_shard(PartitionIndex(index), now)?;
        if self.has_lease(now) {
            Ok(shard)
        } else {
            Err(ErrorCode::CoordinatorNotAvailable)
        }
    }

    /// Every coordinator whose partition is here.
    fn transaction_shards(&self, now: Now) -> Vec<Arc<Shard>> {
        let catalog = self.catalog();
        let partitions = catalog
            .topic(TRANSACTIONS_TOPIC)
            .map_or(0, |t| t.partitions.len());
        drop(catalog);
        let shard = |index| self.transaction_shard(PartitionIndex(index), now).ok();
        (0..).take(partitions).filter_map(shard).collect()
    }

    /// This node leads a partition of the transactions topic no more, or in
    /// another term: whoever comes next replays it.
    pub(crate) fn resign_transactions(&self, index: PartitionIndex) {
        if mutation::is(Mutation::KeepCoordinator) {
            return;
        }
        let shard = self.transactions.shards.lock().remove(&index);
        if let Some(shard) = shard {
            shard.waiting.abandon();
        }
    }

    /// The coordinator of a partition, loaded from its log on first use.
    fn transaction_shard(&self, index: PartitionIndex, now: Now) -> Result<Arc<Shard>, ErrorCode> {
        let mut shards = self.transactions.shards.lock();
        if let Some(shard) = shards.get(&index) {
            return Ok(Arc::clone(shard));
        }
        let partition = self
            .catalog()
            .partition(TRANSACTIONS_TOPIC, index)
            .cloned()
            .map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
        if partition.leader() != self.node() {
            return Err(ErrorCode::NotCoordinator);
        }
        let mut coordinator = TransactionShard::new(self.transactions.config.clone());
        let log = OwnLog::of(partition, self.transactions.note(index))?;
        let high_watermark = log.replay(|replayed| match replayed {
            Replayed::Record { key, value, .. } => coordinator.replay(key, value),
            Replayed::Marker { .. } => Ok(()),
        })?;
        coordinator.loaded(now, high_watermark, log.epoch().get());
        let shard = Arc::new(Shard {
            index,
            coordinator: Mutex::new(coordinator),
            log,
            waiting: Waiting::default(),
            errands: Mutex::default(),
        });
        shards.insert(index, Arc::clone(&shard));
        Ok(shard)
    }
}
