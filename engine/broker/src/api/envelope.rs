//! Envelope 0: a request of the active controller's that another node passes
//! on for its client. Only nodes may: they say who the client is.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::connection::Connection;
use crate::forward::{Call, enveloped, refuse_envelope};
use crate::outcome::Outcome;
use crate::principal;
use crate::request::{Envelope, Request};
use crate::routes::{Place, route_of};
use kafka_protocol::messages::EnvelopeRequest;
use plimsoll_cluster::AclOperation;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::guard;
use plimsoll_wire::header::RequestHeader;
use std::net::{IpAddr, SocketAddr};

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: EnvelopeRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let outer = request.envelope;
    let refuse = |code| Outcome::Ready(refuse_envelope(outer, code));
    let permitted = request
        .access(broker)
        .check(AclOperation::ClusterAction, Guarded::Cluster);
    if let Err(code) = permitted {
        return refuse(code);
    }
    let Ok(user) = principal::decode(query.request_principal.as_deref().unwrap_or_default()) else {
        return refuse(ErrorCode::PrincipalDeserializationFailure);
    };
    if !broker.metadata.is_active() {
        return refuse(ErrorCode::NotController);
    }
    let frame = query.request_data;
    let Ok((header, body_at)) = RequestHeader::decode(&frame) else {
        return refuse(ErrorCode::InvalidRequest);
    };
    let (spec, version) = (header.spec, header.version);
    let route = route_of(spec.key).filter(|route| route.at == Place::Controller);
    let Some(route) = route.filter(|_| spec.serves(version)) else {
        return refuse(ErrorCode::InvalidRequest);
    };
    let body = frame.get(body_at..).unwrap_or_default();
    if guard::check(spec, version, body).is_err() {
        return refuse(ErrorCode::InvalidRequest);
    }
    let envelope = Envelope {
        version,
        correlation_id: header.correlation_id,
        tagged_header: spec.response_header_version(version) >= 1,
    };
    let call = Call {
        route,
        envelope,
        frame: frame.clone(),
        body_at,
        may_forward: false,
    };
    let mut client = Connection::of_client(address(&query.client_host_address), user);
    let outcome = broker.call_controller(request.now, &mut client, call, request.waker);
    enveloped(outer, outcome)
}

/// Where the client sits, as the other node saw it.
fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let ip = match bytes.len() {
        4 => IpAddr::from(*bytes.first_chunk::<4>()?),
        16 => IpAddr::from(*bytes.first_chunk::<16>()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, 0))
}
