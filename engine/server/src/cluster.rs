//! Several nodes in one process, for trying things out: each with its own
//! ports and its own directory, all of them brokers and controllers.

use crate::error::ServerError;
use crate::metrics::Source;
use crate::server::Server;
use crate::settings::Settings;
use plimsoll_broker::Peer;
use plimsoll_wire::types::NodeId;
use std::sync::Arc;

/// How many nodes may vote.
const SIZES: [u16; 3] = [1, 3, 5];

/// Nodes that serve together.
pub struct Cluster {
    servers: Vec<Server>,
}

impl Cluster {
    /// Starts `nodes` nodes, numbered from 1. A port that is given is the first
    /// node's and the next ones follow it; each node keeps its data in a
    /// directory `node-N` within the one that is given.
    ///
    /// # Errors
    /// When the count is not one that can vote, or a node cannot start.
    pub fn start(settings: &Settings, nodes: u16) -> Result<Self, ServerError> {
        if !SIZES.contains(&nodes) {
            return Err(ServerError::Cluster(format!(
                "--nodes {nodes}: a quorum needs an odd number; accepted: 1, 3 or 5"
            )));
        }
        if !settings.broker.voters.is_empty() {
            return Err(ServerError::Cluster(format!(
                "--nodes {nodes}: the settings name controller.quorum.voters; give one or the other"
            )));
        }
        let bound = (1..=nodes).map(|node| Server::bind(of_node(settings, node)));
        let mut bound = bound.collect::<Result<Vec<_>, _>>()?;
        let voters: Vec<Arc<Peer>> = bound
            .iter()
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

    /// `HOST:PORT` of each node, with commas between.
    pub fn addresses(&self) -> String {
        let addresses: Vec<&str> = self.servers.iter().map(Server::address).collect();
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
