//! A listener: by which way clients come in, and how they say who they are.

use plimsoll_wire::scram::ScramMechanism;
use std::collections::BTreeMap;
use std::fmt;

/// How a listener protects its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// Authentication in the clear.
    SaslPlaintext,
    /// Authentication under TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Plaintext,
        Self::Ssl,
        Self::SaslPlaintext,
        Self::SaslSsl,
    ];

    /// Kafka's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// Kafka's number.
    pub const fn code(self) -> i16 {
        match self {
            Self::Plaintext => 0,
            Self::Ssl => 1,
            Self::SaslPlaintext => 2,
            Self::SaslSsl => 3,
        }
    }

    /// The protocol of this name, in capitals or not.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|one| one.name().eq_ignore_ascii_case(name))
    }

    /// Whether connections are encrypted.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether clients have to say who they are.
    pub const fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// A way of saying who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SaslMechanism {
    /// Name and password in the clear.
    Plain,
    /// A proof of the password.
    Scram(ScramMechanism),
}

impl SaslMechanism {
    /// All that are offered.
    pub const ALL: [Self; 3] = [
        Self::Plain,
        Self::Scram(ScramMechanism::Sha256),
        Self::Scram(ScramMechanism::Sha512),
    ];

    /// The name in SASL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(mechanism) => mechanism.name(),
        }
    }

    /// The mechanism of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// A listener, as the broker knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name in `listeners`.
    pub name: String,
    /// How it protects connections.
    pub protocol: SecurityProtocol,
    /// Whether it is one of `controller.listener.names`: it serves only what
    /// controllers do.
    pub for_controllers: bool,
    /// How clients may say who they are.
    pub mechanisms: Vec<SaslMechanism>,
    /// The users of PLAIN, with their passwords.
    pub plain_users: BTreeMap<String, String>,
    /// The longest request of a client that has not said who it is
    /// (`sasl.server.max.receive.size`).
    pub stranger_bytes_max: usize,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            name: "PLAINTEXT".into(),
            protocol: SecurityProtocol::Plaintext,
            for_controllers: false,
            mechanisms: Vec::new(),
            plain_users: BTreeMap::new(),
            stranger_bytes_max: 512 * 1024,
        }
    }
}

/// Shows no password.
impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("name", &self.name)
            .field("protocol", &self.protocol)
            .field("mechanisms", &self.mechanisms)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for protocol in SecurityProtocol::ALL {
            let lower = protocol.name().to_lowercase();
            assert_eq!(SecurityProtocol::from_name(&lower), Some(protocol));
        }
        for mechanism in SaslMechanism::ALL {
            assert_eq!(SaslMechanism::from_name(mechanism.name()), Some(mechanism));
        }
        assert_eq!(SaslMechanism::from_name("GSSAPI"), None);
    }

    #[test]
    fn passwords_are_not_shown() {
        let listener = Listener {
            plain_users: [("alice".to_owned(), "secret".to_owned())].into(),
            ..Listener::default()
        };
        assert!(!format!("{listener:?}").contains("secret"));
    }
}
