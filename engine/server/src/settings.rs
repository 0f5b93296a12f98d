//! From what the user gave to what the server and the broker are started with.
//!
//! Weakest first: a settings file, then `--set`, then `--listen` and `--data`,
//! which are `listeners` and `log.dirs` in short. Every property is checked
//! where it was set, so that an error can say where that was.

use crate::error::ServerError;
use crate::limits::Limits;
use crate::listeners::{self, ListenerSettings};
use crate::properties;
use crate::scram_users;
use plimsoll_broker::ScramUser;
use plimsoll_broker::config::{BrokerConfig, check_broker_start};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a broker listens when nothing says otherwise: this machine only, since
/// no client is asked who it is.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9092";
/// Where a broker keeps its data when nothing says otherwise.
pub const DEFAULT_DATA: &str = "plimsoll-data";

/// What the user gave.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// A file of properties.
    pub file: Option<PathBuf>,
    /// `PROPERTY=VALUE` each.
    pub set: Vec<String>,
    /// `HOST:PORT`.
    pub listen: Option<String>,
    /// The directory for all data.
    pub data: Option<PathBuf>,
    /// `HOST:PORT` for scrapes of metrics.
    pub metrics: Option<String>,
    /// SCRAM users, in the notation of Kafka's storage tool.
    pub add_scram: Vec<String>,
    /// For tests: how much slower than it could be the server is, in percent of
    /// CPU time. Nobody else wants it.
    pub test_only_slowdown: u32,
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The broker's part; its advertised addresses are filled in once bound.
    pub broker: BrokerConfig,
    /// The listeners.
    pub listeners: Vec<ListenerSettings>,
    /// Users that may come in by SCRAM, to be kept.
    pub scram_users: Vec<ScramUser>,
    /// The bounds on clients.
    pub limits: Limits,
    /// Where metrics are served, if they are.
    pub metrics: Option<HostPort>,
    /// What was given and has no effect.
    pub warnings: Vec<String>,
}

/// A host and a port; no host means every address of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address, without the brackets of IPv6.
    pub host: String,
    /// 0 for any free port.
    pub port: u16,
}

impl HostPort {
    /// Reads `HOST:PORT` or `[IPV6]:PORT`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.trim().rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = match bare {
            Some(inside) => inside,
            None if host.contains([':', '/', '[', ']', ' ']) => return None,
            None => host,
        };
        Some(Self {
            host: host.to_owned(),
            port: port.parse().ok()?,
        })
    }

    /// Whether it stands for every address of the machine.
    pub fn is_any(&self) -> bool {
        matches!(self.host.as_str(), "" | "0.0.0.0" | "::")
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Settings {
    /// Reads, checks and merges everything that was given.
    ///
    /// # Errors
    /// When a file cannot be read, or a property is unknown or not accepted.
    pub fn read(given: &Given) -> Result<Self, ServerError> {
        let mut pairs = Vec::new();
        if let Some(path) = &given.file {
            read_file(path, &mut pairs)?;
        }
        for text in &given.set {
            let (name, value) = text
                .split_once('=')
                .ok_or_else(|| ServerError::NotAPair(text.clone()))?;
            checked("--set", name.trim(), value.trim(), &mut pairs)?;
        }
        if let Some(data) = &given.data {
            let dir = data.to_str().ok_or_else(|| ServerError::Address {
                origin: "--data",
                value: data.display().to_string(),
                accepted: "a directory whose name is unicode text",
            })?;
            checked("--data", "log.dirs", dir, &mut pairs)?;
        } else if !pairs
            .iter()
            .any(|(name, _)| name == "log.dirs" || name == "log.dir")
        {
            checked("default", "log.dirs", DEFAULT_DATA, &mut pairs)?;
        }
        let (broker, warnings) =
            BrokerConfig::from_properties(pairs).map_err(|why| ServerError::Property {
                origin: "settings".into(),
                why,
            })?;
        Self::assemble(given, broker, warnings)
    }

    fn assemble(
        given: &Given,
        mut broker: BrokerConfig,
        mut warnings: Vec<String>,
    ) -> Result<Self, ServerError> {
        for dir in &mut broker.log_dirs {
            *dir = std::path::absolute(&*dir)?;
        }
        let set = broker.properties();
        let listeners = match (&given.listen, set.contains_key("listeners")) {
            (Some(listen), _) => vec![listeners::plain(given_address(listen)?)],
            (None, true) => listeners::read(&broker, &mut warnings)?,
            (None, false) => vec![listeners::plain(given_address(DEFAULT_LISTEN)?)],
        };
        let metrics = given.metrics.as_deref().map(|text| {
            HostPort::parse(text).ok_or_else(|| ServerError::Address {
                origin: "--metrics",
                value: text.to_owned(),
                accepted: "HOST:PORT, for example 127.0.0.1:9404 or [::1]:0",
            })
        });
        let scram_users = given.add_scram.iter().map(|text| scram_users::parse(text));
        let scram_users = scram_users.collect::<Result<_, _>>()?;
        let mut limits = limits(&broker);
        limits.test_only_slowdown = given.test_only_slowdown;
        if given.test_only_slowdown > 0 {
            warnings.push(format!(
                "every request is made {} % slower on purpose, for a test",
                given.test_only_slowdown
            ));
        }
        Ok(Self {
            metrics: metrics.transpose()?,
            broker,
            listeners,
            scram_users,
            limits,
            warnings,
        })
    }
}

fn read_file(path: &Path, pairs: &mut Vec<(String, String)>) -> Result<(), ServerError> {
    let path = path.to_owned();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(why) => return Err(ServerError::File { path, why }),
    };
    if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        return read_toml(&path, &text, pairs);
    }
    let lines = match properties::parse(&text) {
        Ok(lines) => lines,
        Err(why) => return Err(ServerError::Line { path, why }),
    };
    for line in lines {
        let origin = format!("{}: line {}", path.display(), line.number);
        checked(&origin, &line.name, &line.value, pairs)?;
    }
    Ok(())
}

