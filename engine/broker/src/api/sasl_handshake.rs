//! SaslHandshake 0–1: the client chooses how it will say who it is.

use crate::broker::Broker;
use crate::convert::text;
use crate::listener::SaslMechanism;
use crate::outcome::Outcome;
use crate::request::Request;
use crate::sasl::Stage;
use kafka_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};
use plimsoll_wire::error_code::ErrorCode;

pub(crate) fn handle(_broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: SaslHandshakeRequest| {
        let bare = request.version() == 0;
        let connection = &mut *request.connection;
        let offered = &connection.listener.mechanisms;
        let response = SaslHandshakeResponse::default()
            .with_mechanisms(offered.iter().map(|one| text(one.name())).collect());
        if !matches!(connection.stage, Stage::Stranger) {
            return response.with_error_code(ErrorCode::IllegalSaslState.code());
        }
        let chosen = SaslMechanism::from_name(query.mechanism.as_str());
        match chosen.filter(|chosen| offered.contains(chosen)) {
            Some(mechanism) => {
                connection.stage = Stage::Chosen { mechanism, bare };
                response
            }
            None => response.with_error_code(ErrorCode::UnsupportedSaslMechanism.code()),
        }
    })
}
