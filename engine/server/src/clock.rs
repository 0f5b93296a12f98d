//! The one clock of the process: `Now` for the pure code, and the way back to
//! the runtime's timers.

use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::TimestampMs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far ahead a timer is set when its instant lies beyond the clock's range.
const FAR_AHEAD: Duration = Duration::from_secs(86_400 * 365);

/// Reads the operating system's clocks; monotonic time counts from its creation.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }

    /// Both clocks, read once.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            wall: TimestampMs(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)),
            mono: Instant(self.start.elapsed()),
        }
    }

    /// When `at` comes, for a timer of the runtime.
    pub(crate) fn alarm(&self, at: Instant) -> tokio::time::Instant {
        let std = self
            .start
            .checked_add(at.0)
            .unwrap_or_else(|| self.start + FAR_AHEAD);
        tokio::time::Instant::from_std(std)
    }

    /// How long it is from now until `at`.
    pub(crate) fn until(&self, at: Instant) -> Duration {
        at.since(Instant(self.start.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_for_ever_ahead_is_still_a_timer() {
        let clock = Clock::start();
        let ever = Instant(Duration::MAX);
        assert!(clock.alarm(ever) > clock.alarm(Instant(Duration::from_secs(3600))));
        assert!(clock.until(ever) > FAR_AHEAD);
    }
}
