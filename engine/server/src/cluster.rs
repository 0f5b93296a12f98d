//! Several nodes in one process, for trying things out: each with its own
//! ports and its own directory. All of them are brokers and controllers, or
//! there are controllers besides and the brokers do not vote.

use crate::error::ServerError;
use crate::metrics::Source;
use crate::server::Server;
use crate::settings::Settings;
use plimsoll_broker::{Peer, Roles};
use plimsoll_wire::types::NodeId;
use std::sync::Arc;

/// How many nodes may vote.
const SIZES: [u16; 3] = [1, 3, 5];
/// The most brokers in one process.
const BROKERS_MAX: u16 = 32;

/// How many nodes there are of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// Brokers; they vote when there are no controllers besides.
    pub brokers: u16,
    /// Nodes that only vote.
    pub controllers: u16,
}

impl Nodes {
    fn check(self) -> Result<(), ServerError> {
        let Self {
            brokers,
            controllers,
        } = self;
        let wrong = match controllers {
            0 if !SIZES.contains(&brokers) => {
                format!("--nodes {brokers}: a quorum needs an odd number; accepted: 1, 3 or 5")
            }
            1.. if !SIZES.contains(&controllers) => format!(
                "--controllers {controllers}: a quorum needs an odd number; accepted: 1, 3 or 5"
            ),
            1.. if brokers == 0 || brokers > BROKERS_MAX => {
                format!("--nodes {brokers}: accepted beside --controllers: 1 to {BROKERS_MAX}")
            }
            _ => return Ok(()),
        };
        Err(ServerError::Cluster(wrong))
    }

    /// The parts that a node plays; brokers are numbered before controllers.
    const fn roles(self, node: u16) -> Roles {
        Roles {
            broker: node <= self.brokers,
            controller: self.controllers == 0 || node > self.brokers,
        }
    }
}

/// Nodes that serve together.
pub struct Cluster {
    servers: Vec<Server>,
    brokers: usize,
}

impl Cluster {
    /// Starts nodes, numbered from 1, the brokers first. A port that is given is
    /// the first node's and the next ones follow it; each node keeps its data in
    /// a directory `node-N` within the one that is given.
    ///
    /// # Errors
    /// When the count is not one that can vote, or a node cannot start.
    pub fn start(settings: &Settings, nodes: Nodes) -> Result<Self, ServerError> {
        nodes.check()?;
        let count = nodes.brokers + nodes.controllers;
        if !settings.broker.voters.is_empty() {
            return Err(ServerError::Cluster(format!(
                "--nodes {count}: the settings name controller.quorum.voters; give one or the other"
            )));
        }
        let bound = (1..=count).map(|node| {
            let mut settings = of_node(settings, node);
            settings.broker.roles = nodes.roles(node);
            Server::bind(settings)
        });
        let mut bound = bound.collect::<Result<Vec<_>, _>>()?;
        let voters: Vec<Arc<Peer>> = bound
            .iter()
            .filter(|one| one.broker.roles.controller)
            .filter_map(|one| {
                let told = one.broker.advertised.first()?;
                Some(Arc::new(Peer {
                    node: one.broker.node,
                    host: told.host.clone(),
                    port: told.port,
                }))
            })
            .collect();
        for one in &mut bound {
            one.broker.voters.clone_from(&voters);
        }
        let servers = bound.into_iter().map(Server::serve);
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
            brokers: nodes.brokers.into(),
        })
    }

    /// Whether all nodes have been let in.
    pub fn is_ready(&self) -> bool {
        self.servers.iter().all(Server::is_ready)
    }

    /// What the first node that has not been let in waits for.
    pub fn waits_for(&self) -> Option<String> {
        self.servers.iter().find_map(Server::waits_for)
    }

    /// `HOST:PORT` of each broker, with commas between.
    pub fn addresses(&self) -> String {
        let brokers = self.servers.iter().take(self.brokers);
        let addresses: Vec<&str> = brokers.map(Server::address).collect();
        addresses.join(",")
    }

    /// What each node counts.
    pub fn metrics(&self) -> Vec<(String, Source)> {
        self.servers.iter().map(Server::metrics).collect()
    }

    /// Cuts a node off from all others, or lets it back.
    pub fn isolate(&self, node: NodeId, cut: bool) {
        for (number, server) in (1..).zip(&self.servers) {
            if NodeId(number) == node {
                for other in (1..).take(self.servers.len()).map(NodeId) {
                    if other != node {
                        server.cut(other, cut);
                    }
                }
            } else {
                server.cut(node, cut);
            }
        }
    }

    /// Stops all nodes cleanly.
    ///
    /// # Errors
    /// When a disk refuses; that node recovers at the next start.
    pub fn shutdown(self) -> Result<(), ServerError> {
        let mut outcome = Ok(());
        for server in self.servers {
            outcome = outcome.and(server.shutdown_at_once());
        }
        outcome
    }
}

fn of_node(settings: &Settings, node: u16) -> Settings {
    let mut settings = settings.clone();
    settings.broker.node = NodeId(node.into());
    for dir in &mut settings.broker.log_dirs {
        dir.push(format!("node-{node}"));
    }
    for one in &mut settings.listeners {
        if one.listen.port != 0 {
            one.listen.port = one.listen.port.saturating_add(node - 1);
        }
    }
    settings
}
