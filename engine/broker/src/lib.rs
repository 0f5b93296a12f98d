//! One broker node: request handlers over logs, coordinators and the metadata
//! image.
//!
//! [`Broker`] takes a request's bytes and the time, and answers with a
//! response, or with a [`Parked`] request to be polled later. It knows no
//! sockets, threads or clocks: a server drives it, and so does a simulated
//! world.
//!
//! Invariants:
//! - Requests of one connection are handled in order; a partition's appends
//!   are ordered by its lock.
//! - Metadata changes in one place, `metadata`, and only after its record is
//!   committed by the quorum.
//! - No bytes of a peer make it panic, nor allocate more than the frame they
//!   came in.

pub mod config;

mod access;
mod acl_filter;
mod api;
mod apply;
mod authorizer;
mod auto_create;
mod broker;
mod catalog;
mod cleaner;
mod commits;
mod config_target;
mod connection;
mod controller;
mod convert;
mod dispatch;
mod error;
mod failures;
mod features;
mod fetch_sessions;
mod fetch_wait;
mod forward;
mod groups;
mod inspect;
mod leader_hints;
mod listener;
mod log_dirs;
mod log_scan;
mod membership;
mod metadata;
pub mod metrics;
mod newcomer;
mod news;
mod observing;
mod outcome;
mod outgoing;
mod own_log;
mod parked;
mod partition;
mod placement;
mod principal;
mod producer_ids;
mod pulse;
mod quorum;
mod quorum_log;
mod quotas;
mod recovery;
mod refusal;
mod replica;
mod replies;
mod request;
mod routes;
mod sasl;
mod scram_users;
mod startup;
mod storage;
mod timers;
mod topic_name;
mod topic_settings;
mod topics;
mod transactions;
mod unreplicated;
mod upkeep;

pub use broker::Broker;
pub use cleaner::CleanerClock;
pub use config::{BrokerConfig, ConfigError, Endpoint, Roles};
pub use connection::Connection;
pub use error::BrokerError;
pub use inspect::ReplicaView;
pub use listener::{Listener, SaslMechanism, SecurityProtocol};
pub use outcome::{CloseReason, Outcome, Part, Response, Wake};
pub use outgoing::{Lane, Outgoing, Peer, PeerFault, Ticket};
pub use parked::Parked;
pub use recovery::{InOrder, Job, Workers};
pub use scram_users::ScramUser;
