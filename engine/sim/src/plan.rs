//! What a seed decides before its world begins: the shape of the cluster, the
//! settings of its brokers, who is at work and what goes wrong.
//!
//! Every seed switches some workloads and some kinds of fault off ("swarm
//! testing"): a run with everything at once hides what few things together
//! would show.

use crate::clients::admin::Wanted;
use crate::clients::{compacting, once, plain, transactional};
use crate::dice::Dice;
use plimsoll_broker::{BrokerConfig, Endpoint, SecurityProtocol};
use std::path::PathBuf;
use std::time::Duration;

/// The brokers' own topics: of groups, and of transactions.
pub const OWN_TOPICS: [&str; 2] = ["__consumer_offsets", "__transaction_state"];
/// How many partitions each of them has.
pub const OWN_PARTITIONS: i32 = 2;

/// What the caller decides.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many nodes: 1, 3 or 5.
    pub nodes: usize,
    /// How long faults go on.
    pub storm: Duration,
    /// How long clients may take to finish after the last fault.
    pub rest: Duration,
    /// Whether groups and transactions are among the workloads.
    pub coordinates: bool,
    /// Whether the trace is kept in words.
    pub in_words: bool,
}

impl Plan {
    /// The plan for a cluster of so many nodes.
    pub const fn of(nodes: usize) -> Self {
        Self {
            nodes,
            storm: Duration::from_secs(60),
            rest: Duration::from_secs(600),
            coordinates: true,
            in_words: false,
        }
    }
}

/// Which kinds of fault there are.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Lost messages, resets, long latencies.
    pub storms: bool,
    /// Cuts between two places.
    pub cuts: bool,
    /// Kills and orderly shutdowns.
    pub ends: bool,
    /// Power losses.
    pub power: bool,
    /// Pauses.
    pub pauses: bool,
    /// Jumps of wall clocks.
    pub clocks: bool,
    /// Full, slow and failing disks.
    pub disks: bool,
}

/// Who is at work.
#[derive(Clone, Copy, Debug)]
pub struct Workloads {
    /// Producers without idempotence, at acks 0, 1 and all.
    pub plain: bool,
    /// Idempotent producers.
    pub once: bool,
    /// Members of a classic group.
    pub classic: usize,
    /// Members of a group of the newer protocol.
    pub consumer: usize,
    /// Transactional processors.
    pub transactional: bool,
    /// Writers of a compacted topic.
    pub compacting: bool,
    /// An administrator.
    pub admin: bool,
    /// An administrator who moves partitions among nodes.
    pub moving: bool,
}

/// What a seed decides.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What goes wrong.
    pub faults: Faults,
    /// Who is at work.
    pub workloads: Workloads,
    /// Every append is synced before it is answered. Without it a machine that
    /// loses power loses what it acknowledged, and is meant to: what its cluster
    /// acknowledged survives in other replicas alone.
    pub syncs_each: bool,
    /// The size of a segment.
    pub segment_bytes: i64,
    /// Partitions of each topic.
    pub partitions: i32,
}

impl Recipe {
    /// Throws the dice.
    pub fn draw(plan: &Plan, dice: &mut Dice) -> Self {
        let syncs_each = dice.chance(600);
        let may_lose = syncs_each || plan.nodes > 1;
        let faults = Faults {
            storms: dice.chance(700),
            cuts: dice.chance(600),
            ends: dice.chance(700),
            power: dice.chance(700) && may_lose,
            pauses: dice.chance(500),
            clocks: dice.chance(400),
            disks: dice.chance(400) && may_lose,
        };
        let mut members = |most: usize| match dice.chance(500) && plan.coordinates {
            true => 1 + dice.below(most),
            false => 0,
        };
        let (classic, consumer) = (members(3), members(3));
        Self {
            faults,
            workloads: Workloads {
                plain: dice.chance(500),
                once: dice.chance(700) || classic + consumer > 0,
                classic,
                consumer,
                transactional: dice.chance(500) && plan.coordinates,
                compacting: dice.chance(400),
                admin: dice.chance(400),
                moving: plan.nodes > 1 && dice.chance(400),
            },
            syncs_each,
            segment_bytes: *dice.pick(&[8 << 10, 16 << 10, 64 << 10, 1 << 20]),
            partitions: i32::try_from(1 + dice.below(3)).unwrap_or(1),
        }
    }

