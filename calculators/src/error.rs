//! Why a calculation was refused.

use crate::exact::Exact;
use std::fmt::Display;

/// What is wrong with an input. Names the field, its value and what would be
/// accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The value is outside of what the field takes.
    #[error("{field} is {value}; accepted: {accepted}")]
    Refused {
        /// The field's name.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        accepted: String,
    },
    /// A result needs more than 128 bits.
    #[error("{line} is too large to compute; accepted: inputs that are smaller or rounder")]
    TooLarge {
        /// The line of the answer.
        line: String,
    },
    /// Runs give no calibration, or a file holds none.
    #[error(
        "calibration: {reason}; accepted: what `plimsoll calibrate` wrote, from valid runs of one machine"
    )]
    Calibration {
        /// What is wrong.
        reason: String,
    },
    /// Text is no input of a calculator.
    #[error("the input of {calculator}: {reason}; accepted: what the schema of {calculator} says")]
    Json {
        /// What the reader said, with the field.
        reason: String,
        /// The calculator.
        calculator: String,
    },
    /// A file of prices cannot be read.
    #[error("prices: {reason}; accepted: a file like the one that `size cost` ships with")]
    Prices {
        /// What the reader said.
        reason: String,
    },
}

impl InputError {
    /// `field` holds `value`, and takes `accepted`.
    pub fn refused(field: &'static str, value: impl Display, accepted: impl Into<String>) -> Self {
        Self::Refused {
            field,
            value: value.to_string(),
            accepted: accepted.into(),
        }
    }
}

/// Refuses nothing at all in a field that must hold something.
pub(crate) fn above_zero<T>(field: &'static str, value: T) -> Result<Exact, InputError>
where
    T: Copy + Display + Into<Exact>,
{
    let exact = value.into();
    match exact.is_zero() {
        true => Err(InputError::refused(field, value, "a value above zero")),
        false => Ok(exact),
    }
}

/// Refuses a number outside of `least..=most`.
pub(crate) fn within(
    field: &'static str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<Exact, InputError> {
    match (least..=most).contains(&value) {
        true => Ok(value.into()),
        false => Err(InputError::refused(
            field,
            value,
            format!("{least} to {most}"),
        )),
    }
}
