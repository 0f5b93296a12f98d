//! From the listeners' properties to what each is opened with.
//!
//! A property of one listener, `listener.name.NAME.PROPERTY`, is stronger than
//! the property of all.

use crate::error::ServerError;
use crate::jaas;
use crate::settings::HostPort;
use crate::tls::{ClientAuth, KeySettings, Pem, Tls};
use plimsoll_broker::config::{BrokerConfig, ConfigError, LISTENER_PREFIX, elements};
use plimsoll_broker::{Listener, SaslMechanism, SecurityProtocol};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most listeners of a node.
const LISTENERS_MAX: usize = 64;

/// One listener.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// What the broker knows of it.
    pub listener: Arc<Listener>,
    /// Where to listen.
    pub listen: HostPort,
    /// What clients are told, when that is another address.
    pub advertised: Option<HostPort>,
    /// What it encrypts with.
    pub tls: Option<Tls>,
    /// Whether clients are told of it; they are not of the controllers' own.
    pub for_clients: bool,
}

/// The listeners that clients use, in the order of the property.
pub fn read(
    broker: &BrokerConfig,
    warnings: &mut Vec<String>,
) -> Result<Vec<ListenerSettings>, ServerError> {
    let layers = broker.layers();
    let set = broker.properties();
    let list = set.get("listeners").map_or("", String::as_str);
    let advertised = set.get("advertised.listeners").map_or("", String::as_str);
    let mut told: BTreeMap<String, HostPort> =
        addresses("advertised.listeners", advertised, broker, warnings)?
            .into_iter()
            .collect();
    let map = protocols(
        layers
            .broker("listener.security.protocol.map")
            .unwrap_or(""),
    )?;
    let mut found: Vec<ListenerSettings> = Vec::new();
    let controllers = set.get("controller.listener.names");
    let controllers = controllers.map_or("", String::as_str);
    for (name, listen) in addresses("listeners", list, broker, warnings)? {
        if found.iter().any(|one| one.listener.name == name) || found.len() == LISTENERS_MAX {
            return Err(address("listeners", list, "each listener once, at most 64"));
        }
        let of_listener = Scope {
            broker,
            name: &name,
        };
        let protocol = map.get(&name.to_uppercase()).copied();
        let is_named = elements(controllers).any(|controller| controller == name);
        let misplaced = match (broker.roles.broker, broker.roles.controller) {
            (false, _) if !controllers.is_empty() && !is_named => {
                Some("a node that is no broker has listeners of controllers only")
            }
            (_, false) if is_named => {
                Some("a node that is no controller has none of its listeners")
            }
            _ => None,
        };
        if let Some(reason) = misplaced {
            return Err(property(ConfigError::Contradiction {
                name: "listeners".into(),
                value: name,
                other: format!("controller.listener.names={controllers}"),
                reason,
            }));
        }
        let is_controllers = is_named || !broker.roles.broker;
        let implied = is_controllers.then_some(SecurityProtocol::Plaintext);
        let implied = implied.or_else(|| SecurityProtocol::from_name(&name));
        let Some(protocol) = protocol.or(implied) else {
            return Err(property(ConfigError::OutOfRange {
                name: "listener.security.protocol.map".into(),
                value: format!("no protocol of listener {name}"),
                accepted: format!("{name}:PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
            }));
        };
        found.push(ListenerSettings {
            tls: of_listener.tls(protocol)?,
            listener: Arc::new(Listener {
                for_controllers: is_controllers,
                ..of_listener.listener(protocol)?
            }),
            listen,
            advertised: told.remove(&name),
            for_clients: !is_controllers,
        });
    }
    if found.is_empty() {
        return Err(address("listeners", list, "a listener as NAME://HOST:PORT"));
    }
    if let Some(name) = told.into_keys().next() {
        let accepted = "the names that `listeners` has";
        return Err(address("advertised.listeners", &name, accepted));
    }
    Ok(found)
}

/// The one listener in plain text at `listen`.
pub fn plain(listen: HostPort) -> ListenerSettings {
    ListenerSettings {
        listener: Arc::default(),
        listen,
        advertised: None,
        tls: None,
        for_clients: true,
    }
}

fn address(origin: &'static str, value: &str, accepted: &'static str) -> ServerError {
    ServerError::Address {
        origin,
        value: value.to_owned(),
        accepted,
    }
}

fn property(why: ConfigError) -> ServerError {
    ServerError::Property {
        origin: "listeners".into(),
        why,
    }
}

/// The names and addresses of a list that clients use.
fn addresses(
    origin: &'static str,
    list: &str,
    broker: &BrokerConfig,
    warnings: &mut Vec<String>,
) -> Result<Vec<(String, HostPort)>, ServerError> {
    let controllers = broker.properties().get("controller.listener.names");
    let controllers = controllers.map_or("", String::as_str);
    let mut found = Vec::new();
    for element in elements(list) {
        let error = || address(origin, list, "listeners as NAME://HOST:PORT");
        let (name, at) = element.split_once("://").ok_or_else(error)?;
        if elements(controllers).any(|controller| controller == name) {
            if broker.voters.is_empty() {
                warnings.push(format!(
                    "{origin}: {name} has no effect here: one node needs no controller listener"
                ));
                continue;
            }
            if origin != "listeners" {
                continue;
            }
        }
        found.push((name.to_owned(), HostPort::parse(at).ok_or_else(error)?));
    }
    Ok(found)
}

fn protocols(map: &str) -> Result<BTreeMap<String, SecurityProtocol>, ServerError> {
    elements(map)
        .map(|element| {
            let pair = element.split_once(':');
            let pair = pair.and_then(|(name, protocol)| {
                let protocol = SecurityProtocol::from_name(protocol.trim())?;
                Some((name.trim().to_uppercase(), protocol))
            });
            let accepted = "NAME:PLAINTEXT, NAME:SSL, NAME:SASL_PLAINTEXT or NAME:SASL_SSL";
            pair.ok_or_else(|| address("listener.security.protocol.map", element, accepted))
        })
        .collect()
}

/// The properties of one listener.
struct Scope<'a> {
    broker: &'a BrokerConfig,
    name: &'a str,
}

