//! What a broker is started with.

use super::error::ConfigError;
use super::layers::{Layers, Properties};
use super::property::elements;
use super::registry::check_broker_start;
use crate::authorizer::{ANONYMOUS, Authorizer};
use crate::broker::{draw_id, seeded};
use crate::listener::{Listener, SecurityProtocol};
use crate::outgoing::Peer;
use crate::recovery::{InOrder, Workers};
use plimsoll_wire::types::NodeId;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// An address that clients are told to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name, as in Kafka's `listeners`.
    pub listener: String,
    /// The host name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the listener protects connections.
    pub protocol: SecurityProtocol,
}

/// What a broker is started with: checked properties, and the addresses that
/// were bound.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// This node.
    pub node: NodeId,
    /// The cluster's id for an empty data directory; one is drawn when absent.
    /// A directory that has an id keeps it.
    pub cluster_id: Option<String>,
    /// Where partitions are kept, in order of preference.
    pub log_dirs: Vec<PathBuf>,
    /// Where clients reach this node.
    pub advertised: Vec<Endpoint>,
    /// The listeners, by the number that a connection is handed in with.
    pub listeners: Vec<Arc<Listener>>,
    /// The controllers, which vote on the metadata; none when this node is alone.
    pub voters: Vec<Arc<Peer>>,
    /// The parts this node plays.
    pub roles: Roles,
    /// Who may do what; without it everyone may do everything.
    pub(crate) authorizer: Option<Arc<Authorizer>>,
    /// Seeds what is drawn at random: topic ids, member ids, session ids.
    pub seed: u64,
    /// Who opens logs at the start; one after the other when nobody says it.
    pub workers: Arc<dyn Workers>,
    properties: Arc<Properties>,
}

impl BrokerConfig {
    /// Takes settings by Kafka's names. Also answers with warnings about
    /// settings that have no effect.
    ///
    /// # Errors
    /// When a property is unknown, or its value is not accepted.
    pub fn from_properties(
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let mut properties = Properties::new();
        let mut warnings = Vec::new();
        for (name, value) in settings {
            warnings.extend(check_broker_start(&name, &value)?);
            properties.insert(name, value);
        }
        let node = node_id(&properties)?;
        let start = Arc::new(properties);
        let layers = Layers {
            start: Arc::clone(&start),
            ..Layers::default()
        };
        contradictions(&layers)?;
        let dirs = layers
            .broker("log.dirs")
            .or_else(|| layers.broker("log.dir"))
            .unwrap_or("");
        let roles = roles(&layers);
        let voters = voters(&layers)?;
        let votes = voters.iter().any(|peer| peer.node == node);
        if voters.is_empty() && !(roles.broker && roles.controller) {
            return Err(ConfigError::Contradiction {
                name: "process.roles".into(),
                value: layers.broker("process.roles").unwrap_or_default().into(),
                other: "controller.quorum.voters, which is not set".into(),
                reason: "a node of one role is part of a cluster: name its controllers there",
            });
        }
        let fits = voters.is_empty() || roles.controller == votes;
        if !fits {
            return Err(ConfigError::Contradiction {
                name: "process.roles".into(),
                value: layers.broker("process.roles").unwrap_or_default().into(),
                other: format!(
                    "node.id={node} and controller.quorum.voters={}",
                    layers
                        .broker("controller.quorum.voters")
                        .unwrap_or_default()
                ),
                reason: "a controller is one of the voters, and only a controller is",
            });
        }
        let config = Self {
            node,
            authorizer: Authorizer::of(&layers)?.map(Arc::new),
            cluster_id: layers.broker("cluster.id").map(str::to_owned),
            voters,
            roles,
            log_dirs: elements(dirs).map(PathBuf::from).collect(),
            advertised: Vec::new(),
            listeners: Vec::new(),
            seed: 0,
            workers: Arc::new(InOrder),
            properties: start,
        };
        Ok((config, warnings))
    }