/// Settings in TOML: a key with dots, or tables within tables, is a property's
/// name, and an array a list.
fn read_toml(
    path: &Path,
    text: &str,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), ServerError> {
    let table: toml::Table = toml::from_str(text).map_err(|error| ServerError::Toml {
        path: path.to_owned(),
        why: error.message().to_owned(),
    })?;
    let mut found = Vec::new();
    for (key, value) in &table {
        flatten(key, value, &mut found);
    }
    let origin = path.display().to_string();
    for (name, value) in found {
        checked(&origin, &name, &value, pairs)?;
    }
    Ok(())
}

fn flatten(name: &str, value: &toml::Value, found: &mut Vec<(String, String)>) {
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                flatten(&format!("{name}.{key}"), value, found);
            }
        }
        toml::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            found.push((name.to_owned(), items.join(",")));
        }
        other => found.push((name.to_owned(), text(other))),
    }
}

/// Adds a setting after checking it. Its warning is given when all are known.
fn checked(
    origin: &str,
    name: &str,
    value: &str,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), ServerError> {
    match check_broker_start(name, value) {
        Ok(_warning) => pairs.push((name.to_owned(), value.to_owned())),
        Err(why) => {
            return Err(ServerError::Property {
                origin: origin.to_owned(),
                why,
            });
        }
    }
    Ok(())
}

fn given_address(text: &str) -> Result<HostPort, ServerError> {
    HostPort::parse(text).ok_or_else(|| ServerError::Address {
        origin: "--listen",
        value: text.to_owned(),
        accepted: "HOST:PORT, for example 127.0.0.1:9092 or [::1]:0",
    })
}

