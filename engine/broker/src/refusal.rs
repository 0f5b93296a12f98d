//! A Kafka error with the words that explain it.

use crate::config::ConfigError;
use plimsoll_wire::error_code::ErrorCode;

/// Why something was not done, for a client to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) words: String,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, words: impl Into<String>) -> Self {
        Self {
            code,
            words: words.into(),
        }
    }
}

/// A refusal whose name says enough.
impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.name())
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        let code = match &error {
            ConfigError::RestartOnly { .. } => ErrorCode::InvalidRequest,
            _ => ErrorCode::InvalidConfig,
        };
        Self::new(code, error.to_string())
    }
}
