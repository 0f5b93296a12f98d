//! SaslAuthenticate 0–2: one token of the chosen mechanism. A failure is
//! answered and ends the connection.

use crate::broker::Broker;
use crate::connection::Connection;
use crate::convert::text;
use crate::outcome::{CloseReason, Outcome, Response};
use crate::request::Request;
use crate::sasl::{Reply, Stage};
use bytes::{BufMut as _, BytesMut};
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use plimsoll_wire::error_code::ErrorCode;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query = match request.decode::<SaslAuthenticateRequest>() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let envelope = request.envelope;
    let refuse = |code: ErrorCode, words: &str| {
        let response = SaslAuthenticateResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(text(words)));
        envelope.encode(&response)
    };
    let connection = &mut *request.connection;
    if !matches!(
        connection.stage,
        Stage::Chosen { .. } | Stage::Proving { .. }
    ) {
        let words = "SaslAuthenticate must follow a SaslHandshake";
        return Outcome::Ready(refuse(ErrorCode::IllegalSaslState, words));
    }
    let reply = connection
        .stage
        .token(broker, &connection.listener, &query.auth_bytes);
    match reply {
        Reply::Token(token) => {
            let response = SaslAuthenticateResponse::default().with_auth_bytes(token.into());
            Outcome::Ready(envelope.encode(&response))
        }
        Reply::Failure(words) => Outcome::Last(
            refuse(ErrorCode::SaslAuthenticationFailed, &words),
            failed(),
        ),
    }
}

/// A token that came without a header. Its failure has no answer.
pub(crate) fn bare(broker: &Broker, connection: &mut Connection, token: &[u8]) -> Outcome {
    match connection.stage.token(broker, &connection.listener, token) {
        Reply::Token(token) => {
            let mut out = BytesMut::with_capacity(4 + token.len());
            out.put_i32(i32::try_from(token.len()).unwrap_or(i32::MAX));
            out.put_slice(&token);
            Outcome::Ready(Response::whole(out.freeze()))
        }
        Reply::Failure(_) => Outcome::Close(failed()),
    }
}

fn failed() -> CloseReason {
    CloseReason("authentication failed".into())
}
