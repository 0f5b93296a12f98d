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

/// The wall clock less the monotonic one, in nanoseconds: constant unless the
/// wall clock is stepped or disciplined. Of a few readings the quickest counts.
pub fn wall_lead_nanos() -> i64 {
    const READINGS: usize = 5;
    let reading = |_| {
        let before = Mono::now();
        let wall = clock_gettime(rustix::time::ClockId::Realtime);
        let took = Mono::now().since(before);
        let wall = wall.tv_sec * NANOS_PER_SECOND.cast_signed() + wall.tv_nsec;
        (took, wall - before.plus(took / 2).0.cast_signed())
    };
    let quickest = (0..READINGS).map(reading).min_by_key(|(took, _)| *took);
    quickest.map_or(0, |(_, lead)| lead)
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

/// How long to sleep between arrivals.
///
/// A sleeping thread wakes tens of microseconds late, and each sleep costs
/// some. Where arrivals are far apart it wakes early and polls through the
/// last of the wait, for at most a tenth of the gap: never more than 10 % of a
/// core. Where they are closer than a wake-up is worth, it sleeps for
/// [`Pace::QUANTUM_NANOS`] and hands off together what fell due meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    margin_nanos: u64,
    sleep_nanos_min: u64,
}

impl Pace {
    /// The longest margin: a late wake-up of an idle core.
    pub const MARGIN_NANOS_MAX: u64 = 60_000;
    /// The shortest sleep worth its cost: the schedule lag that it adds stays
    /// well below 100 µs.
    pub const QUANTUM_NANOS: u64 = 50_000;

    /// The pace for arrivals `gap_nanos` apart on average.
    pub fn for_gap(gap_nanos: u64) -> Self {
        let is_dense = gap_nanos < Self::QUANTUM_NANOS;
        Self {
            margin_nanos: (gap_nanos / 10).min(Self::MARGIN_NANOS_MAX),
            sleep_nanos_min: if is_dense { Self::QUANTUM_NANOS } else { 0 },
        }
    }

    /// How long to sleep when the next arrival is `wait_nanos` ahead; 0 when
    /// it has come, or is so close that it is to be polled for.
    pub fn sleep_nanos(self, wait_nanos: u64) -> u64 {
        if wait_nanos == 0 {
            return 0;
        }
        wait_nanos
            .saturating_sub(self.margin_nanos)
            .max(self.sleep_nanos_min)
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
    fn sparse_arrivals_are_polled_for_and_dense_ones_taken_together() {
        let check = |gap, wait, expected| {
            assert_eq!(
                Pace::for_gap(gap).sleep_nanos(wait),
                expected,
                "{gap} {wait}"
            );
        };
        check(1_000_000, 1_000_000, 940_000);
        check(1_000_000, 50_000, 0);
        check(100_000, 100_000, 90_000);
        check(20_000, 20_000, 50_000);
        check(20_000, 500_000, 498_000);
        check(20_000, 0, 0);
    }
}
