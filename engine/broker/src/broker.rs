//! One node: what all handlers share.
//!
//! A broker is driven from outside: [`Broker::handle`] with each request,
//! [`Broker::tick`] when time has passed. It reads no clock, starts no thread
//! and never waits. All methods take `&self`; a partition's log is locked for
//! as long as one batch is appended or one read is planned.

use crate::catalog::Catalog;
use crate::cleaner::Cleaner;
use crate::config::{BrokerConfig, Layers, Limits};
use crate::fetch_sessions::FetchSessions;
use crate::groups::{Groups, group_config};
use crate::listener::Listener;
use crate::log_dirs::LogDirs;
use crate::metadata::{Change, Metadata};
use crate::metrics::Requests;
use crate::producer_ids::{BLOCK, ProducerIdBlock};
use crate::refusal::Refusal;
use crate::storage::DiskFaults;
use crate::timers::Timers;
use crate::transactions::Transactions;
use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use plimsoll_cluster::{Image, MetadataRecord, ProducerIds};
use plimsoll_log::Disk;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{BrokerEpoch, NodeId, Offset, ProducerId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// One broker node.
pub struct Broker {
    pub(crate) config: BrokerConfig,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dirs: LogDirs,
    pub(crate) metadata: Metadata,
    pub(crate) catalog: ArcSwap<Catalog>,
    pub(crate) layers: ArcSwap<Layers>,
    pub(crate) limits: ArcSwap<Limits>,
    pub(crate) sessions: FetchSessions,
    pub(crate) timers: Timers,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    /// This run's registration.
    pub(crate) epoch: BrokerEpoch,
    pub(crate) cleaner: Cleaner,
    pub(crate) requests: Arc<Requests>,
    pub(crate) faults: Arc<DiskFaults>,
    producer_ids: Mutex<ProducerIdBlock>,
    random: Mutex<StdRng>,
}

/// What a broker is put together from, once its logs are open.
pub(crate) struct Parts {
    pub(crate) config: BrokerConfig,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dirs: LogDirs,
    pub(crate) metadata: Metadata,
    pub(crate) layers: Layers,
    pub(crate) epoch: BrokerEpoch,
    pub(crate) random: StdRng,
    pub(crate) now: Now,
}

impl Broker {
    pub(crate) fn assemble(parts: Parts) -> Self {
        let limits = Limits::of(&parts.layers);
        Self {
            sessions: FetchSessions::new(limits.fetch_sessions_max),
            timers: Timers::new(parts.now, &limits),
            groups: Groups::new(group_config(&parts.layers)),
            transactions: Transactions::new(&parts.layers),
            catalog: ArcSwap::default(),
            layers: ArcSwap::from_pointee(parts.layers),
            limits: ArcSwap::from_pointee(limits),
            cleaner: Cleaner::default(),
            requests: Arc::default(),
            faults: Arc::default(),
            producer_ids: Mutex::default(),
            random: Mutex::new(parts.random),
            config: parts.config,
            disk: parts.disk,
            dirs: parts.dirs,
            metadata: parts.metadata,
            epoch: parts.epoch,
        }
    }

    /// This node's number.
    pub const fn node(&self) -> NodeId {
        self.config.node
    }

    /// The listener of this number; one in plain text when there is none.
    pub fn listener(&self, number: usize) -> Arc<Listener> {
        self.config
            .listeners
            .get(number)
            .map_or_else(Arc::default, Arc::clone)
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        self.dirs.cluster_id()
    }

    /// The cluster's metadata as of now.
    pub fn image(&self) -> Arc<Image> {
        self.metadata.image()
    }

    /// The offset of the last metadata record.
    pub(crate) fn metadata_offset(&self) -> Offset {
        self.metadata.offset()
    }

    pub(crate) fn catalog(&self) -> Guard<Arc<Catalog>> {
        self.catalog.load()
    }

    pub(crate) fn limits(&self) -> Guard<Arc<Limits>> {
        self.limits.load()
    }

    pub(crate) fn layers(&self) -> Guard<Arc<Layers>> {
        self.layers.load()
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The data directories, and whether each has failed.
    pub(crate) fn log_dirs(&self) -> impl Iterator<Item = (&Path, bool)> {
        self.dirs.paths()
    }

    /// An id that nothing else has, never one that Kafka reserves.
    pub(crate) fn random_id(&self) -> Uuid {
        draw_id(&mut self.random.lock())
    }

    /// A number drawn at random.
    pub(crate) fn random_number(&self) -> i32 {
        self.random.lock().random_range(1..i32::MAX)
    }

    /// Text that nobody can guess, for one exchange.
    pub(crate) fn nonce(&self) -> String {
        let drawn: u128 = self.random.lock().random();
        format!("{drawn:032x}")
    }

    /// Works a change of metadata out, and makes it so unless `keep` is false.
    /// No two changes overlap.
    pub(crate) fn change<T>(
        &self,
        now: Now,
        keep: bool,
        work_out: impl FnOnce(&mut Change) -> T,
    ) -> Result<T, Refusal> {
        let mut door = self.metadata.enter();
        let mut change = door.begin();
        let outcome = work_out(&mut change);
        if keep {
            let apply = |image: &Image, records: &[MetadataRecord]| self.apply(image, records, now);
            door.commit(change, now, apply).map_err(|fault| {
                tracing::error!(%fault, "cannot write the metadata log");
                Refusal::new(ErrorCode::KafkaStorageError, fault.to_string())
            })?;
        }
        Ok(outcome)
    }

    /// An id for an idempotent producer.
    pub(crate) fn next_producer_id(&self, now: Now) -> Result<ProducerId, ErrorCode> {
        let mut block = self.producer_ids.lock();
        if let Some(id) = block.next() {
            return Ok(id);
        }
        let first = self.change(now, true, |change| {
            let first = change.image().next_producer_id();
            let next = ProducerId(first.get().saturating_add(BLOCK));
            let (broker, epoch) = (self.node(), self.epoch);
            change.push(MetadataRecord::ProducerIds(ProducerIds {
                broker,
                epoch,
                next,
            }));
            first
        });
        block.refill(first.map_err(|refusal| refusal.code)?);
        block.next().ok_or(ErrorCode::UnknownServerError)
    }
}

/// A generator that gives the same numbers for the same seed.
pub(crate) fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Draws an id that is none of the few that Kafka reserves.
pub(crate) fn draw_id(random: &mut StdRng) -> Uuid {
    const RESERVED: u128 = 100;
    loop {
        let id = uuid::Builder::from_random_bytes(random.random()).into_uuid();
        // Kafka avoids ids that its tools would take for an option.
        let leads_with_dash = id.as_bytes()[0] >> 2 == 62;
        if id.as_u128() > RESERVED && !leads_with_dash {
            return id;
        }
    }
}
