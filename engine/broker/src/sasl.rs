//! How a client says who it is: SaslHandshake, then tokens, then everything else.
//!
//! ```text
//! Stranger ──handshake──▶ Chosen ──token──▶ Proving ──token──▶ Known
//!                            └───────────token (PLAIN)────────────▲
//! ```
//!
//! Invariants: before `Known` a connection may ask for ApiVersions and the two
//! SASL requests and nothing else; a failure ends the connection; a peer learns
//! neither whether the user exists nor what was wrong. With SaslHandshake
//! version 0 tokens are frames without a header (KIP-43), from version 1 they
//! come in SaslAuthenticate (KIP-152).

use crate::broker::Broker;
use crate::listener::{Listener, SaslMechanism};
use plimsoll_cluster::Image;
use plimsoll_wire::scram::{self, ScramError, ServerExchange};
use std::sync::Arc;

/// Where a connection stands.
#[derive(Debug)]
pub(crate) enum Stage {
    /// The listener asks nobody who it is.
    Open,
    /// Nothing is known of the client.
    Stranger,
    /// A mechanism was chosen; whether tokens come without a header.
    Chosen {
        mechanism: SaslMechanism,
        bare: bool,
    },
    /// A SCRAM proof is awaited.
    Proving {
        exchange: Box<ServerExchange>,
        user: String,
        bare: bool,
    },
    /// The client is this user.
    Known { user: Arc<str> },
    /// It failed, and the connection is closing.
    Failed,
}

/// A token's answer.
pub(crate) enum Reply {
    /// Another token is awaited, or the client is known now.
    Token(Vec<u8>),
    /// It failed; the words are for the peer.
    Failure(String),
}

impl Stage {
    /// Where a connection to this listener begins.
    pub(crate) const fn first(listener: &Listener) -> Self {
        if listener.protocol.is_sasl() {
            Self::Stranger
        } else {
            Self::Open
        }
    }

    /// Whether every request is let through.
    pub(crate) const fn is_through(&self) -> bool {
        matches!(self, Self::Open | Self::Known { .. })
    }

    /// Whether the next frame is a token without a header.
    pub(crate) const fn takes_bare_token(&self) -> bool {
        matches!(
            self,
            Self::Chosen { bare: true, .. } | Self::Proving { bare: true, .. }
        )
    }

    /// Takes one token.
    pub(crate) fn token(&mut self, broker: &Broker, listener: &Listener, token: &[u8]) -> Reply {
        let (next, outcome) = match std::mem::replace(self, Self::Failed) {
            Self::Chosen {
                mechanism: SaslMechanism::Plain,
                ..
            } => plain(listener, token),
            Self::Chosen {
                mechanism: SaslMechanism::Scram(mechanism),
                bare,
            } => {
                let image = broker.image();
                match begin(&image, mechanism, token, &broker.nonce()) {
                    Ok((exchange, user, challenge)) => {
                        let exchange = Box::new(exchange);
                        let proving = Self::Proving {
                            exchange,
                            user,
                            bare,
                        };
                        (proving, Ok(challenge))
                    }
                    Err(reason) => (Self::Failed, Err((mechanism.name(), reason))),
                }
            }
            Self::Proving { exchange, user, .. } => match exchange.verify(token) {
                Ok(verdict) => (Self::Known { user: user.into() }, Ok(verdict)),
                Err(error) => (Self::Failed, Err(("SCRAM", error.to_string()))),
            },
            Self::Open | Self::Stranger | Self::Known { .. } | Self::Failed => {
                (Self::Failed, Err(("SASL", "no token was awaited".into())))
            }
        };
        *self = next;
        match outcome {
            Ok(token) => Reply::Token(token),
            Err((mechanism, reason)) => {
                let listener = &listener.name;
                tracing::warn!(listener, mechanism, "authentication failed: {reason}");
                Reply::Failure(format!(
                    "Authentication failed during authentication due to invalid credentials with \
                     SASL mechanism {mechanism}"
                ))
            }
        }
    }
}

type Step = (Stage, Result<Vec<u8>, (&'static str, String)>);

/// RFC 4616: who to act for, who one is, and the password, between NULs.
fn plain(listener: &Listener, token: &[u8]) -> Step {
    let failed = |reason: &str| (Stage::Failed, Err(("PLAIN", reason.to_owned())));
    let mut parts = token.split(|byte| *byte == 0);
    let (Some(acts_for), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return failed("not a PLAIN message");
    };
    let (Ok(acts_for), Ok(user)) = (std::str::from_utf8(acts_for), std::str::from_utf8(user))
    else {
        return failed("not UTF-8");
    };
    if !(acts_for.is_empty() || acts_for == user) {
        return failed("acting for another user is not offered");
    }
    let known = listener.plain_users.get(user);
    match known.filter(|known| scram::same(known.as_bytes(), password)) {
        Some(_) => (Stage::Known { user: user.into() }, Ok(Vec::new())),
        None => failed("no such user, or another password"),
    }
}

fn begin(
    image: &Image,
    mechanism: scram::ScramMechanism,
    token: &[u8],
    nonce: &str,
) -> Result<(ServerExchange, String, Vec<u8>), String> {
    let words = |error: ScramError| error.to_string();
    let user = scram::first_user(token).map_err(words)?;
    let credential = image
        .scram()
        .get(&user)
        .and_then(|mechanisms| mechanisms.get(&mechanism))
        .ok_or("no such user")?;
    let (exchange, challenge) =
        ServerExchange::begin(mechanism, token, nonce, credential.clone()).map_err(words)?;
    Ok((exchange, user, challenge))
}
