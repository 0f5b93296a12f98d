//! Transactions on this node: a coordinator for each partition of the
//! transactions topic, and the markers that it asks for.
//!
//! A coordinator's lock is held while its records are appended and markers are
//! written. It is taken before a group coordinator's lock, and both before a
//! partition's.

mod guard;
mod markers;
mod verify;

pub(crate) use guard::{Guard, Guards};
pub(crate) use markers::Ending;
pub(crate) use verify::Transacting;

use crate::broker::Broker;
use crate::config::Layers;
use crate::own_log::{OwnLog, Replayed};
use crate::topic_name::TRANSACTIONS_TOPIC;
use parking_lot::Mutex;
use plimsoll_coordinator::transaction::{
    Markers, TransactionCommand, TransactionReply, TransactionShard, TransactionStep,
    TransactionWorld,
};
use plimsoll_coordinator::{Append, Token, TransactionConfig};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The token of the one request that a coordinator is asked at a time.
const OURS: Token = Token(0);

/// The coordinators of this node.
pub(crate) struct Transactions {
    config: TransactionConfig,
    shards: Mutex<BTreeMap<PartitionIndex, Arc<Shard>>>,
}

/// One partition's coordinator and its log.
struct Shard {
    coordinator: Mutex<TransactionShard>,
    log: OwnLog,
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
        }
    }
}

impl Broker {
    /// Asks the coordinator of a transactional id.
    pub(crate) fn transact(
        &self,
        id: &str,
        command: TransactionCommand,
        now: Now,
    ) -> Result<TransactionReply, ErrorCode> {
        let shard = self.transaction_shard_of(id, now)?;
        let mut coordinator = shard.coordinator.lock();
        self.expire_transactions(&shard, &mut coordinator, now);
        let mut producer_ids = || self.next_producer_id(now).ok();
        let mut world = TransactionWorld {
            now,
            producer_ids: &mut producer_ids,
        };
        let step = coordinator.handle(&mut world, OURS, command);
        self.carry_out(&shard, &mut coordinator, step, now)
            .ok_or(ErrorCode::CoordinatorNotAvailable)
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

    /// Acts on what has become due in transactions. Answers when the next is.
    pub(crate) fn tick_transactions(&self, now: Now) -> Option<Instant> {
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
            self.carry_out(shard, coordinator, step, now);
        }
    }

    /// Carries a step to its end: records are appended, then markers written.
    fn carry_out(
        &self,
        shard: &Shard,
        coordinator: &mut TransactionShard,
        first: TransactionStep,
        now: Now,
    ) -> Option<TransactionReply> {
        let mut reply = None;
        let mut work = Vec::new();
        let mut step = first;
        loop {
            reply = reply.or(step.replies.into_iter().next().map(|(_, reply)| reply));
            work.extend(step.markers.into_iter().map(Work::Markers));
            // The append comes first: nothing else may be asked before its outcome.
            work.extend(step.append.map(Work::Append));
            step = match work.pop() {
                None => return reply,
                Some(Work::Append(append)) => {
                    coordinator.outcome(now, shard.log.append(&append, now))
                }
                Some(Work::Markers(asked)) => {
                    let written = self.write_markers(&asked, now);
                    let epoch = asked.producer.epoch;
                    coordinator.markers_written(now, &asked.id, epoch, &written)
                }
            };
        }
    }

    fn transaction_shard_of(&self, id: &str, now: Now) -> Result<Arc<Shard>, ErrorCode> {
        let index = self.partition_of_internal(TRANSACTIONS_TOPIC, id, now)?;
        self.transaction_shard(PartitionIndex(index), now)
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
    /// another term.
    pub(crate) fn resign_transactions(&self, index: PartitionIndex) {
        self.transactions.shards.lock().remove(&index);
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
        let epoch = partition.leader_epoch();
        let mut coordinator = TransactionShard::new(self.transactions.config.clone());
        let log = OwnLog::new(partition);
        let high_watermark = log.replay(|replayed| match replayed {
            Replayed::Record { key, value, .. } => coordinator.replay(key, value),
            Replayed::Marker { .. } => Ok(()),
        })?;
        coordinator.loaded(now, high_watermark, epoch.get());
        let shard = Arc::new(Shard {
            coordinator: Mutex::new(coordinator),
            log,
        });
        shards.insert(index, Arc::clone(&shard));
        Ok(shard)
    }
}
