//! The bounds of a server, each with its property and Kafka's default.

use std::time::Duration;

/// What one server lets its clients take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest request frame (`socket.request.max.bytes`, 100 MiB).
    pub frame_bytes_max: usize,
    /// What frames beyond an ordinary read buffer may take in all connections
    /// together, plus one frame (`queued.max.request.bytes`, no bound).
    pub large_frames_bytes_max: Option<usize>,
    /// How long a connection may be silent (`connections.max.idle.ms`, 10 min).
    pub idle: Duration,
    /// Open connections in all (`max.connections`, no bound). A connection
    /// beyond it is closed at once.
    pub connections_max: usize,
    /// Open connections from one address (`max.connections.per.ip`, no bound).
    pub connections_per_ip_max: usize,
    /// Requests of one connection whose answers have not left; while there are
    /// that many its socket is not read. Kafka's own bound is one.
    pub pending_max: usize,
    /// Bytes of answers of one connection held in memory before its socket is
    /// read no further. Answers may exceed it by the last one.
    pub outbound_bytes_max: usize,
    /// How long answers may take to leave at shutdown.
    pub drain: Duration,
    /// Runtimes, each with one thread (`num.network.threads`; one per core).
    pub workers: usize,
    /// For tests: CPU time to burn on top of what requests take, in percent.
    pub test_only_slowdown: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 100 * 1024 * 1024,
            large_frames_bytes_max: None,
            idle: Duration::from_secs(600),
            connections_max: usize::MAX,
            connections_per_ip_max: usize::MAX,
            pending_max: 128,
            outbound_bytes_max: 1024 * 1024,
            drain: Duration::from_secs(2),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            test_only_slowdown: 0,
        }
    }
}
