//! `--target-config`: how connections to a cluster are secured, in the
//! properties of Kafka's clients.
//!
//! Names of the Java client and of librdkafka are both understood. No error
//! shows a value that may be a secret.

use anyhow::{Context as _, bail, ensure};
use plimsoll_drive::access::{Mechanism, SaslSettings, Security, TlsSettings};
use plimsoll_server::jaas::{self, PLAIN_MODULE, SCRAM_MODULE};
use plimsoll_server::properties;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is understood.
const KNOWN: [&str; 15] = [
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.jaas.config",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.truststore.location",
    "ssl.truststore.type",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.keystore.type",
    "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
];

/// Reads the file.
pub fn read(path: &Path) -> anyhow::Result<Security> {
    let shown = || format!("--target-config {}", path.display());
    let text = std::fs::read_to_string(path).with_context(shown)?;
    security(&text).with_context(shown)
}

fn security(text: &str) -> anyhow::Result<Security> {
    let mut given = BTreeMap::new();
    for line in properties::parse(text)? {
        if !KNOWN.contains(&line.name.as_str()) {
            bail!(
                "line {}: {} is not understood; accepted: {}",
                line.number,
                line.name,
                KNOWN.join(", ")
            );
        }
        given.insert(line.name, line.value.trim().to_owned());
    }
    let mut given = Given(given);
    let protocol = given.take("security.protocol").unwrap_or_default();
    let (tls, sasl) = match protocol.to_uppercase().as_str() {
        "PLAINTEXT" | "" => (false, false),
        "SSL" => (true, false),
        "SASL_PLAINTEXT" => (false, true),
        "SASL_SSL" => (true, true),
        _ => bail!(
            "security.protocol = {protocol}: accepted: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
        ),
    };
    let tls = tls.then(|| given.tls()).transpose()?;
    let sasl = sasl.then(|| given.sasl()).transpose()?;
    if let Some(name) = given.0.keys().next() {
        let protocol = if protocol.is_empty() {
            "PLAINTEXT, the default"
        } else {
            &protocol
        };
        bail!("{name} has no effect with security.protocol = {protocol}; leave it out");
    }
    Ok(Security::new(tls, sasl)?)
}

/// The properties that have not been looked at.
struct Given(BTreeMap<String, String>);

impl Given {
    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// The one of two names that is given.
    fn either(&mut self, one: &str, other: &str) -> anyhow::Result<Option<String>> {
        match (self.take(one), self.take(other)) {
            (Some(_), Some(_)) => bail!("give {one} or {other}, not both"),
            (one, other) => Ok(one.or(other)),
        }
    }

    fn tls(&mut self) -> anyhow::Result<TlsSettings> {
        for name in ["ssl.truststore.type", "ssl.keystore.type"] {
            if let Some(format) = self.take(name).filter(|format| format != "PEM") {
                bail!("{name} = {format}: accepted: PEM");
            }
        }
        if let Some(verifies) = self.take("enable.ssl.certificate.verification") {
            ensure!(
                verifies == "true",
                "enable.ssl.certificate.verification = {verifies}: accepted: true; give the \
                 broker's certificate as ssl.ca.location instead"
            );
        }
        let names = self.0.remove("ssl.endpoint.identification.algorithm");
        let checks_names = match names.as_deref().map(str::to_lowercase).as_deref() {
            None | Some("https") => true,
            Some("" | "none") => false,
            Some(other) => bail!(
                "ssl.endpoint.identification.algorithm = {other}: accepted: https, or nothing"
            ),
        };
        let authorities = self.either("ssl.ca.location", "ssl.truststore.location")?;
        let both = self.take("ssl.keystore.location");
        let (chain, key) = (
            self.take("ssl.certificate.location"),
            self.take("ssl.key.location"),
        );
        let identity = match (both, chain, key) {
            (None, None, None) => None,
            (Some(file), None, None) => Some((file.clone(), file)),
            (None, Some(chain), Some(key)) => Some((chain, key)),
            _ => bail!(
                "one's own certificate: give ssl.keystore.location, or both \
                 ssl.certificate.location and ssl.key.location"
            ),
        };
        Ok(TlsSettings {
            authorities: authorities.map(PathBuf::from),
            identity: identity.map(|(chain, key)| (chain.into(), key.into())),
            checks_names,
        })
    }

