//! When a run warms up, measures and drains.

use crate::clock::Mono;
use std::time::Duration;

/// The phases of one cell on the monotonic clock, fixed before it starts:
/// warm-up `[start, from)`, measurement `[from, to)`, drain `[to, give_up)`.
///
/// A record belongs to the measurement by its *intended* time; a rate counts
/// what was acknowledged or consumed within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the schedule begins.
    pub start: Mono,
    /// When the measurement begins.
    pub from: Mono,
    /// When the schedule and the measurement end.
    pub to: Mono,
    /// When what is still unfinished is given up.
    pub give_up: Mono,
}

impl Window {
    /// The window of a cell that starts at `start`.
    pub fn new(start: Mono, warmup: Duration, duration: Duration, drain: Duration) -> Self {
        let from = start.after(warmup);
        let to = from.after(duration);
        Self {
            start,
            from,
            to,
            give_up: to.after(drain),
        }
    }

    /// Whether `time` lies in the measurement.
    pub fn measures(&self, time: Mono) -> bool {
        self.from <= time && time < self.to
    }

    /// The second of the measurement that `time` lies in; the drain goes on
    /// counting, and whatever came before counts as second 0.
    pub fn second(&self, time: Mono) -> u32 {
        u32::try_from(time.since(self.from) / 1_000_000_000).unwrap_or(u32::MAX)
    }

    /// The measured time.
    pub const fn length(&self) -> Duration {
        self.to.elapsed_since(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measurement_begins_after_the_warm_up_and_ends_before_the_drain() {
        let second = Duration::from_secs(1);
        let window = Window::new(Mono(5), second, second * 2, second);
        let check = |time: u64, measured: bool, second: u32| {
            assert_eq!(window.measures(Mono(time)), measured, "{time}");
            assert_eq!(window.second(Mono(time)), second, "{time}");
        };
        check(5, false, 0);
        check(1_000_000_004, false, 0);
        check(1_000_000_005, true, 0);
        check(2_000_000_005, true, 1);
        check(3_000_000_004, true, 1);
        check(3_000_000_005, false, 2);
        assert_eq!(window.give_up, Mono(4_000_000_005));
        assert_eq!(window.length(), second * 2);
    }
}
