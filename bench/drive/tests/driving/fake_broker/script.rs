//! What becomes of produce requests, as a test says.

use std::time::Duration;

/// What becomes of a produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is appended and acknowledged.
    Append,
    /// It is appended and acknowledged after a wait.
    AppendAfter(Duration),
    /// It is refused with this error code.
    Refuse(i16),
    /// It is acknowledged and forgotten.
    Lose,
    /// It is appended twice and acknowledged once.
    Repeat,
    /// It is appended with one byte of its last record flipped.
    Damage,
    /// It is acknowledged at once and appended behind the next one.
    HoldBack,
    /// It is appended and the connection closed before the answer.
    AppendAndHangUp,
    /// The connection is closed.
    HangUp,
}

/// Decides by the number of the produce request, from 0.
pub type Script = fn(u64) -> Action;
