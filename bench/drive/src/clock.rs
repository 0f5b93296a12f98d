//! The one clock of a run: `CLOCK_MONOTONIC` in nanoseconds.
//!
//! Every process of one machine reads the same monotonic clock, so a stamp
//! taken by a producer and read by a consumer on that machine needs no
//! correction. Across machines it means nothing.

use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};
use std::num::NonZeroU64;
use std::time::Duration;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A reading of the monotonic clock, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// The clock's reading now.
    pub fn now() -> Self {
        let time = clock_gettime(rustix::time::ClockId::Monotonic);
        Self(time.tv_sec.unsigned_abs() * NANOS_PER_SECOND + time.tv_nsec.unsigned_abs())
    }

    /// The reading `nanos` later.
    #[must_use]
    pub const fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The reading `wait` later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        self.plus(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Nanoseconds since `earlier`, zero when that lies ahead.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Time since `earlier`, zero when that lies ahead.
    pub const fn elapsed_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.since(earlier))
    }

    fn timespec(self) -> Timespec {
        timespec(self.0)
    }
}

/// `nanos` as the kernel takes it.
pub fn timespec(nanos: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(nanos / NANOS_PER_SECOND).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanos % NANOS_PER_SECOND).unwrap_or(0),
    }
}

/// Sleeps until `deadline`; returns at once when it has passed.
pub fn sleep_until(deadline: Mono) {
    while Mono::now() < deadline {
        if clock_nanosleep_absolute(ClockId::Monotonic, &deadline.timespec()).is_ok() {
            return;
        }
    }
}

/// Milliseconds of the wall clock since the Unix epoch, for record timestamps.
pub fn wall_ms() -> i64 {
    let time = clock_gettime(rustix::time::ClockId::Realtime);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// CPU time that the calling thread has used, in nanoseconds.
pub fn thread_cpu_nanos() -> u64 {
    let time = clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec.unsigned_abs() * NANOS_PER_SECOND + time.tv_nsec.unsigned_abs()
}

/// Asks the kernel to wake the calling thread on time. The default lets it
/// group wake-ups within 50 µs. A refusal is harmless and ignored.
pub fn sharpen_timers() {
    let _refused = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// How long before an arrival to stop sleeping and poll instead.
///
/// A sleeping thread wakes tens of microseconds late. Polling through that
/// time costs a core, so the margin is at most a tenth of the gap between
/// arrivals: never more than 10 % of a core, and nothing at rates where the
/// gap is shorter than a wake-up anyway.
#[derive(Clone, Copy, Debug)]
pub struct SpinMargin(u64);

impl SpinMargin {
    /// The longest margin: a late wake-up of an idle core.
    pub const NANOS_MAX: u64 = 60_000;

    /// The margin for arrivals `gap_nanos` apart on average.
    pub const fn for_gap(gap_nanos: u64) -> Self {
        let tenth = gap_nanos / 10;
        Self(if tenth < Self::NANOS_MAX {
            tenth
        } else {
            Self::NANOS_MAX
        })
    }

    /// How long to sleep when the next event is `wait_nanos` ahead.
    pub const fn sleep_nanos(self, wait_nanos: u64) -> u64 {
        wait_nanos.saturating_sub(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_never_ends_early() {
        let deadline = Mono::now().plus(300_000);
        sleep_until(deadline);
        assert!(Mono::now() >= deadline);
        sleep_until(Mono(0));
    }

    #[test]
    fn polling_takes_at_most_a_tenth_of_the_gap() {
        let check = |gap, wait, expected| {
            assert_eq!(SpinMargin::for_gap(gap).sleep_nanos(wait), expected);
        };
        check(1_000_000, 1_000_000, 940_000);
        check(20_000, 20_000, 18_000);
        check(0, 500, 500);
        check(10_000_000, 1_000, 0);
    }
}
