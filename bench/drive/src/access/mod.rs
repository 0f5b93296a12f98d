//! How a cluster is reached: addresses, encryption, and who one is.
//!
//! The one place where connections are secured. The native client's
//! connections are made here; librdkafka gets the same as
//! its own properties. Secrets are in no `Debug` and no error.

mod librdkafka;
mod pipe;
mod sasl;
mod tls;

pub(crate) use pipe::{Pipe, wait};
pub use tls::TlsSettings;

use crate::clock::Mono;
use crate::error::DriveError;
use crate::native::conn::Conn;
use plimsoll_wire::scram::ScramMechanism;
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;

/// Where a cluster is, and how its brokers are spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// `HOST:PORT` of one or more brokers.
    pub addresses: Vec<String>,
    /// How connections are secured.
    pub security: Security,
}

/// How connections are secured. The default is plain text, as nobody.
#[derive(Clone, Default)]
pub struct Security {
    tls: Option<(TlsSettings, Arc<ClientConfig>)>,
    sasl: Option<SaslSettings>,
}

/// Who one is.
#[derive(Clone, PartialEq, Eq)]
pub struct SaslSettings {
    /// How it is proven.
    pub mechanism: Mechanism,
    /// The user.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// How a password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// In the clear.
    Plain,
    /// By a proof.
    Scram(ScramMechanism),
}

impl Mechanism {
    /// The name in SASL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(mechanism) => mechanism.name(),
        }
    }

    /// The mechanism of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "PLAIN" => Some(Self::Plain),
            other => ScramMechanism::from_name(other).map(Self::Scram),
        }
    }
}

impl Security {
    /// Reads certificates and keys.
    ///
    /// # Errors
    /// When they cannot be read or used.
    pub fn new(tls: Option<TlsSettings>, sasl: Option<SaslSettings>) -> Result<Self, DriveError> {
        let tls = tls
            .map(|settings| {
                let config = tls::config(&settings)?;
                Ok::<_, DriveError>((settings, config))
            })
            .transpose()?;
        Ok(Self { tls, sasl })
    }

    /// Kafka's name of the protocol, with the mechanism when there is one.
    pub fn describe(&self) -> String {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        };
        match &self.sasl {
            None => protocol.to_owned(),
            Some(sasl) => format!("{protocol}, {}", sasl.mechanism.name()),
        }
    }

    /// Connects to `broker` and says who one is.
    pub(crate) fn connect(&self, broker: &str, deadline: Mono) -> Result<Conn, DriveError> {
        let socket = pipe::connect(broker, deadline)?;
        let pipe = match &self.tls {
            None => Pipe::Plain(socket),
            Some((_, config)) => tls::shake_hands(broker, socket, config, deadline)?,
        };
        let mut conn = Conn::begin(broker, pipe, deadline)?;
        if let Some(sasl) = &self.sasl {
            sasl::authenticate(&mut conn, sasl, deadline)?;
        }
        Ok(conn)
    }
}

impl PartialEq for Security {
    fn eq(&self, other: &Self) -> bool {
        let tls = |one: &Self| one.tls.as_ref().map(|(settings, _)| settings.clone());
        tls(self) == tls(other) && self.sasl == other.sasl
    }
}

impl Eq for Security {}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Security({})", self.describe())
    }
}

impl Bootstrap {
    /// Connects to `broker`, one of the cluster's.
    pub(crate) fn connect(&self, broker: &str, deadline: Mono) -> Result<Conn, DriveError> {
        self.security.connect(broker, deadline)
    }
}

impl From<Vec<String>> for Bootstrap {
    fn from(addresses: Vec<String>) -> Self {
        Self {
            addresses,
            security: Security::default(),
        }
    }
}

impl fmt::Display for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.addresses.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let security = Security {
            tls: None,
            sasl: Some(SaslSettings {
                mechanism: Mechanism::Scram(ScramMechanism::Sha256),
                user: "alice".into(),
                password: "secret".into(),
            }),
        };
        let bootstrap = Bootstrap {
            addresses: vec!["a:1".into(), "b:2".into()],
            security,
        };
        assert_eq!(bootstrap.to_string(), "a:1,b:2");
        assert_eq!(
            format!("{bootstrap:?}"),
            "Bootstrap { addresses: [\"a:1\", \"b:2\"], \
             security: Security(SASL_PLAINTEXT, SCRAM-SHA-256) }"
        );
    }
}
