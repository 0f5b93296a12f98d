//! The server's half of an exchange.

use super::message::{self, ClientFinal, ClientFirst};
use super::{Credential, ScramError, ScramMechanism, same};

/// Whom a client's first message speaks for.
///
/// # Errors
/// When it is no first message, or asks for what is not offered.
pub fn first_user(first: &[u8]) -> Result<String, ScramError> {
    ClientFirst::parse(first).map(|first| first.user)
}

/// A server that waits for a client's proof.
#[derive(Debug)]
pub struct ServerExchange {
    mechanism: ScramMechanism,
    credential: Credential,
    nonce: String,
    gs2_header: String,
    /// Both first messages, as they will be signed.
    signed: String,
}

impl ServerExchange {
    /// An exchange and the challenge that answers the client's first message.
    /// `nonce` must be drawn at random and hold printable characters other than
    /// a comma.
    ///
    /// # Errors
    /// When the message is no first message, or asks for what is not offered.
    pub fn begin(
        mechanism: ScramMechanism,
        first: &[u8],
        nonce: &str,
        credential: Credential,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        let first = ClientFirst::parse(first)?;
        let nonce = format!("{}{nonce}", first.nonce);
        let salt = message::encode(&credential.salt);
        let challenge = format!("r={nonce},s={salt},i={}", credential.iterations);
        let exchange = Self {
            mechanism,
            credential,
            nonce,
            gs2_header: first.gs2_header.to_owned(),
            signed: format!("{},{challenge}", first.bare),
        };
        Ok((exchange, challenge.into_bytes()))
    }

    /// Checks the client's proof and answers with the server's own.
    ///
    /// # Errors
    /// When the proof is wrong, or is none.
    pub fn verify(self, proof: &[u8]) -> Result<Vec<u8>, ScramError> {
        let last = ClientFinal::parse(proof)?;
        // librdkafka before 2.6.1 repeats its own part in front; Kafka looks at the
        // end alone. What it sent is under the proof either way.
        if !last.nonce.ends_with(&self.nonce) {
            return Err(ScramError::Malformed("another nonce"));
        }
        if !same(&last.channel_binding, self.gs2_header.as_bytes()) {
            return Err(ScramError::Malformed("another channel binding"));
        }
        let signed = format!("{},{}", self.signed, last.without_proof);
        let (mechanism, credential) = (self.mechanism, &self.credential);
        if !credential.is_proven(mechanism, &last.proof, &signed) {
            return Err(ScramError::WrongProof);
        }
        let signature = mechanism.hmac(&credential.server_key, signed.as_bytes());
        Ok(format!("v={}", message::encode(&signature)).into_bytes())
    }
}