    /// The id of a new cluster of these voters: all of them come to the same.
    pub(crate) fn common_cluster_id(&self) -> Option<Uuid> {
        if self.voters.is_empty() {
            return None;
        }
        let mut sum = 0xcbf2_9ce4_8422_2325_u64;
        for peer in &self.voters {
            for byte in format!("{}@{}:{},", peer.node, peer.host, peer.port).bytes() {
                sum = (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        Some(draw_id(&mut seeded(sum)))
    }

    /// Whether the nodes of a cluster are let in: they speak to each other without
    /// saying who they are.
    pub(crate) fn check_peers(&self) -> Result<(), ConfigError> {
        let shuts_out = |rules: &Arc<Authorizer>| !rules.is_super(ANONYMOUS);
        let has_peers = self.voters.iter().any(|peer| peer.node != self.node);
        if !(has_peers && self.authorizer.as_ref().is_some_and(shuts_out)) {
            return Ok(());
        }
        let super_users = self.properties.get("super.users");
        Err(ConfigError::Contradiction {
            name: "super.users".into(),
            value: super_users.map_or("nobody", String::as_str).into(),
            other: "authorizer.class.name in a cluster".into(),
            reason: "nodes speak to each other as User:ANONYMOUS, which must be a super user; \
                     keep their listener away from clients",
        })
    }

    /// The settings given at start.
    pub const fn properties(&self) -> &Arc<Properties> {
        &self.properties
    }

    /// The settings given at start, as layers without any set at run time.
    pub fn layers(&self) -> Layers {
        Layers {
            start: Arc::clone(&self.properties),
            ..Layers::default()
        }
    }
}

/// The parts a node plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// It holds partitions.
    pub broker: bool,
    /// It votes on the metadata.
    pub controller: bool,
}

fn roles(layers: &Layers) -> Roles {
    let text = layers.broker("process.roles").unwrap_or_default();
    let plays = |role: &str| elements(text).any(|element| element == role);
    Roles {
        broker: plays("broker"),
        controller: plays("controller"),
    }
}

/// How many controllers may vote.
const VOTERS: [usize; 4] = [0, 1, 3, 5];

/// `controller.quorum.voters`, by node.
fn voters(layers: &Layers) -> Result<Vec<Arc<Peer>>, ConfigError> {
    const NAME: &str = "controller.quorum.voters";
    let text = layers.broker(NAME).unwrap_or_default();
    let refused = |value: &str, accepted: &str| ConfigError::OutOfRange {
        name: NAME.into(),
        value: value.into(),
        accepted: accepted.into(),
    };
    let mut voters = Vec::new();
    for element in elements(text) {
        let read = || {
            let (node, address) = element.split_once('@')?;
            let (host, port) = address.rsplit_once(':')?;
            let host = host.trim_matches(['[', ']']);
            Some(Peer {
                node: NodeId(node.parse().ok().filter(|node: &i32| *node >= 0)?),
                host: (!host.is_empty()).then(|| host.to_owned())?,
                port: port.parse().ok().filter(|port| *port > 0)?,
            })
        };
        let peer = read().ok_or_else(|| refused(element, "ID@HOST:PORT, as 1@localhost:9093"))?;
        voters.push(Arc::new(peer));
    }
    voters.sort_by_key(|peer| peer.node);
    if voters
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a.node == b.node))
    {
        return Err(refused(text, "each node once"));
    }
    if !VOTERS.contains(&voters.len()) {
        return Err(refused(text, "1, 3 or 5 voters"));
    }
    Ok(voters)
}

/// `node.id`, or its older name `broker.id`.
fn node_id(properties: &Properties) -> Result<NodeId, ConfigError> {
    let number = |name: &str| {
        properties
            .get(name)
            .and_then(|value| value.trim().parse::<i32>().ok())
    };
    match (number("node.id"), number("broker.id").filter(|id| *id >= 0)) {
        (Some(node), Some(broker)) if node != broker => Err(ConfigError::Contradiction {
            name: "broker.id".into(),
            value: broker.to_string(),
            other: format!("node.id={node}"),
            reason: "both name this node",
        }),
        (Some(id), _) | (None, Some(id)) => Ok(NodeId(id)),
        (None, None) => Ok(NodeId(1)),
    }
}

/// Pairs of settings where one bounds the other.
fn contradictions(layers: &Layers) -> Result<(), ConfigError> {
    let ordered = [
        (
            "group.min.session.timeout.ms",
            "group.max.session.timeout.ms",
        ),
        (
            "group.consumer.min.session.timeout.ms",
            "group.consumer.max.session.timeout.ms",
        ),
        (
            "group.consumer.min.heartbeat.interval.ms",
            "group.consumer.max.heartbeat.interval.ms",
        ),
    ];
    for (lower, upper) in ordered {
        if let (Some(low), Some(high)) = (layers.number(lower), layers.number(upper))
            && low > high
        {
            return Err(ConfigError::Contradiction {
                name: lower.into(),
                value: low.to_string(),
                other: format!("{upper}={high}"),
                reason: "the smallest may not exceed the largest",
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Result<(BrokerConfig, Vec<String>), ConfigError> {
        let owned = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        BrokerConfig::from_properties(owned)
    }

    #[test]
    fn the_node_and_its_directories_come_from_the_properties() {
        let check = |settings: &[(&str, &str)], node: i32, dirs: &[&str]| {
            let (config, warnings) = config(settings).expect("the settings are accepted");
            assert_eq!(config.node, NodeId(node));
            assert_eq!(
                config.log_dirs,
                dirs.iter().map(PathBuf::from).collect::<Vec<_>>()
            );
            assert!(warnings.is_empty(), "{warnings:?}");
        };
        check(&[], 1, &["/tmp/kafka-logs"]);
        check(&[("broker.id", "4"), ("log.dir", "/d")], 4, &["/d"]);
        check(
            &[("node.id", "5"), ("log.dirs", "/a, /b"), ("log.dir", "/d")],
            5,
            &["/a", "/b"],
        );
    }

    #[test]
    fn settings_that_exclude_each_other_are_refused() {
        let check = |settings: &[(&str, &str)], expected: &str| {
            assert_eq!(config(settings).expect_err("refused").to_string(), expected);
        };
        check(
            &[("node.id", "5"), ("broker.id", "4")],
            "broker.id: 4 contradicts node.id=5: both name this node",
        );
        check(
            &[("group.max.session.timeout.ms", "5")],
            "group.min.session.timeout.ms: 6000 contradicts group.max.session.timeout.ms=5: \
             the smallest may not exceed the largest",
        );
    }
}
