//! One request on its way through the broker, and how its response is framed.

use crate::access::Access;
use crate::broker::Broker;
use crate::connection::Connection;
use crate::failures::Failures;
use crate::groups::Asker;
use crate::outcome::{CloseReason, Outcome, Response, Wake};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use plimsoll_wire::time::Now;
use std::sync::Arc;

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// A request whose header was read and whose body was not.
pub(crate) struct Request<'a> {
    /// When it is handled.
    pub(crate) now: Now,
    /// Where it came from.
    pub(crate) connection: &'a mut Connection,
    /// What its response needs.
    pub(crate) envelope: Envelope,
    /// The client's name for itself.
    pub(crate) client_id: Option<&'a str>,
    /// The bytes of its frame.
    pub(crate) frame_bytes: usize,
    /// The body, which the guard has passed.
    pub(crate) body: BytesMut,
    /// Told when the request, once parked, may be answered.
    pub(crate) waker: &'a Arc<dyn Wake>,
}

/// What a response needs to know of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The version of request and response.
    pub(crate) version: i16,
    /// The client's number for the request.
    pub(crate) correlation_id: i32,
    /// Whether the response's header has tagged fields.
    pub(crate) tagged_header: bool,
}

impl Request<'_> {
    /// The version of the request.
    pub(crate) const fn version(&self) -> i16 {
        self.envelope.version
    }

    /// What the client may do.
    pub(crate) fn access(&self, broker: &Broker) -> Access {
        Access::of(broker, self.connection)
    }

    /// Who is to be told of an answer that comes later.
    pub(crate) const fn asker(&self) -> Asker<'_> {
        Asker {
            waker: self.waker,
            now: self.now,
        }
    }

    /// The body as a message of the library's.
    pub(crate) fn decode<Q: Decodable>(&mut self) -> Result<Q, CloseReason> {
        let mut body: Bytes = self.body.split().freeze();
        Q::decode(&mut body, self.version())
            .map_err(|error| CloseReason(format!("request body: {error:#}")))
    }

    /// Decodes the body, answers it at once and encodes the response.
    pub(crate) fn answer<Q: Decodable, R: Encodable + Failures>(
        mut self,
        answer: impl FnOnce(&mut Self, Q) -> R,
    ) -> Outcome {
        match self.decode::<Q>() {
            Ok(query) => {
                let response = answer(&mut self, query);
                Outcome::Ready(self.envelope.encode(&response))
            }
            Err(reason) => Outcome::Close(reason),
        }
    }
}

impl Envelope {
    /// The frame of a response.
    ///
    /// # Panics
    /// When a handler filled a field that the version cannot carry, which is a
    /// fault of this crate that its tests of every version would show.
    pub(crate) fn encode<R: Encodable + Failures>(&self, response: &R) -> Response {
        const OURS: &str = "a handler fills only what the response's version carries";
        let body = response.compute_size(self.version).expect(OURS);
        let mut out = self.start(body);
        response.encode(&mut out, self.version).expect(OURS);
        let mut whole = Response::whole(out.freeze());
        response.tell(&mut |code| {
            if code != 0 {
                whole.failures.push(code);
            }
        });
        whole
    }

    /// A frame of a response whose body will take `body_bytes`: its length and
    /// header are written.
    pub(crate) fn start(&self, body_bytes: usize) -> BytesMut {
        let header_bytes = 4 + usize::from(self.tagged_header);
        let mut out = BytesMut::with_capacity(LENGTH_BYTES + header_bytes + body_bytes);
        out.put_i32(i32::try_from(header_bytes + body_bytes).unwrap_or(i32::MAX));
        out.put_i32(self.correlation_id);
        if self.tagged_header {
            out.put_u8(0);
        }
        out
    }
}
