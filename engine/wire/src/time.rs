//! Time as an argument: the one type that tells pure code what time it is.

use crate::types::TimestampMs;
use std::time::Duration;

/// The two clocks of one instant. The wall clock may jump and dates records;
/// the monotonic clock never goes back and measures waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: TimestampMs,
    /// The monotonic clock.
    pub mono: Instant,
}

/// A reading of a monotonic clock: time since some fixed start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub Duration);

impl Instant {
    /// The instant `wait` later. Saturates, so that "for ever" stays for ever.
    #[must_use]
    pub const fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// The time from `earlier` to this instant, zero when it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
