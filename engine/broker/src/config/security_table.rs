//! The properties of listeners and of who may come in.
//!
//! Each may be set for one listener alone, as `listener.name.NAME.PROPERTY`
//! with the listener's name in lower case. A property of one listener is
//! stronger than the property of all.

use super::property::{Kind, Property};

/// Who may come in by PLAIN; only for one listener and mechanism.
pub const JAAS: &str = "sasl.jaas.config";

const fn p(name: &'static str, kind: Kind, doc: &'static str) -> Property {
    Property::new(name, kind, doc)
}

/// Encryption and authentication.
#[rustfmt::skip] // one property a line
pub const SECURITY_PROPERTIES: &[Property] = &[
    p("listener.security.protocol.map", Kind::List(&[]), "How each listener is protected, as NAME:PROTOCOL.")
        .default("PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL"),
    p("ssl.keystore.type", Kind::Choice(&["PEM"]), "The format of the node's certificate and key.").default("PEM"),
    p("ssl.keystore.location", Kind::Text, "A file with the node's private key and its certificates."),
    p("ssl.keystore.key", Kind::Password, "The node's private key itself, instead of a file."),
    p("ssl.keystore.certificate.chain", Kind::Password, "The node's certificates themselves, instead of a file."),
    p("ssl.truststore.type", Kind::Choice(&["PEM"]), "The format of the certificates that are trusted.").default("PEM"),
    p("ssl.truststore.location", Kind::Text, "A file with the certificates whose clients are trusted."),
    p("ssl.truststore.certificates", Kind::Password, "Those certificates themselves, instead of a file."),
    p("ssl.client.auth", Kind::Choice(&["required", "requested", "none"]), "Whether clients show a certificate.").default("none"),
    p("ssl.enabled.protocols", Kind::List(&["TLSv1.2", "TLSv1.3"]), "The versions of TLS that are spoken.").default("TLSv1.2,TLSv1.3"),
    p("sasl.enabled.mechanisms", Kind::List(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]), "How clients may say who they are."),
    p(JAAS, Kind::Password, "The users of PLAIN, as user_NAME=\"PASSWORD\" options of the login module."),
    p("sasl.server.max.receive.size", Kind::Int(1, i32::MAX as i64), "The largest request of a client that has not said who it is.").default("524288"),
];
