//! The client's half of an exchange.

use super::message::{self, GS2_HEADER, ServerFirst};
use super::{ITERATIONS_MAX, ITERATIONS_MIN, ScramError, ScramMechanism, same, xor};
use std::fmt;

/// More rounds than this are refused: a hostile server could ask for hours.
const ROUNDS_MAX: u32 = ITERATIONS_MAX * 64;

/// A client that proves its password.
pub struct ClientExchange {
    mechanism: ScramMechanism,
    password: String,
    nonce: String,
    first_bare: String,
    /// What the server has to sign with, and what; known once proven.
    expected: Vec<u8>,
}

impl ClientExchange {
    /// An exchange and its first message. `nonce` must be drawn at random and
    /// hold printable characters other than a comma.
    pub fn begin(
        mechanism: ScramMechanism,
        user: &str,
        password: &str,
        nonce: &str,
    ) -> (Self, Vec<u8>) {
        let first_bare = format!("n={},r={nonce}", message::escape(user));
        let first = format!("{GS2_HEADER}{first_bare}").into_bytes();
        let exchange = Self {
            mechanism,
            password: password.to_owned(),
            nonce: nonce.to_owned(),
            first_bare,
            expected: Vec::new(),
        };
        (exchange, first)
    }

    /// The proof that answers the server's challenge.
    ///
    /// # Errors
    /// When the challenge is none, is another's, or asks for too few rounds.
    pub fn prove(&mut self, challenge: &[u8]) -> Result<Vec<u8>, ScramError> {
        let challenge = message::text(challenge)?;
        let first = ServerFirst::parse(challenge)?;
        if !first.nonce.starts_with(&self.nonce) || first.nonce.len() == self.nonce.len() {
            return Err(ScramError::Malformed("another nonce"));
        }
        if first.iterations < ITERATIONS_MIN {
            return Err(ScramError::NotOffered("so few iterations"));
        }
        if first.iterations > ROUNDS_MAX {
            return Err(ScramError::NotOffered("so many iterations"));
        }
        let mechanism = self.mechanism;
        let salted = mechanism.salted_password(&self.password, &first.salt, first.iterations);
        let binding = message::encode(GS2_HEADER.as_bytes());
        let without_proof = format!("c={binding},r={}", first.nonce);
        let signed = format!("{},{challenge},{without_proof}", self.first_bare);
        let client_key = mechanism.client_key(&salted);
        let signature = mechanism.hmac(&mechanism.hash(&client_key), signed.as_bytes());
        let proof = message::encode(&xor(&client_key, &signature));
        self.expected = mechanism.hmac(&mechanism.server_key(&salted), signed.as_bytes());
        Ok(format!("{without_proof},p={proof}").into_bytes())
    }

    /// Checks that the server knew the password too.
    ///
    /// # Errors
    /// When it did not, or refused.
    pub fn check(&self, verdict: &[u8]) -> Result<(), ScramError> {
        let signature = message::parse_server_final(verdict)?;
        if self.expected.is_empty() || !same(&signature, &self.expected) {
            return Err(ScramError::WrongProof);
        }
        Ok(())
    }
}

impl fmt::Debug for ClientExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientExchange")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}
