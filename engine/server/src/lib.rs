//! A broker as a process: sockets, threads, clock and configuration.
//!
//! This is the one crate of the engine that knows an operating system. It turns
//! bytes on sockets into frames for the broker and the broker's answers into
//! bytes, tells it the time, and starts and stops it. What a request means is
//! never known here.

#![warn(missing_docs)]

// What is shipped must have no way to plant a bug.
const _: () = assert!(
    !plimsoll_wire::mutation::CAN_MUTATE,
    "the feature `mutations` is for plimsoll-sim alone: build the server without it"
);

mod arrival;
mod budget;
mod clock;
mod cluster;
mod committer;
mod connection;
mod context;
mod error;
mod handicap;
mod housekeeper;
mod inbound;
pub mod jaas;
mod limits;
mod listeners;
mod metered_disk;
mod metrics;
mod net;
mod outbound;
mod peers;
mod pool;
pub mod properties;
mod scram_users;
mod server;
mod service;
mod settings;
mod sink;
mod stream;
mod threads;
mod timer;
mod tls;
mod wake;
mod worker;

pub use clock::Clock;
pub use cluster::{Cluster, Nodes as ClusterNodes};
pub use error::ServerError;
pub use limits::Limits;
pub use listeners::ListenerSettings;
pub use metrics::{MetricsEndpoint, Source};
pub use net::{Entrance, Net};
pub use server::{Rehearsal, Server};
pub use service::{Outcome, Part, Response, Service, Wake};
pub use settings::{DEFAULT_DATA, DEFAULT_LISTEN, Given, HostPort, Settings};
pub use tls::{ClientAuth, KeySettings, Pem, Tls};