    /// The configuration of each node.
    ///
    /// # Panics
    /// When a setting is not accepted, which is a fault of this crate.
    pub fn configs(&self, plan: &Plan) -> Vec<BrokerConfig> {
        (1..=plan.nodes)
            .map(|node| self.config(plan, node))
            .collect()
    }

    fn config(&self, plan: &Plan, node: usize) -> BrokerConfig {
        let replicas = plan.nodes.min(3).to_string();
        let in_sync = plan.nodes.div_ceil(2).min(2).to_string();
        let segment = self.segment_bytes.to_string();
        let node_id = node.to_string();
        let own = OWN_PARTITIONS.to_string();
        let mut settings = vec![
            ("node.id", node_id.as_str()),
            ("auto.create.topics.enable", "false"),
            ("offsets.topic.num.partitions", &own),
            ("offsets.topic.replication.factor", &replicas),
            ("offsets.topic.segment.bytes", "16384"),
            ("transaction.state.log.num.partitions", &own),
            ("transaction.state.log.replication.factor", &replicas),
            ("transaction.state.log.min.isr", &in_sync),
            ("transaction.state.log.segment.bytes", "16384"),
            ("min.insync.replicas", &in_sync),
            ("log.segment.bytes", &segment),
            ("log.index.interval.bytes", "256"),
            ("log.segment.delete.delay.ms", "2000"),
            ("log.flush.offset.checkpoint.interval.ms", "4000"),
            ("log.retention.check.interval.ms", "10000"),
            ("log.cleaner.backoff.ms", "2000"),
            ("log.cleaner.min.cleanable.ratio", "0.1"),
            ("log.cleaner.dedupe.buffer.size", "65536"),
            ("log.cleaner.delete.retention.ms", "10000"),
            ("group.initial.rebalance.delay.ms", "500"),
            ("group.min.session.timeout.ms", "1000"),
            ("group.consumer.session.timeout.ms", "6000"),
            ("group.consumer.heartbeat.interval.ms", "1000"),
        ];
        let voter = |node| format!("{node}@node{node}:9092");
        let voters = (1..=plan.nodes).map(voter).collect::<Vec<_>>().join(",");
        if plan.nodes > 1 {
            settings.extend([
                ("controller.quorum.voters", voters.as_str()),
                ("controller.quorum.fetch.timeout.ms", "1000"),
                ("broker.heartbeat.interval.ms", "500"),
                ("broker.session.timeout.ms", "3000"),
                ("replica.lag.time.max.ms", "4000"),
                ("replica.fetch.backoff.ms", "200"),
            ]);
        }
        if self.syncs_each {
            settings.push(("log.flush.interval.messages", "1"));
        }
        let owned = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let (mut config, _warnings) =
            BrokerConfig::from_properties(owned).expect("the world's settings are accepted");
        config.log_dirs = vec![PathBuf::from("/data")];
        config.advertised = vec![Endpoint {
            listener: "PLAINTEXT".into(),
            host: format!("node{node}"),
            port: 9092,
            protocol: SecurityProtocol::Plaintext,
        }];
        config
    }

    /// The topics that workloads need.
    pub fn topics(&self, plan: &Plan) -> Vec<Wanted> {
        let of = |name: &str, settings: Vec<(&'static str, String)>| Wanted {
            name: name.to_owned(),
            partitions: self.partitions,
            replicas: i16::try_from(plan.nodes.min(3)).unwrap_or(1),
            settings,
        };
        let compact = vec![("cleanup.policy", "compact".to_owned())];
        let loose = vec![("min.insync.replicas", "1".to_owned())];
        vec![
            of(plain::KEPT, vec![]),
            of(plain::LOOSE, loose),
            of(once::TOPIC, vec![]),
            of(transactional::INPUT, vec![]),
            of(transactional::OUTPUT, vec![]),
            of(compacting::TOPIC, compact),
        ]
    }
}
