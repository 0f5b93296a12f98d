//! What the broker remembers of a connection.

use crate::listener::Listener;
use crate::quotas::Mute;
use crate::sasl::Stage;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::time::Instant;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A client's connection. The server keeps one for each socket and hands it to
/// every request that arrives there.
#[derive(Debug)]
pub struct Connection {
    peer: Option<SocketAddr>,
    /// The listener it came in by.
    pub(crate) listener: Arc<Listener>,
    /// How far it has said who it is.
    pub(crate) stage: Stage,
    /// The client's software as ApiVersions named it.
    pub(crate) software: Option<Software>,
    /// Until when it is not listened to.
    pub(crate) mute: Arc<Mute>,
    /// Shared by all produce requests of this connection whose transactions are
    /// not verified yet.
    pub(crate) unverified: Arc<()>,
}

/// The software of a client: KIP-511.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Software {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Connection {
    /// A connection from `peer` to a listener in plain text; no peer when the
    /// caller is no socket.
    pub fn new(peer: Option<SocketAddr>) -> Self {
        Self::to(peer, Arc::default())
    }

    /// A connection from `peer` to `listener`.
    pub fn to(peer: Option<SocketAddr>, listener: Arc<Listener>) -> Self {
        Self {
            peer,
            stage: Stage::first(&listener),
            listener,
            software: None,
            mute: Arc::default(),
            unverified: Arc::default(),
        }
    }

    /// A client's connection to another node, which says who the client is.
    pub(crate) fn of_client(peer: Option<SocketAddr>, user: Option<Arc<str>>) -> Self {
        let mut connection = Self::new(peer);
        if let Some(user) = user {
            connection.stage = Stage::Known { user };
        }
        connection
    }

    /// A copy that outlives the request: the same client, as far as it has
    /// proved who it is.
    pub(crate) fn stand_in(&self) -> Self {
        let stage = match &self.stage {
            Stage::Known { user } => Stage::Known { user: user.clone() },
            _ => Stage::first(&self.listener),
        };
        Self {
            peer: self.peer,
            listener: Arc::clone(&self.listener),
            stage,
            software: self.software.clone(),
            mute: Arc::clone(&self.mute),
            unverified: Arc::default(),
        }
    }

    /// The longest request that is read, where the client's saying who it is
    /// decides it.
    pub fn request_bytes_max(&self) -> Option<usize> {
        (!self.stage.is_through()).then_some(self.listener.stranger_bytes_max)
    }

    /// Until when nothing may be read from it: its client did more than a quota
    /// allows. What was answered leaves nonetheless.
    pub fn muted_until(&self) -> Instant {
        self.mute.ends()
    }

    /// Who the client is: the user that it proved to be.
    pub fn user(&self) -> Option<&str> {
        match &self.stage {
            Stage::Known { user } => Some(user),
            _ => None,
        }
    }

    /// Whether the client may ask for this before it has said who it is.
    pub(crate) const fn may_ask(&self, api: ApiKey) -> bool {
        self.stage.is_through()
            || matches!(
                api,
                ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate
            )
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
