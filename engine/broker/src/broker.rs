//! One node: what all handlers share.
//!
//! A broker is driven from outside: [`Broker::handle`] with each request,
//! [`Broker::tick`] when time has passed. It reads no clock, starts no thread
//! and never waits. All methods take `&self`; a partition's log is locked for
//! as long as one batch is appended or one read is planned.

use crate::authorizer::Authorizer;
use crate::catalog::Catalog;
use crate::cleaner::Cleaner;
use crate::commits::Commits;
use crate::config::{BrokerConfig, Layers, Limits};
use crate::controller::Controller;
use crate::fetch_sessions::FetchSessions;
use crate::groups::{Groups, group_config};
use crate::listener::Listener;
use crate::log_dirs::LogDirs;
use crate::membership::Membership;
use crate::metadata::{Change, Metadata, Refused};
use crate::metrics::{IsrMoves, Requests};
use crate::observing::{Observers, Observing};
use crate::outcome::Wake;
use crate::outgoing::Outbox;
use crate::producer_ids::ProducerIds;
use crate::quotas::Quotas;
use crate::refusal::Refusal;
use crate::replica::{Fetchers, IsrChanges, Throttle};
use crate::storage::DiskFaults;
use crate::timers::Timers;
use crate::transactions::Transactions;
use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use plimsoll_cluster::Image;
use plimsoll_log::Disk;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{BrokerEpoch, NodeId, Offset};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
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
    pub(crate) cleaner: Cleaner,
    pub(crate) commits: Commits,
    /// Who may do what; without it everyone may do everything.
    pub(crate) authorizer: Option<Arc<Authorizer>>,
    pub(crate) quotas: Quotas,
    pub(crate) requests: Arc<Requests>,
    pub(crate) faults: Arc<DiskFaults>,
    pub(crate) membership: Membership,
    pub(crate) observing: Observing,
    pub(crate) observers: Observers,
    pub(crate) outbox: Outbox,
    pub(crate) fetchers: Fetchers,
    pub(crate) isr_changes: IsrChanges,
    pub(crate) isr_moves: IsrMoves,
    /// What replicas that catch up are sent, and what they take here.
    pub(crate) sent_throttle: Throttle,
    pub(crate) taken_throttle: Throttle,
    pub(crate) controller: Controller,
    pub(crate) producer_ids: ProducerIds,
    /// When the quorum was last ticked.
    pub(crate) ticked: Mutex<Instant>,
    /// This run's registration, −1 before there is one.
    epoch: AtomicI64,
    pub(crate) work_wake: Mutex<Option<Arc<dyn Wake>>>,
    random: Mutex<StdRng>,
}

/// What a broker is put together from, once its logs are open.
pub(crate) struct Parts {
    pub(crate) config: BrokerConfig,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dirs: LogDirs,
    pub(crate) metadata: Metadata,
    pub(crate) faults: Arc<DiskFaults>,
    pub(crate) layers: Layers,
    pub(crate) random: StdRng,
    pub(crate) now: Now,
}

impl Broker {
    pub(crate) fn assemble(mut parts: Parts) -> Self {
        // Differs between runs though they draw from the same seed.
        let started = parts.now.wall.get().unsigned_abs().rotate_left(32)
            ^ u64::try_from(parts.now.mono.0.as_nanos()).unwrap_or(u64::MAX);
        let incarnation = draw_id(&mut seeded(parts.random.random::<u64>() ^ started));
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
            commits: Commits::default(),
            authorizer: parts.config.authorizer.clone(),
            quotas: Quotas::default(),
            requests: Arc::default(),
            faults: parts.faults,
            producer_ids: ProducerIds::default(),
            outbox: Outbox::default(),
            fetchers: Fetchers::default(),
            observing: Observing::default(),
            observers: Observers::default(),
            isr_changes: IsrChanges::default(),
            isr_moves: IsrMoves::default(),
            sent_throttle: Throttle::default(),
            taken_throttle: Throttle::default(),
            controller: Controller::default(),
            membership: Membership::new(incarnation, parts.now),
            ticked: Mutex::new(parts.now.mono),
            epoch: AtomicI64::new(-1),
            work_wake: Mutex::default(),
            random: Mutex::new(parts.random),
            config: parts.config,
            disk: parts.disk,
            dirs: parts.dirs,
            metadata: parts.metadata,
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

    /// This run's registration, −1 before there is one.
    pub(crate) fn epoch(&self) -> BrokerEpoch {
        BrokerEpoch(self.epoch.load(Ordering::Acquire))
    }

    /// The controller has registered this run.
    pub(crate) fn set_epoch(&self, epoch: BrokerEpoch) {
        self.epoch.store(epoch.get(), Ordering::Release);
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

    /// Works a change of metadata out, and appends it unless `keep` is false.
    /// No two changes overlap. In a quorum of one it is in force on return;
    /// otherwise it is once it is committed, for which the dispatcher of
    /// controller requests waits.
    pub(crate) fn change<T>(
        &self,
        now: Now,
        keep: bool,
        work_out: impl FnOnce(&mut Change) -> T,
    ) -> Result<T, Refusal> {
        let made = self.metadata.change(now, keep, work_out);
        let (outcome, messages) = made.map_err(|refused| {
            let code = match refused {
                Refused::NotLeader => ErrorCode::NotController,
                Refused::Busy => ErrorCode::ThrottlingQuotaExceeded,
                Refused::Malformed(_) => ErrorCode::InvalidRequest,
                Refused::Storage(_) => ErrorCode::KafkaStorageError,
            };
            if code == ErrorCode::KafkaStorageError {
                tracing::error!(%refused, "cannot write the metadata log");
            }
            Refusal::new(code, refused.to_string())
        })?;
        self.send_to_voters(messages, now);
        if self.is_alone() {
            self.work(now);
        } else {
            self.wake_worker(now);
        }
        Ok(outcome)
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
