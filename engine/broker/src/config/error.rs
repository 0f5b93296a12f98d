//! What can be wrong with a setting.

use thiserror::Error;

/// A setting that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// No property has this name.
    #[error("{name}: no such property{}", nearest.map(|n| format!(", did you mean {n}?")).unwrap_or_default())]
    Unknown {
        /// The name that was given.
        name: String,
        /// The known name that is nearest to it.
        nearest: Option<&'static str>,
    },
    /// The value is of the wrong type or outside its range.
    #[error("{name}: {value} is not accepted, give {accepted}")]
    OutOfRange {
        /// The property.
        name: String,
        /// The value that was given.
        value: String,
        /// What would be accepted.
        accepted: String,
    },
    /// Kafka knows the property, the engine does not do what it asks.
    #[error("{name}: {value} is not supported, only {default}: {reason}")]
    Unsupported {
        /// The property.
        name: String,
        /// The value that was given.
        value: String,
        /// The only value that is accepted.
        default: String,
        /// Why.
        reason: &'static str,
    },
    /// Kafka knows the property, the engine has nothing of the kind.
    #[error("{name}: known to Kafka but not supported here: {reason}")]
    NotOffered {
        /// The property.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The property may not change while the broker runs.
    #[error("{name}: cannot be changed while the broker runs, set it at start")]
    RestartOnly {
        /// The property.
        name: String,
    },
    /// An append or subtract on a property that is no list.
    #[error("{name}: append and subtract are accepted for lists only")]
    NotAList {
        /// The property.
        name: String,
    },
    /// Two settings exclude each other.
    #[error("{name}: {value} contradicts {other}: {reason}")]
    Contradiction {
        /// The property.
        name: String,
        /// Its value.
        value: String,
        /// The other setting.
        other: String,
        /// Why both cannot hold.
        reason: &'static str,
    },
}
