//! What the broker remembers of a connection.

use std::net::{IpAddr, SocketAddr};

/// A client's connection. The server keeps one for each socket and hands it to
/// every request that arrives there.
#[derive(Debug)]
pub struct Connection {
    peer: Option<SocketAddr>,
    /// The client's software as ApiVersions named it.
    pub(crate) software: Option<Software>,
}

/// The software of a client: KIP-511.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Software {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Connection {
    /// A connection from `peer`; none when the caller is no socket.
    pub const fn new(peer: Option<SocketAddr>) -> Self {
        Self {
            peer,
            software: None,
        }
    }

    /// The peer's address, as Kafka shows it in group descriptions.
    pub fn host(&self) -> String {
        self.peer
            .map_or_else(String::new, |peer| format!("/{}", peer.ip()))
    }

    /// The peer's address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }

    /// The name and version of the client's software, once it has said so.
    pub fn software(&self) -> Option<(&str, &str)> {
        self.software
            .as_ref()
            .map(|s| (s.name.as_str(), s.version.as_str()))
    }
}