impl Scope<'_> {
    /// The full name of a property of this listener alone.
    fn own(&self, name: &str) -> String {
        format!("{LISTENER_PREFIX}{}.{name}", self.name.to_lowercase())
    }

    fn get(&self, name: &str) -> Option<String> {
        let own = self.broker.properties().get(&self.own(name)).cloned();
        own.or_else(|| self.broker.layers().broker(name).map(str::to_owned))
            .filter(|value| !value.is_empty())
    }

    fn wrong(&self, name: &str, why: impl Into<String>) -> ServerError {
        ServerError::Security {
            listener: self.name.to_owned(),
            property: name.to_owned(),
            why: why.into(),
        }
    }

    fn tls(&self, protocol: SecurityProtocol) -> Result<Option<Tls>, ServerError> {
        if !protocol.is_tls() {
            return Ok(None);
        }
        let pem = |file: &str, text: &str| {
            let file = self.get(file).map(|path| Pem::File(path.into()));
            file.or_else(|| self.get(text).map(Pem::Text))
        };
        let missing = || {
            let why = "set it to a PEM file with the node's private key and certificates";
            self.wrong("ssl.keystore.location", why)
        };
        let settings = KeySettings {
            chain: pem("ssl.keystore.location", "ssl.keystore.certificate.chain")
                .ok_or_else(missing)?,
            key: pem("ssl.keystore.location", "ssl.keystore.key").ok_or_else(missing)?,
            trust: pem("ssl.truststore.location", "ssl.truststore.certificates"),
            client_auth: match self.get("ssl.client.auth").as_deref() {
                Some("required") => ClientAuth::Required,
                Some("requested") => ClientAuth::Requested,
                _ => ClientAuth::None,
            },
            versions: elements(&self.get("ssl.enabled.protocols").unwrap_or_default())
                .map(str::to_owned)
                .collect(),
        };
        let loaded = Tls::load(&settings);
        loaded
            .map(Some)
            .map_err(|(name, why)| self.wrong(name, why))
    }

    fn listener(&self, protocol: SecurityProtocol) -> Result<Listener, ServerError> {
        let mut listener = Listener {
            name: self.name.to_owned(),
            protocol,
            ..Listener::default()
        };
        if !protocol.is_sasl() {
            return Ok(listener);
        }
        let names = self.get("sasl.enabled.mechanisms").unwrap_or_default();
        listener.mechanisms = elements(&names)
            .filter_map(SaslMechanism::from_name)
            .collect();
        if listener.mechanisms.is_empty() {
            let why = "set it to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, or a list of them";
            return Err(self.wrong("sasl.enabled.mechanisms", why));
        }
        for mechanism in SaslMechanism::ALL {
            let name = format!("{}.sasl.jaas.config", mechanism.name().to_lowercase());
            let entry = self.broker.properties().get(&self.own(&name));
            match mechanism {
                SaslMechanism::Plain => {
                    let users = entry.map(|entry| plain_users(entry)).transpose();
                    let users = users.map_err(|why| self.wrong(&name, why))?;
                    listener.plain_users = users.unwrap_or_default();
                    if listener.plain_users.is_empty() && listener.mechanisms.contains(&mechanism) {
                        let why = "PLAIN has no user: give PlainLoginModule required \
                                   user_NAME=\"PASSWORD\";";
                        return Err(self.wrong(&name, why));
                    }
                }
                SaslMechanism::Scram(_) if entry.is_some() => {
                    let why = "leave it out: SCRAM's users are kept in the cluster's metadata, \
                               add them with `serve --add-scram` or kafka-configs.sh";
                    return Err(self.wrong(&name, why));
                }
                SaslMechanism::Scram(_) => {}
            }
        }
        if let Some(bytes) = self.get("sasl.server.max.receive.size") {
            listener.stranger_bytes_max = bytes.parse().unwrap_or(listener.stranger_bytes_max);
        }
        Ok(listener)
    }
}

/// The users of PLAIN: `user_NAME="PASSWORD"`.
fn plain_users(text: &str) -> Result<BTreeMap<String, String>, &'static str> {
    let entry = jaas::parse(text)?;
    if entry.module != jaas::PLAIN_MODULE {
        return Err(
            "give the login module org.apache.kafka.common.security.plain.PlainLoginModule",
        );
    }
    let mut users = BTreeMap::new();
    for (name, password) in entry.options {
        match name.strip_prefix("user_") {
            Some(user) if !user.is_empty() => drop(users.insert(user.to_owned(), password)),
            // What a broker of Kafka's calls other brokers with.
            _ if name == "username" || name == "password" => {}
            _ => return Err("an option is none of user_NAME, username and password"),
        }
    }
    Ok(users)
}
