//! From an empty or used data directory to a broker that serves.

use crate::apply::run_time_layers;
use crate::broker::{Broker, Parts, draw_id, seeded};
use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::features::FEATURES;
use crate::local_metadata::LocalMetadataLog;
use crate::log_dirs::{LogDirs, Tenant, Trust};
use crate::metadata::{Change, Metadata};
use crate::topic_name::METADATA_TOPIC;
use plimsoll_cluster::{
    BrokerEndpoint, BrokerFeature, FeatureLevel, MetadataRecord, RegisterBroker,
};
use plimsoll_log::{Disk, LogConfig, TopicPartition};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{BrokerEpoch, PartitionIndex};
use rand::rngs::StdRng;
use std::sync::Arc;
use uuid::Uuid;

impl Broker {
    /// Opens the data directories, recovers what is in them, and registers.
    ///
    /// # Errors
    /// When a directory is in use, belongs to another node or cluster, or
    /// cannot be read. A single partition that cannot be opened is offline
    /// instead.
    pub fn new(config: BrokerConfig, disk: Arc<dyn Disk>, now: Now) -> Result<Self, BrokerError> {
        let mut random = seeded(config.seed);
        let tenant = Tenant {
            node: config.node,
            cluster_id: config.cluster_id.as_deref(),
        };
        let dirs = LogDirs::open(&disk, &config.log_dirs, &tenant, || draw_id(&mut random))?;
        let name = TopicPartition {
            topic: METADATA_TOPIC.into(),
            partition: PartitionIndex(0),
        };
        if !dirs.holds(&name) && dirs.may_hold_logs() {
            return Err(BrokerError::NoMetadataLog);
        }
        let log = dirs.open_log(&name, Trust::Nothing, &Arc::new(LogConfig::default()), now)?;
        let log = LocalMetadataLog::new(log);
        let (image, offset) = log.replay()?;
        let metadata = Metadata::new(image, offset, Box::new(log));
        let epoch = register(&metadata, &config, &dirs, &mut random, now)?;
        let image = metadata.image();
        let layers = run_time_layers(config.layers(), &image, &config.node.to_string());
        let broker = Self::assemble(Parts {
            config,
            disk,
            dirs,
            metadata,
            layers,
            epoch,
            random,
            now,
        });
        broker.apply_all(&image, now);
        broker.act_on_faults();
        if broker.dirs.take_outdated() {
            let failed = broker.dirs.store(&broker.marks());
            broker.dirs_failed(&failed);
        }
        Ok(broker)
    }
}

/// Registers this run of the node, and puts a new cluster's features in force.
fn register(
    metadata: &Metadata,
    config: &BrokerConfig,
    dirs: &LogDirs,
    random: &mut StdRng,
    now: Now,
) -> Result<BrokerEpoch, BrokerError> {
    let mut door = metadata.enter();
    let mut change = door.begin();
    raise_features(&mut change);
    let epoch = BrokerEpoch(door.next_offset().get());
    let before = door.begin();
    let before = before.image().brokers().get(&config.node);
    let mut log_dirs = dirs.ids();
    if config.layers().broker("plimsoll.lost.log.dirs") != Some("recreate") {
        log_dirs.extend(dirs.note_lost(before.map_or(&[], |broker| &broker.log_dirs)));
    }
    change.push(MetadataRecord::RegisterBroker(registration(
        config,
        epoch,
        draw_id(random),
        log_dirs,
    )));
    door.commit(change, now, |_, _| {})?;
    Ok(epoch)
}

fn raise_features(change: &mut Change) {
    for feature in FEATURES {
        let present = change.image().features().get(feature.name).copied();
        if feature.initial > 0 && present.is_none_or(|level| level < feature.initial) {
            let (name, level) = (feature.name.to_owned(), feature.initial);
            change.push(MetadataRecord::FeatureLevel(FeatureLevel { name, level }));
        }
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
