//! `log.cleaner.io.max.bytes.per.second`: how long a pass must wait.

use parking_lot::Mutex;
use plimsoll_wire::time::Instant;
use std::time::Duration;

/// The bytes that all threads together have moved, as the time they pay for.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// Until when the bytes so far have paid.
    paid_until: Mutex<Instant>,
}

impl Throttle {
    /// Pays for `bytes` at `per_second`; how long to wait before moving more.
    pub(super) fn wait(&self, bytes: u64, per_second: f64, now: Instant) -> Duration {
        let cost = Duration::try_from_secs_f64(bytes as f64 / per_second.max(1.0));
        let mut paid_until = self.paid_until.lock();
        *paid_until = (*paid_until).max(now).after(cost.unwrap_or(Duration::MAX));
        paid_until.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_the_rate_and_an_idle_time_saves_nothing_up() {
        let throttle = Throttle::default();
        let at = |ms| Instant(Duration::from_millis(ms));
        let check = |bytes, ms, expected_ms| {
            let wait = throttle.wait(bytes, 1000.0, at(ms));
            assert_eq!(wait, Duration::from_millis(expected_ms), "{bytes} at {ms}");
        };
        check(500, 0, 500);
        // Another thread, at the same time.
        check(500, 0, 1000);
        check(100, 900, 200);
        check(100, 10_000, 100);
        assert_eq!(throttle.wait(1 << 30, f64::MAX, at(20_000)), Duration::ZERO);
    }
}
