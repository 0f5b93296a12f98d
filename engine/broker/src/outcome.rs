//! What becomes of a request.

use crate::parked::Parked;
use bytes::Bytes;
use plimsoll_log::FileRange;
use std::fmt;

/// Told when a parked request may have become answerable.
///
/// It is called with a partition's lock held: it must only leave a note for
/// whoever polls, and never call the broker.
pub trait Wake: Send + Sync {
    /// A parked request of this connection is worth polling.
    fn wake(&self);
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// The response, to be sent after those of earlier requests.
    Ready(Response),
    /// The response, after which the connection must be closed.
    Last(Response, CloseReason),
    /// There is no response: a produce request with acks=0 that succeeded.
    NoReply,
    /// The connection must be closed: the peer's bytes are not a request, or
    /// a produce request with acks=0 failed.
    Close(CloseReason),
    /// The response comes later.
    Parked(Parked),
}

/// A response, its 4-byte length included.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Its pieces, in order.
    pub parts: Vec<Part>,
    /// The error codes in it that are not counted yet; 0 is not among them.
    pub(crate) failures: Vec<i16>,
}

/// A piece of a response.
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file, to go from the file to the socket.
    File(FileRange),
}

/// Why a connection must be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason(pub String);

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Response {
    /// A response of one piece.
    pub fn whole(bytes: Bytes) -> Self {
        Self::of(vec![Part::Bytes(bytes)])
    }

    /// A response of these pieces.
    pub const fn of(parts: Vec<Part>) -> Self {
        Self {
            parts,
            failures: Vec::new(),
        }
    }
}
