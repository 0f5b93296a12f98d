//! Saying who one is: SaslHandshake 1, then SaslAuthenticate 0–1.

use super::{Mechanism, SaslSettings};
use crate::clock::Mono;
use crate::error::DriveError;
use crate::native::conn::Conn;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::scram::{ClientExchange, ScramError};
use rand::Rng as _;

/// Authenticates a connection that has just been made.
pub fn authenticate(
    conn: &mut Conn,
    sasl: &SaslSettings,
    deadline: Mono,
) -> Result<(), DriveError> {
    let name = sasl.mechanism.name();
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(name));
    let response = conn.call(&request, (1, 1), deadline)?;
    if response.error_code != 0 {
        let offered: Vec<&str> = response.mechanisms.iter().map(|m| m.as_str()).collect();
        let offered = match &offered[..] {
            [] => "its listener asks nobody who he is".to_owned(),
            some => format!("it offers {}", some.join(", ")),
        };
        return Err(refused(conn, format!("{name} is not accepted: {offered}")));
    }
    match sasl.mechanism {
        Mechanism::Plain => {
            let token = format!("\0{}\0{}", sasl.user, sasl.password).into_bytes();
            send(conn, token, deadline).map(drop)
        }
        Mechanism::Scram(mechanism) => {
            let nonce = format!("{:032x}", rand::rng().random::<u128>());
            let (mut exchange, first) =
                ClientExchange::begin(mechanism, &sasl.user, &sasl.password, &nonce);
            let words = |conn: &Conn, error: ScramError| refused(conn, error.to_string());
            let challenge = send(conn, first, deadline)?;
            let proof = exchange.prove(&challenge).map_err(|e| words(conn, e))?;
            let verdict = send(conn, proof, deadline)?;
            exchange.check(&verdict).map_err(|e| words(conn, e))
        }
    }
}

fn send(conn: &mut Conn, token: Vec<u8>, deadline: Mono) -> Result<Vec<u8>, DriveError> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
    let response = conn.call(&request, (0, 1), deadline)?;
    if response.error_code != 0 {
        let words = response.error_message.as_deref().unwrap_or("login refused");
        return Err(refused(conn, words.to_owned()));
    }
    Ok(response.auth_bytes.to_vec())
}

fn refused(conn: &Conn, reason: String) -> DriveError {
    DriveError::Security {
        broker: conn.broker().to_owned(),
        reason,
    }
}
