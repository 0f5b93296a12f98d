//! Why a result could not be read or written.

use std::path::PathBuf;

/// Everything that can go wrong between a result and its directory.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The operating system refused.
    #[error("cannot {action} {path}", path = .path.display())]
    Io {
        /// What was tried, as a verb: `read`, `write`, `rename`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The refusal.
        source: std::io::Error,
    },
    /// The directory holds no `result.json`.
    #[error(
        "{path} holds no result.json: give the directory that `plimsoll run` wrote with --out",
        path = .path.display()
    )]
    NoResult {
        /// The directory.
        path: PathBuf,
    },
    /// The text is not a result.
    #[error("{path} is not a plimsoll result: {reason}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The text is a result of a later version and does not fit this one.
    #[error(
        "{path} was written with result schema {found}, this plimsoll reads up to {supported}: \
         use a newer plimsoll ({reason})",
        path = .path.display()
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The latest version understood.
        supported: u32,
        /// The field that did not fit.
        reason: String,
    },
    /// A histogram could not be written or read.
    #[error("histogram log {path}: {reason}", path = .path.display())]
    Histogram {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
