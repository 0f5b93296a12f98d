//! Requests that only the active controller can answer.
//!
//! The active controller handles such a request like any other and holds the
//! response back until everything it had appended by then is committed. Any
//! other node passes the request on in an envelope and relays the answer. When
//! the controller is lost on the way, or its term ends before it is known that
//! what it appended is committed, the request begins anew with the next,
//! until its time is up; then the node's own handler refuses it, in the form
//! of its API.

use crate::broker::Broker;
use crate::connection::Connection;
use crate::metadata::{Fate, Ground};
use crate::outcome::{CloseReason, Outcome, Part, Response, Wake};
use crate::outgoing::{Errand, Lane, Peer, PeerFault};
use crate::parked::{Parked, Waiting};
use crate::principal;
use crate::request::{Envelope, Request};
use crate::routes::{Place, Route};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{EnvelopeRequest, EnvelopeResponse};
use kafka_protocol::protocol::Decodable;
use parking_lot::Mutex;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::{Instant, Now};
use std::sync::Arc;
use std::time::Duration;

/// How soon a request looks for a controller again.
const RETRY: Duration = Duration::from_millis(50);

/// A whole request that goes to the active controller.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) route: &'static Route,
    pub(crate) envelope: Envelope,
    /// The frame, header included.
    pub(crate) frame: Bytes,
    /// Where its body begins.
    pub(crate) body_at: usize,
    /// Whether this node may pass it on.
    pub(crate) may_forward: bool,
}

/// What came of an attempt.
enum Attempt {
    Answered(Outcome),
    /// The response, and what must be committed before it leaves.
    Committing(Response, Ground),
    /// Another node was asked.
    Asked(Arc<Slot>),
    /// There is no controller to ask.
    Nobody,
}

/// Where a controller's answer is put.
struct Slot {
    answer: Mutex<Option<Result<Bytes, ()>>>,
    waker: Arc<dyn Wake>,
}

impl Broker {
    /// Answers a request that the active controller must answer.
    pub(crate) fn call_controller(
        &self,
        now: Now,
        connection: &mut Connection,
        call: Call,
        waker: &Arc<dyn Wake>,
    ) -> Outcome {
        let state = match self.attempt(now, connection, &call, waker) {
            Attempt::Answered(outcome) => return outcome,
            other => other,
        };
        let deadline = now.mono.after(self.limits().cluster.request_timeout);
        let retry = Instant(Duration::ZERO);
        let mut parked = ParkedCall {
            call,
            connection: connection.stand_in(),
            waker: Arc::clone(waker),
            state,
            retry,
            deadline,
        };
        if let Some(response) = parked.look(self, now) {
            return Outcome::Ready(response);
        }
        let until = parked.next_look(now);
        Outcome::Parked(Parked::new(until, parked))
    }

    fn attempt(
        &self,
        now: Now,
        connection: &mut Connection,
        call: &Call,
        waker: &Arc<dyn Wake>,
    ) -> Attempt {
        let standing = self.metadata.standing();
        if standing.active {
            return match self.run(now, connection, call, waker) {
                Outcome::Ready(response) => {
                    Attempt::Committing(response, self.metadata.ground(standing.term))
                }
                outcome => Attempt::Answered(outcome),
            };
        }
        if call.route.at == Place::ControllerOnly || !call.may_forward {
            return Attempt::Answered(self.run(now, connection, call, waker));
        }
        match self.active_controller() {
            Some(peer) => Attempt::Asked(self.pass_on(peer, connection, call, now, waker)),
            None => {
                self.metadata.wait(waker);
                Attempt::Nobody
            }
        }
    }

    /// Handles the request here.
    pub(crate) fn run(
        &self,
        now: Now,
        connection: &mut Connection,
        call: &Call,
        waker: &Arc<dyn Wake>,
    ) -> Outcome {
        let body = call.frame.get(call.body_at..).unwrap_or_default();
        let request = Request {
            now,
            connection,
            envelope: call.envelope,
            client_id: None,
            frame_bytes: call.frame.len(),
            body: BytesMut::from(body),
            waker,
        };
        (call.route.handle)(self, request)
    }

    fn pass_on(
        &self,
        to: Arc<Peer>,
        connection: &Connection,
        call: &Call,
        now: Now,
        waker: &Arc<dyn Wake>,
    ) -> Arc<Slot> {
        let slot = Arc::new(Slot {
            answer: Mutex::new(None),
            waker: Arc::clone(waker),
        });
        let query = EnvelopeRequest::default()
            .with_request_data(call.frame.clone())
            .with_request_principal(Some(principal::encode(connection.user())))
            .with_client_host_address(address(connection));
        let errand = Errand {
            to,
            lane: Lane::Other,
            deadline: now.mono.after(self.limits().cluster.request_timeout),
        };
        let told = Arc::clone(&slot);
        let then = move |_: &Self, _, answer: Result<Bytes, PeerFault>| {
            let answer = answer.map_err(drop).and_then(|mut body| {
                let response = EnvelopeResponse::decode(&mut body, 0).map_err(drop)?;
                match (response.error_code, response.response_data) {
                    (0, Some(data)) => Ok(data),
                    _ => Err(()),
                }
            });
            *told.answer.lock() = Some(answer);
            told.waker.wake();
        };
        self.outbox
            .ask(errand, (ApiKey::Envelope, 0), &query, Box::new(then));
        slot
    }
}

