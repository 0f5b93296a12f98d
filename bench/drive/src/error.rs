//! What can go wrong while driving a cluster, in the user's words.

use kafka_protocol::ResponseError;
use std::io;

/// Why a cell, or a whole run, could not be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// No broker of the target answered.
    #[error("target {target} is unreachable: {cause}")]
    Unreachable {
        /// The bootstrap addresses, as the user gave them.
        target: String,
        /// What the last attempt met.
        cause: String,
    },
    /// A connection broke.
    #[error("broker {broker}: {action} failed")]
    Io {
        /// Which broker.
        broker: String,
        /// What was being done.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A broker did not answer in time.
    #[error("broker {broker} did not answer {request} within {waited_ms} ms")]
    Timeout {
        /// Which broker.
        broker: String,
        /// The request's name.
        request: &'static str,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// A broker's bytes make no sense.
    #[error("broker {broker} sent a malformed response: {detail}")]
    Malformed {
        /// Which broker.
        broker: String,
        /// What was wrong.
        detail: String,
    },
    /// A broker speaks no version of a request that this client speaks.
    #[error("broker {broker} offers no usable version of api key {api_key}")]
    Unsupported {
        /// Which broker.
        broker: String,
        /// The request's key.
        api_key: i16,
    },
    /// A broker refused a request.
    #[error("{request} refused: {} ({message})", code_name(*code))]
    Refused {
        /// What was asked.
        request: String,
        /// Kafka's error code.
        code: i16,
        /// The broker's own words, when it had any.
        message: String,
    },
    /// A broker and this client do not trust each other.
    #[error("broker {broker}: {reason}")]
    Security {
        /// Which broker.
        broker: String,
        /// Why not.
        reason: String,
    },
    /// The librdkafka client failed.
    #[error("librdkafka: {0}")]
    Librdkafka(#[from] rdkafka::error::KafkaError),
    /// The cell asks for what the driver cannot do.
    #[error("{field} = {value} is not possible: {accepted}")]
    Setting {
        /// The field in the workload.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would be accepted.
        accepted: String,
    },
    /// The workload's input cannot be used.
    #[error("{0}")]
    Input(String),
    /// A result could not be written.
    #[error(transparent)]
    Result(#[from] plimsoll_results::ResultError),
    /// A fault that the workload asks for could not be caused.
    #[error("cannot {fault}: {cause}")]
    Fault {
        /// The fault, in words.
        fault: String,
        /// Why not.
        cause: String,
    },
    /// The user stopped the run.
    #[error("stopped before the cell was finished")]
    Interrupted,
    /// The embedded broker ended in the middle of a cell.
    #[error("the broker ended while it was measured: {0}")]
    BrokerDied(String),
    /// A worker thread ended by panicking, or could not be started.
    #[error("{worker} failed: {cause}")]
    Worker {
        /// Which worker.
        worker: String,
        /// Why.
        cause: String,
    },
}

impl DriveError {
    /// A refusal by error code, `Ok` when the code is 0.
    pub(crate) fn check(code: i16, request: &str, message: Option<&str>) -> Result<(), Self> {
        if code == 0 {
            return Ok(());
        }
        Err(Self::Refused {
            request: request.to_owned(),
            code,
            message: message.unwrap_or("no further detail").to_owned(),
        })
    }
}

/// Kafka's name of an error code.
pub fn code_name(code: i16) -> String {
    ResponseError::try_from_code(code).map_or_else(|| "none".to_owned(), |error| error.to_string())
}

/// Whether the same request may succeed later. That a transaction is still being
/// ended is over in a moment, whatever the codec's table says: Kafka's own producer
/// asks again.
pub fn is_retriable(code: i16) -> bool {
    ResponseError::try_from_code(code)
        .is_some_and(|error| error.is_retriable() || error == ResponseError::ConcurrentTransactions)
}
