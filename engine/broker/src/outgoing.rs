//! Requests to other nodes, as values.
//!
//! The broker never opens a connection. It leaves requests here; whoever
//! drives it takes them with [`Broker::take_outgoing`], sends each over a
//! connection to its peer, one for each [`Lane`], and tells the outcome with
//! [`Broker::peer_answered`]: the response's bytes, or why there are none, at the
//! latest at the request's deadline. Requests of one peer and lane leave in the
//! order in which they were taken, and several may be under way.

use crate::broker::Broker;
use crate::outcome::Wake;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::Encodable;
use parking_lot::Mutex;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::frame;
use plimsoll_wire::header::{self, RequestHeader};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::NodeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What nodes call themselves to each other.
const CLIENT_ID: &str = "plimsoll-node";

/// The most requests that may be under way; more are dropped as unreachable.
const UNDER_WAY_MAX: usize = 10_000;

/// Where another node is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    /// The node.
    pub node: NodeId,
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Which of a peer's connections a request takes, so that none waits for
/// another's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// The metadata quorum and heartbeats: small and urgent.
    Quorum,
    /// Questions for the metadata log of nodes without a vote, which wait at the
    /// peer.
    Metadata,
    /// Fetches of followers, which wait at the peer.
    Fetch,
    /// Everything else.
    Other,
}

/// Names a request until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A request to another node.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To whom.
    pub to: Arc<Peer>,
    /// By which connection.
    pub lane: Lane,
    /// To be named with the answer.
    pub ticket: Ticket,
    /// The request, its 4-byte length included.
    pub frame: Bytes,
    /// When it is to be given up at the latest.
    pub deadline: Instant,
}

/// Why a request to another node has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerFault {
    /// No connection could be made, for this reason.
    Unreachable(String),
    /// The connection ended before the answer.
    Closed,
    /// The deadline came first.
    TimedOut,
}

impl fmt::Display for PeerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "cannot be reached: {why}"),
            Self::Closed => f.write_str("closed the connection"),
            Self::TimedOut => f.write_str("did not answer in time"),
        }
    }
}

/// What is done with an answer: the response's body, or why there is none.
pub(crate) type Then = Box<dyn FnOnce(&Broker, Now, Result<Bytes, PeerFault>) + Send>;

/// A request that waits for its answer.
struct UnderWay {
    /// Whether the response's header has tagged fields.
    tagged: bool,
    then: Then,
}

/// Where a request goes, and how long it may take.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub(crate) to: Arc<Peer>,
    pub(crate) lane: Lane,
    pub(crate) deadline: Instant,
}

/// The requests that wait to be taken, and those that wait for answers.
#[derive(Default)]
pub(crate) struct Outbox {
    ready: Mutex<Vec<Outgoing>>,
    under_way: Mutex<HashMap<Ticket, UnderWay>>,
    next: AtomicU64,
    /// The driver has been told since it last took.
    told: AtomicBool,
    wake: Mutex<Option<Arc<dyn Wake>>>,
}

impl Outbox {
    /// Leaves a request of the message library's. Answers false when too many
    /// are under way: then `then` never hears of it.
    ///
    /// # Panics
    /// When the message has fields that the version cannot carry.
    pub(crate) fn ask<Q: Encodable>(
        &self,
        errand: Errand,
        (api, version): (ApiKey, i16),
        query: &Q,
        then: Then,
    ) -> bool {
        let mut body = BytesMut::new();
        query
            .encode(&mut body, version)
            .expect("a request fills only what its version carries");
        self.ask_bytes(errand, (api, version), &body, then)
    }

    /// Leaves a request whose body is encoded.
    pub(crate) fn ask_bytes(
        &self,
        errand: Errand,
        (api, version): (ApiKey, i16),
        body: &[u8],
        then: Then,
    ) -> bool {
        let tagged = api.spec().response_header_version(version) >= 1;
        self.send(errand, tagged, then, |correlation_id| {
            let mut out = BytesMut::with_capacity(64 + body.len());
            let start = frame::begin(&mut out);
            let header = RequestHeader {
                spec: api.spec(),
                version,
                correlation_id,
                client_id: Some(CLIENT_ID),
            };
            header.encode(&mut out);
            out.extend_from_slice(body);
            frame::finish(&mut out, start, 0);
            out.freeze()
        })
    }

    /// Leaves a request that `make` builds around its correlation id. `tagged`
    /// says whether the response's header has tagged fields.
    pub(crate) fn send(
        &self,
        errand: Errand,
        tagged: bool,
        then: Then,
        make: impl FnOnce(i32) -> Bytes,
    ) -> bool {
        let ticket = Ticket(self.next.fetch_add(1, Ordering::Relaxed));
        let frame = make(correlation_id(ticket));
        {
            let mut under_way = self.under_way.lock();
            if under_way.len() >= UNDER_WAY_MAX {
                tracing::warn!(peer = %errand.to.node, "too many requests to other nodes wait");
                return false;
            }
            under_way.insert(ticket, UnderWay { tagged, then });
        }
        self.ready.lock().push(Outgoing {
            to: errand.to,
            lane: errand.lane,
            ticket,
            frame,
            deadline: errand.deadline,
        });
        self.tell();
        true
    }

    fn tell(&self) {
        if !self.told.swap(true, Ordering::AcqRel)
            && let Some(wake) = &*self.wake.lock()
        {
            wake.wake();
        }
    }
}

/// The correlation id of a request.
const fn correlation_id(ticket: Ticket) -> i32 {
    (ticket.0 & 0x7fff_ffff) as i32
}

/// What nodes call themselves in requests that are built elsewhere.
pub(crate) const fn client_id() -> &'static str {
    CLIENT_ID
}

impl Broker {
    /// Takes the requests that are to be sent to other nodes, oldest first.
    pub fn take_outgoing(&self) -> Vec<Outgoing> {
        self.outbox.told.store(false, Ordering::Release);
        std::mem::take(&mut *self.outbox.ready.lock())
    }

    /// `wake` is told whenever there is something to take.
    pub fn notify_outgoing(&self, wake: Arc<dyn Wake>) {
        *self.outbox.wake.lock() = Some(wake);
        if !self.outbox.ready.lock().is_empty() {
            self.outbox.tell();
        }
    }

    /// Tells what became of a request: the response without its 4-byte length,
    /// or why there is none. A ticket that is not waited for is ignored.
    pub fn peer_answered(&self, now: Now, ticket: Ticket, outcome: Result<Bytes, PeerFault>) {
        let Some(request) = self.outbox.under_way.lock().remove(&ticket) else {
            return;
        };
        let body = outcome.and_then(|response| {
            match header::decode_any_response(request.tagged, &response) {
                Ok((correlation, at)) if correlation == correlation_id(ticket) => {
                    Ok(response.slice(at..))
                }
                _ => Err(PeerFault::Closed),
            }
        });
        (request.then)(self, now, body);
    }
}