fn limits(broker: &BrokerConfig) -> Limits {
    let layers = broker.layers();
    let default = Limits::default();
    let count = |name: &str, otherwise: usize| {
        layers
            .number(name)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(otherwise)
    };
    Limits {
        frame_bytes_max: count("socket.request.max.bytes", default.frame_bytes_max),
        connections_max: count("max.connections", default.connections_max),
        connections_per_ip_max: count("max.connections.per.ip", default.connections_per_ip_max),
        large_frames_bytes_max: layers
            .number("queued.max.request.bytes")
            .and_then(|bytes| usize::try_from(bytes).ok()),
        idle: layers
            .number("connections.max.idle.ms")
            .map_or(default.idle, |ms| {
                u64::try_from(ms).map_or(Duration::MAX, Duration::from_millis)
            }),
        ..default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[&str]) -> Result<Settings, ServerError> {
        let set = set.iter().map(|s| (*s).to_owned()).collect();
        Settings::read(&Given {
            set,
            ..Given::default()
        })
    }

    #[test]
    fn the_listener_is_read_as_kafka_writes_it() {
        let check = |set: &[&str], host: &str, port: u16, advertised: Option<&str>| {
            let listener = read(set).unwrap().listeners.remove(0);
            let host = host.to_owned();
            assert_eq!(listener.listen, HostPort { host, port }, "{set:?}");
            let told = listener.advertised.map(|at| at.to_string());
            assert_eq!(told.as_deref(), advertised, "{set:?}");
        };
        check(&[], "127.0.0.1", 9092, None);
        check(&["listeners=PLAINTEXT://:9093"], "", 9093, None);
        check(&["listeners=PLAINTEXT://[::1]:0"], "::1", 0, None);
        check(
            &[
                "listeners=IN://0.0.0.0:9092",
                "listener.security.protocol.map=IN:PLAINTEXT",
                "advertised.listeners=IN://kafka.example:19092",
            ],
            "0.0.0.0",
            9092,
            Some("kafka.example:19092"),
        );
        check(
            &[
                "listeners=PLAINTEXT://:9092,CONTROLLER://:9093",
                "controller.listener.names=CONTROLLER",
            ],
            "",
            9092,
            None,
        );
    }

    #[test]
    fn what_was_given_on_the_command_line_is_stronger_than_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.properties");
        std::fs::write(
            &file,
            "num.partitions=2\nlog.dirs=/file\nlisteners=A://file:1\n",
        )
        .unwrap();
        let given = Given {
            file: Some(file),
            set: vec!["num.partitions=3".into()],
            listen: Some("localhost:0".into()),
            data: Some("/given".into()),
            metrics: None,
            ..Given::default()
        };
        let settings = Settings::read(&given).unwrap();
        assert_eq!(settings.broker.layers().number("num.partitions"), Some(3));
        assert_eq!(settings.broker.log_dirs, [PathBuf::from("/given")]);
        assert_eq!(
            settings.listeners[0].listen,
            HostPort {
                host: "localhost".into(),
                port: 0
            }
        );
    }

    #[test]
    fn limits_come_from_kafkas_properties() {
        let settings = read(&["connections.max.idle.ms=-1", "max.connections=7"]).unwrap();
        assert_eq!(settings.limits.idle, Duration::MAX);
        assert_eq!(settings.limits.connections_max, 7);
        assert_eq!(settings.limits.frame_bytes_max, 104_857_600);
    }

    #[test]
    fn errors_say_where_the_setting_was_made_and_what_would_be_accepted() {
        let check = |set: &[&str], expected: &str| {
            assert_eq!(read(set).unwrap_err().to_string(), expected);
        };
        check(
            &["num.partition=3"],
            "--set: num.partition: no such property, did you mean num.partitions?",
        );
        check(
            &["x"],
            "--set x: give PROPERTY=VALUE, for example num.partitions=6",
        );
        check(
            &["num.partitions=none"],
            "--set: num.partitions: none is not accepted, give an integer of at least 1",
        );
        check(
            &["listeners=localhost:9092"],
            "listeners localhost:9092: give listeners as NAME://HOST:PORT",
        );
        check(
            &["listeners=PLAINTEXT://h:1,PLAINTEXT://h:2"],
            "listeners PLAINTEXT://h:1,PLAINTEXT://h:2: give each listener once, at most 64",
        );
        let missing = Given {
            file: Some("/no/such".into()),
            ..Given::default()
        };
        assert_eq!(
            Settings::read(&missing).unwrap_err().to_string(),
            "/no/such: cannot be read: no such file or directory"
        );
    }

    #[test]
    fn a_wrong_property_in_a_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.properties");
        std::fs::write(&file, "# mine\n\nnum.partition=2\n").unwrap();
        let given = Given {
            file: Some(file.clone()),
            ..Given::default()
        };
        assert_eq!(
            Settings::read(&given).unwrap_err().to_string(),
            format!(
                "{}: line 3: num.partition: no such property, did you mean num.partitions?",
                file.display()
            )
        );
    }
}
