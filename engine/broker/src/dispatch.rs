//! From a frame to its handler.
//!
//! A frame that is no request of an API that is served closes the connection,
//! as Kafka does: there is no telling how a response would have to look. The
//! body goes to the message library only after the guard has walked it.

use crate::access::{Access, Guarded};
use crate::api::{api_versions, sasl_authenticate};
use crate::broker::Broker;
use crate::connection::Connection;
use crate::forward::Call;
use crate::newcomer;
use crate::outcome::{CloseReason, Outcome, Wake};
use crate::quorum;
use crate::request::{Envelope, Request};
use crate::routes::{Place, route_of};
use bytes::BytesMut;
use plimsoll_cluster::AclOperation;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::guard;
use plimsoll_wire::header::RequestHeader;
use plimsoll_wire::time::Now;
use std::sync::Arc;

impl Broker {
    /// Answers one request. `frame` is what follows the 4-byte length.
    ///
    /// Requests of one connection are handed in one after the other, and their
    /// responses leave in the same order. `waker` is told when a parked one is
    /// worth polling.
    pub fn handle(
        &self,
        now: Now,
        connection: &mut Connection,
        frame: BytesMut,
        waker: &Arc<dyn Wake>,
    ) -> Outcome {
        let outcome = self.dispatch(now, connection, frame, waker);
        self.act_on_faults();
        outcome
    }

    fn dispatch(
        &self,
        now: Now,
        connection: &mut Connection,
        mut frame: BytesMut,
        waker: &Arc<dyn Wake>,
    ) -> Outcome {
        if connection.stage.takes_bare_token() {
            return sasl_authenticate::bare(self, connection, &frame);
        }
        if quorum::is_private(&frame) {
            if !connection.may_ask(ApiKey::Envelope) {
                return close("a node before it said who it is");
            }
            let access = Access::of(self, connection);
            if !access.allows(AclOperation::ClusterAction, Guarded::Cluster) {
                return close("a voter's request from one who is no node");
            }
            return self.handle_private(now, &frame, waker);
        }
        let (header, body_at) = match RequestHeader::decode(&frame) {
            Ok(read) => read,
            Err(error) => return close(error),
        };
        let (spec, version) = (header.spec, header.version);
        let Some(route) = route_of(spec.key) else {
            return close(format!("{} is not served", spec.name));
        };
        if !connection.may_ask(spec.key) {
            return close(format!("{} before the client said who it is", spec.name));
        }
        if !spec.serves(version) {
            if spec.key == ApiKey::ApiVersions {
                return Outcome::Ready(api_versions::unsupported(header.correlation_id));
            }
            let (min, max) = (spec.min, spec.max);
            return close(format!(
                "{} version {version}, {min} to {max} are served",
                spec.name
            ));
        }
        if !route.serves(self.is_for_controllers(connection)) {
            return close(format!("{} is not served by controllers", spec.name));
        }
        self.requests.received(spec.key);
        let body = frame.get(body_at..).unwrap_or_default();
        if route.guarded
            && let Err(error) = guard::check(spec, version, body)
        {
            return close(error);
        }
        let envelope = Envelope {
            version,
            correlation_id: header.correlation_id,
            tagged_header: spec.response_header_version(version) >= 1,
        };
        let is_early = newcomer::tells_of_the_cluster(spec.key) && !self.knows_the_cluster();
        if is_early || (route.at != Place::Anywhere && !self.is_alone()) {
            let call = Call {
                route,
                envelope,
                frame: frame.freeze(),
                body_at,
                may_forward: true,
            };
            let outcome = match is_early {
                true => newcomer::hold(now, connection, call, waker),
                false => self.call_controller(now, connection, call, waker),
            };
            return self.counted(spec.key, outcome);
        }
        let has_client_id = header.client_id.is_some();
        let frame_bytes = frame.len();
        let head = frame.split_to(body_at);
        let client_id = has_client_id.then(|| client_id(&head)).flatten();
        let request = Request {
            now,
            connection,
            envelope,
            client_id,
            frame_bytes,
            body: frame,
            waker,
        };
        let outcome = (route.handle)(self, request);
        self.counted(spec.key, outcome)
    }

    /// Whether a connection came in by a listener of controllers, which serves
    /// only what they do.
    pub(crate) fn is_for_controllers(&self, connection: &Connection) -> bool {
        !self.config.roles.broker || connection.listener.for_controllers
    }

    /// Counts the errors of an answer, now or when it comes.
    fn counted(&self, api: ApiKey, mut outcome: Outcome) -> Outcome {
        match &mut outcome {
            Outcome::Ready(response) | Outcome::Last(response, _) => {
                self.requests.count_failures(api, response);
            }
            Outcome::Parked(parked) => parked.counted_as(api),
            Outcome::NoReply | Outcome::Close(_) => {}
        }
        outcome
    }
}

/// The client's name for itself, from a header that has been read before.
fn client_id(head: &[u8]) -> Option<&str> {
    RequestHeader::decode(head)
        .ok()
        .and_then(|(header, _)| header.client_id)
}

fn close(why: impl ToString) -> Outcome {
    Outcome::Close(CloseReason(why.to_string()))
}