    fn sasl(&mut self) -> anyhow::Result<SaslSettings> {
        let name = self.either("sasl.mechanism", "sasl.mechanisms")?;
        let name = name.context("sasl.mechanism is missing")?;
        let mechanism = Mechanism::from_name(&name).with_context(|| {
            format!("sasl.mechanism = {name}: accepted: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
        })?;
        let entry = self.take("sasl.jaas.config");
        let (user, password) = (self.take("sasl.username"), self.take("sasl.password"));
        let (user, password) = match (entry, user, password) {
            (Some(entry), None, None) => login(&entry, mechanism)?,
            (None, Some(user), Some(password)) => (user, password),
            _ => bail!("give sasl.jaas.config, or both sasl.username and sasl.password"),
        };
        Ok(SaslSettings {
            mechanism,
            user,
            password,
        })
    }
}

/// The user and the password of a login module.
fn login(entry: &str, mechanism: Mechanism) -> anyhow::Result<(String, String)> {
    let entry = jaas::parse(entry).map_err(|why| anyhow::anyhow!("sasl.jaas.config: {why}"))?;
    let module = match mechanism {
        Mechanism::Plain => PLAIN_MODULE,
        Mechanism::Scram(_) => SCRAM_MODULE,
    };
    ensure!(
        entry.module == module,
        "sasl.jaas.config: the login module of {} is {module}",
        mechanism.name()
    );
    let mut options = entry.options;
    let mut take = |name: &str| {
        let value = options.remove(name);
        value.with_context(|| format!("sasl.jaas.config: {name} is missing"))
    };
    Ok((take("username")?, take("password")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_java_and_of_librdkafka_are_understood() {
        let check = |text: &str, expected: &str| {
            let described = security(text).map(|security| security.describe());
            assert_eq!(described.unwrap(), expected, "{text}");
        };
        check("", "PLAINTEXT");
        check("# nothing\nsecurity.protocol=plaintext\n", "PLAINTEXT");
        check(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n\
               username=\"alice\" password=\"secret\";\n",
            "SASL_PLAINTEXT, SCRAM-SHA-512",
        );
        check(
            "security.protocol=sasl_plaintext\nsasl.mechanisms=PLAIN\nsasl.username=alice\n\
             sasl.password=secret\n",
            "SASL_PLAINTEXT, PLAIN",
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_shown() {
        let check = |text: &str, expected: &str| {
            let shown = format!("{:#}", security(text).unwrap_err());
            assert!(shown.contains(expected), "{shown}");
            assert!(!shown.contains("secret"), "{shown}");
        };
        check(
            "acks=all",
            "line 1: acks is not understood; accepted: security.protocol",
        );
        check("security.protocol=TLS", "accepted: PLAINTEXT, SSL");
        check(
            "sasl.password=secret",
            "sasl.password has no effect with security.protocol = PLAINTEXT, the default",
        );
        let sasl = "security.protocol=SASL_PLAINTEXT\n";
        check(sasl, "sasl.mechanism is missing");
        check(
            &format!("{sasl}sasl.mechanism=GSSAPI\nsasl.password=secret"),
            "accepted: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        );
        check(
            &format!("{sasl}sasl.mechanism=PLAIN\nsasl.password=secret"),
            "give sasl.jaas.config, or both sasl.username and sasl.password",
        );
        check(
            &format!(
                "{sasl}sasl.mechanism=PLAIN\nsasl.jaas.config={SCRAM_MODULE} required \
                 username=\"a\" password=\"secret\";"
            ),
            "the login module of PLAIN is org.apache.kafka.common.security.plain",
        );
        check(
            "security.protocol=SSL\nssl.truststore.type=JKS",
            "ssl.truststore.type = JKS: accepted: PEM",
        );
        check(
            "security.protocol=SSL\nssl.ca.location=/no/such.pem",
            "ssl.ca.location /no/such.pem: cannot be read",
        );
        check(
            "security.protocol=SSL\nssl.key.location=/no/such.pem",
            "one's own certificate: give ssl.keystore.location, or both",
        );
    }
}
