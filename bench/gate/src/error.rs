//! What can be wrong with the numbers that the gate is given.

use thiserror::Error;

/// The gate was given something it cannot weigh.
#[derive(Debug, Error, PartialEq)]
pub enum GateError {
    /// A value has no logarithm.
    #[error("{metric}: pair {pair} holds {value}; a value must be positive and finite")]
    NotPositive {
        /// The metric's name.
        metric: String,
        /// The pair's number, from 1.
        pair: usize,
        /// The value found.
        value: f64,
    },
    /// A rule lies outside what makes sense.
    #[error("{field} = {value}: expected {accepted}")]
    Rule {
        /// The rule's name.
        field: &'static str,
        /// The value found.
        value: f64,
        /// What would be accepted.
        accepted: &'static str,
    },
    /// More values than can be counted out.
    #[error("{found} results on one side; accepted: at most {accepted}")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many are taken.
        accepted: usize,
    },
    /// A metric that the session was not started with.
    #[error("a pair needs {expected} metrics, one for each rule; it has {found}")]
    Metrics {
        /// How many rules the session has.
        expected: usize,
        /// How many values the pair has.
        found: usize,
    },
}

impl GateError {
    /// The same error, named after the pair of the whole session.
    pub(crate) fn at_pair(self, number: usize) -> Self {
        match self {
            Self::NotPositive { metric, value, .. } => Self::NotPositive {
                metric,
                pair: number,
                value,
            },
            other => other,
        }
    }
}
