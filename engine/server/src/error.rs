//! Why a server does not start.

use plimsoll_broker::config::ConfigError;
use std::io;
use std::path::PathBuf;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A settings file cannot be read.
    #[error("{}: cannot be read: {}", .path.display(), reason(.why))]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// A settings file is not in the format.
    #[error("{}: {why}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        why: crate::properties::BadLine,
    },
    /// A settings file is not TOML.
    #[error("{}: {why}", .path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        why: String,
    },
    /// A cluster cannot be what was asked for.
    #[error("{0}")]
    Cluster(String),
    /// A setting is not `PROPERTY=VALUE`.
    #[error("--set {0}: give PROPERTY=VALUE, for example num.partitions=6")]
    NotAPair(String),
    /// A property is unknown or its value is not accepted.
    #[error("{origin}: {why}")]
    Property {
        /// Where it was set: `--set` or a file and its line.
        origin: String,
        /// What is wrong with it.
        why: ConfigError,
    },
    /// An address is not one.
    #[error("{origin} {value}: give {accepted}")]
    Address {
        /// Where it was set: `--listen` or a property.
        origin: &'static str,
        /// What was given.
        value: String,
        /// What would be accepted.
        accepted: &'static str,
    },
    /// A listener cannot be secured as asked.
    #[error("listener {listener}: {property}: {why}")]
    Security {
        /// The listener's name.
        listener: String,
        /// Which property is wrong or missing.
        property: String,
        /// Why, without a secret in it.
        why: String,
    },
    /// A SCRAM user on the command line is none.
    #[error(
        "--add-scram: {0}; give SCRAM-SHA-256=[name=NAME,password=PASSWORD], iterations=N if you like"
    )]
    ScramUser(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {}", reason(.why))]
    Listen {
        /// The address as configured.
        listen: String,
        /// Why not.
        why: io::Error,
    },
    /// The broker cannot use its data directories.
    #[error("{0}")]
    Broker(String),
    /// A thread or a socket could not be made.
    #[error("cannot start: {}", reason(.0))]
    Start(#[from] io::Error),
}

impl ServerError {
    /// Whether what was asked for is wrong, rather than could not be done.
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::File { .. }
                | Self::Line { .. }
                | Self::Toml { .. }
                | Self::Cluster(_)
                | Self::NotAPair(_)
                | Self::Property { .. }
                | Self::Address { .. }
                | Self::Security { .. }
                | Self::ScramUser(_)
        )
    }
}

/// An error of the operating system in the middle of a sentence.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => return "the port is taken".into(),
        io::ErrorKind::AddrNotAvailable => return "this machine has no such address".into(),
        _ => {}
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_lower_case_and_without_numbers() {
        let check = |code: i32, expected: &str| {
            assert_eq!(reason(&io::Error::from_raw_os_error(code)), expected);
        };
        check(98, "the port is taken");
        check(13, "permission denied");
        check(2, "no such file or directory");
        check(24, "too many open files");
    }
}
