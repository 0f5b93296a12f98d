//! From an empty or used data directory to a broker that serves.

use crate::apply::run_time_layers;
use crate::broker::{Broker, Parts, draw_id, seeded};
use crate::config::BrokerConfig;
use crate::controller::raise_features;
use crate::error::BrokerError;
use crate::features::FEATURES;
use crate::log_dirs::{LogDirs, Tenant, Trust};
use crate::metadata::{Change, Metadata};
use crate::quorum_log::{QuorumLog, log_config};
use crate::storage::DiskFaults;
use crate::topic_name::METADATA_TOPIC;
use plimsoll_cluster::quorum::{Observer, Quorum, RaftQuorum, RaftSettings};
use plimsoll_cluster::{
    BrokerEndpoint, BrokerFeature, MetadataRecord, RegisterBroker, StorageFault,
};
use plimsoll_log::{Disk, TopicPartition};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{BrokerEpoch, NodeId, PartitionIndex};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The quorum's unit of time.
pub(crate) const QUORUM_TICK: Duration = Duration::from_millis(50);
/// The leader's heartbeats within the time after which an election begins.
const HEARTBEATS_PER_ELECTION: u64 = 8;

impl Broker {
    /// Opens the data directories and recovers what is in them. A node that is
    /// alone registers itself at once; one of several does so by and by, as
    /// [`Broker::pulse`] is called.
    ///
    /// # Errors
    /// When a directory is in use, belongs to another node or cluster, or
    /// cannot be read. A single partition that cannot be opened is offline
    /// instead.
    pub fn new(config: BrokerConfig, disk: Arc<dyn Disk>, now: Now) -> Result<Self, BrokerError> {
        config.check_peers()?;
        let mut random = seeded(config.seed);
        let tenant = Tenant {
            node: config.node,
            cluster_id: config.cluster_id.as_deref(),
            common: config.common_cluster_id(),
        };
        let dirs = LogDirs::open(&disk, &config.log_dirs, &tenant, || draw_id(&mut random))?;
        let faults: Arc<DiskFaults> = Arc::default();
        let metadata = open_metadata(&config, &dirs, (&disk, &faults), now)?;
        let image = metadata.image();
        let layers = run_time_layers(config.layers(), &image, &config.node.to_string());
        let broker = Self::assemble(Parts {
            config,
            disk,
            dirs,
            metadata,
            faults,
            layers,
            random,
            now,
        });
        if broker.is_alone() {
            broker.found(now)?;
        } else {
            broker.take_clean_stop();
            broker.apply_all(&image, now);
            if broker.votes_alone() {
                broker.metadata.drive(|quorum| quorum.campaign(now))?;
            }
        }
        broker.act_on_faults();
        if broker.dirs.take_outdated() {
            let failed = broker.dirs.store(&broker.marks());
            broker.dirs_failed(&failed);
        }
        Ok(broker)
    }

    /// Takes the quorum of one over and registers this run.
    fn found(&self, now: Now) -> Result<(), BrokerError> {
        self.metadata.drive(|quorum| quorum.campaign(now))?;
        // Which directories are missing is known before any log is opened.
        let _noted = self.log_dir_ids();
        let _all_in_the_image = self.metadata.take_steps();
        let (image, at) = self.metadata.committed();
        self.apply_all(&image, now);
        self.metadata.publish(image, at);
        let log_dirs = self.log_dir_ids();
        let incarnation = self.membership.incarnation();
        let epoch = self.change(now, true, |change: &mut Change| {
            raise_features(change);
            let epoch = BrokerEpoch(change.first_offset().get());
            let record = registration(&self.config, epoch, incarnation, log_dirs);
            change.push(MetadataRecord::RegisterBroker(record));
            epoch
        });
        self.set_epoch(epoch.map_err(|refusal| StorageFault(refusal.words))?);
        self.membership.let_in();
        self.dirs.started();
        Ok(())
    }

    /// The ids of this node's directories, and of those it is known to have had
    /// and that are missing.
    pub(crate) fn log_dir_ids(&self) -> Vec<Uuid> {
        let mut ids = self.dirs.ids();
        if self.config.layers().broker("plimsoll.lost.log.dirs") != Some("recreate") {
            let (image, _) = self.metadata.committed();
            let before = image.brokers().get(&self.node());
            ids.extend(
                self.dirs
                    .note_lost(before.map_or(&[], |known| &known.log_dirs)),
            );
        }
        ids
    }
}

/// This node's part of the quorum, with what its directory holds.
fn open_metadata(
    config: &BrokerConfig,
    dirs: &LogDirs,
    (disk, faults): (&Arc<dyn Disk>, &Arc<DiskFaults>),
    now: Now,
) -> Result<Metadata, BrokerError> {
    let name = TopicPartition {
        topic: METADATA_TOPIC.into(),
        partition: PartitionIndex(0),
    };
    if !dirs.holds(&name) && dirs.may_hold_logs() {
        return Err(BrokerError::NoMetadataLog);
    }
    let log = dirs.open_log(&name, Trust::Nothing, &Arc::new(log_config()), now)?;
    let (log, recovered) = QuorumLog::open((Arc::clone(disk), Arc::clone(faults)), log, now)?;
    let snapshot = recovered.snapshot.clone();
    let mut voters: Vec<NodeId> = config.voters.iter().map(|peer| peer.node).collect();
    if voters.is_empty() {
        voters.push(config.node);
    }
    let quorum: Box<dyn Quorum> = if config.roles.controller {
        let settings = raft_settings(config);
        let voter = RaftQuorum::new(config.node, &voters, settings, recovered, Box::new(log))?;
        Box::new(voter)
    } else {
        Box::new(Observer::new(&voters, recovered, Box::new(log)))
    };
    Ok(Metadata::new(quorum, snapshot.as_ref())?)
}

fn raft_settings(config: &BrokerConfig) -> RaftSettings {
    let layers = config.layers();
    let ms = |name: &str| layers.number(name).and_then(|ms| u64::try_from(ms).ok());
    let silence = ms("controller.quorum.fetch.timeout.ms").unwrap_or(2000);
    let tick = u64::try_from(QUORUM_TICK.as_millis()).unwrap_or(50);
    let ticks = |ms: u64| usize::try_from(ms / tick).unwrap_or(usize::MAX);
    let heartbeat = ticks(silence / HEARTBEATS_PER_ELECTION).max(1);
    let election = ticks(silence).max(heartbeat + 2);
    RaftSettings {
        heartbeat_ticks: heartbeat,
        election_ticks: election,
        stagger_ticks: (election / 10).max(2),
    }
}

fn registration(
    config: &BrokerConfig,
    epoch: BrokerEpoch,
    incarnation: Uuid,
    log_dirs: Vec<Uuid>,
) -> RegisterBroker {
    let endpoint = |endpoint: &crate::config::Endpoint| BrokerEndpoint {
        name: endpoint.listener.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: endpoint.protocol.code(),
    };
    let feature = |feature: &crate::features::Feature| BrokerFeature {
        name: feature.name.to_owned(),
        min: feature.min,
        max: feature.max,
    };
    RegisterBroker {
        broker: config.node,
        incarnation,
        epoch,
        endpoints: config.advertised.iter().map(endpoint).collect(),
        features: FEATURES.iter().map(feature).collect(),
        rack: config.layers().broker("broker.rack").map(str::to_owned),
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs,
    }
}
