//! What a server serves: the broker, seen from a socket.
//!
//! The connection loop knows only this trait, so it is tested against a
//! service that parks, closes and answers on command, and it never learns what
//! a request means.

use bytes::BytesMut;
pub use plimsoll_broker::{Part, Response, Wake};
use plimsoll_wire::time::{Instant, Now};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What came of a request.
pub enum Outcome<P> {
    /// The answer.
    Ready(Response),
    /// The answer, after which the connection must close, for this reason.
    Last(Response, Box<dyn fmt::Display + Send>),
    /// There is no answer to this request (acks=0).
    NoReply,
    /// The connection must close, for this reason.
    Close(Box<dyn fmt::Display + Send>),
    /// The answer comes later.
    Parked(P),
}

/// Answers requests.
pub trait Service: Send + Sync + 'static {
    /// What is remembered of a connection.
    type Session: Send;
    /// A request whose answer comes later.
    type Parked: Send;

    /// A connection was made, by the entrance of this number.
    fn connect(&self, peer: SocketAddr, entrance: usize) -> Self::Session;

    /// The longest frame that this peer may send, when that is less than the
    /// limit of all.
    fn frame_bytes_max(&self, _session: &Self::Session) -> Option<usize> {
        None
    }

    /// Until when this peer is not listened to; what was answered leaves
    /// nonetheless. A moment that has passed is none.
    fn muted_until(&self, _session: &Self::Session) -> Instant {
        Instant(Duration::ZERO)
    }

    /// One request. `wake` is told when a parked request may be polled again.
    fn handle(
        &self,
        now: Now,
        session: &mut Self::Session,
        frame: BytesMut,
        wake: &Arc<dyn Wake>,
    ) -> Outcome<Self::Parked>;

    /// The answer of a parked request, if it has one by now. At its deadline
    /// there must be one.
    fn poll(&self, now: Now, parked: &mut Self::Parked) -> Option<Response>;

    /// The answer to a request of the API with this number, the first two bytes
    /// of its frame, goes to the socket after so long.
    fn answered(&self, _api: i16, _took: Duration) {}

    /// A file of an answer could not be read while it was sent.
    fn file_failed(&self, _path: &Path, _error: io::Error) {}

    /// When a parked request is answered at the latest.
    fn deadline(parked: &Self::Parked) -> Instant;
}