fn address(connection: &Connection) -> Bytes {
    match connection.ip() {
        Some(std::net::IpAddr::V4(ip)) => Bytes::copy_from_slice(&ip.octets()),
        Some(std::net::IpAddr::V6(ip)) => Bytes::copy_from_slice(&ip.octets()),
        None => Bytes::copy_from_slice(&[127, 0, 0, 1]),
    }
}

/// A request that waits for the controller.
struct ParkedCall {
    call: Call,
    connection: Connection,
    waker: Arc<dyn Wake>,
    state: Attempt,
    retry: Instant,
    deadline: Instant,
}

impl ParkedCall {
    /// When to look again, though nothing woke it.
    fn next_look(&self, now: Now) -> Instant {
        match self.state {
            Attempt::Nobody => now.mono.after(RETRY).min(self.deadline),
            _ => self.deadline.max(now.mono.after(RETRY)),
        }
    }

    fn look(&mut self, broker: &Broker, now: Now) -> Option<Response> {
        loop {
            match &mut self.state {
                Attempt::Answered(outcome) => return answered(outcome),
                Attempt::Committing(response, ground) => {
                    // First, or what is published meanwhile would wake nobody.
                    broker.metadata.wait(&self.waker);
                    match broker.metadata.fate(*ground) {
                        Fate::Kept => return Some(std::mem::take(response)),
                        Fate::Open => return None,
                        Fate::Unknown => self.retry = now.mono,
                    }
                }
                Attempt::Asked(slot) => match slot.answer.lock().take() {
                    None => return None,
                    // It saw the client's own header: the correlation id fits.
                    Some(Ok(data)) => return Some(framed(&data)),
                    Some(Err(())) => self.retry = now.mono.after(RETRY),
                },
                Attempt::Nobody => {}
            }
            if now.mono >= self.deadline {
                let outcome = broker.run(now, &mut self.connection, &self.call, &self.waker);
                self.state = Attempt::Answered(outcome);
                continue;
            }
            if now.mono < self.retry {
                self.state = Attempt::Nobody;
                return None;
            }
            self.retry = now.mono.after(RETRY);
            self.state = broker.attempt(now, &mut self.connection, &self.call, &self.waker);
            if matches!(self.state, Attempt::Nobody | Attempt::Asked(_)) {
                return None;
            }
        }
    }
}

impl Waiting for ParkedCall {
    fn poll(&mut self, broker: &Broker, now: Now, _: bool) -> Option<Response> {
        self.look(broker, now)
    }

    fn renew(&self, now: Now) -> Option<Instant> {
        Some(self.next_look(now))
    }
}

/// A response at last, or an empty one where the connection ought to end.
pub(crate) fn answered(outcome: &mut Outcome) -> Option<Response> {
    match std::mem::replace(outcome, Outcome::NoReply) {
        Outcome::Ready(response) | Outcome::Last(response, _) => Some(response),
        _ => Some(Response::default()),
    }
}

/// The controller's response as the answer to the client's request.
fn framed(data: &[u8]) -> Response {
    let mut out = BytesMut::with_capacity(4 + data.len());
    out.put_i32(i32::try_from(data.len()).unwrap_or(i32::MAX));
    out.extend_from_slice(data);
    Response::whole(out.freeze())
}

/// The bytes of a response after its length. Responses of controller requests
/// lie in memory.
pub(crate) fn data_of(response: &Response) -> Bytes {
    let mut whole = Vec::new();
    for part in &response.parts {
        if let Part::Bytes(bytes) = part {
            whole.extend_from_slice(bytes);
        }
    }
    let at = whole.len().min(4);
    Bytes::from(whole).slice(at..)
}

/// The outcome of a request that came in an envelope, put in one.
pub(crate) fn enveloped(envelope: Envelope, outcome: Outcome) -> Outcome {
    let respond = move |response: &Response| {
        let data = data_of(response);
        envelope.encode(&EnvelopeResponse::default().with_response_data(Some(data)))
    };
    match outcome {
        Outcome::Ready(response) | Outcome::Last(response, _) => Outcome::Ready(respond(&response)),
        Outcome::Parked(parked) => {
            let deadline = parked.deadline();
            Outcome::Parked(Parked::new(deadline, ParkedEnvelope { envelope, parked }))
        }
        Outcome::Close(CloseReason(reason)) => {
            tracing::warn!(reason, "an envelope holds no request");
            Outcome::Ready(refuse_envelope(envelope, ErrorCode::InvalidRequest))
        }
        Outcome::NoReply => Outcome::Ready(refuse_envelope(envelope, ErrorCode::InvalidRequest)),
    }
}

/// An envelope's answer when what it holds was not handled.
pub(crate) fn refuse_envelope(envelope: Envelope, code: ErrorCode) -> Response {
    envelope.encode(&EnvelopeResponse::default().with_error_code(code.code()))
}

/// A request from an envelope that waits.
struct ParkedEnvelope {
    envelope: Envelope,
    parked: Parked,
}

impl Waiting for ParkedEnvelope {
    fn poll(&mut self, broker: &Broker, now: Now, _: bool) -> Option<Response> {
        let response = self.parked.poll(broker, now)?;
        let data = data_of(&response);
        let answer = if data.is_empty() {
            EnvelopeResponse::default().with_error_code(ErrorCode::NotController.code())
        } else {
            EnvelopeResponse::default().with_response_data(Some(data))
        };
        Some(self.envelope.encode(&answer))
    }

    fn renew(&self, _: Now) -> Option<Instant> {
        Some(self.parked.deadline())
    }
}
