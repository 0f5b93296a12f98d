//! For tests only: makes a server slower by a known share.
//!
//! What finds regressions has to be shown one. With a handicap every network
//! thread burns a share of the CPU time that it used since it last did, so that
//! a server with a handicap of 10 % costs a tenth more for the same work. There
//! is no property for it; only `Given::test_only_slowdown` sets it, and the
//! server warns when it does.

use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::hint;
use std::time::Duration;

thread_local! {
    /// The thread's CPU time up to which its share is burnt.
    static BURNT_UP_TO: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A share of CPU time to burn on top of what work takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Handicap {
    share: f64,
}

impl Handicap {
    /// Burns `percent` of the time that work takes; `None` for nothing to burn.
    pub(crate) fn of(percent: u32) -> Option<Self> {
        (percent > 0).then(|| Self {
            share: f64::from(percent) / 100.0,
        })
    }

    /// Burns the share of all that this thread did since it was last here.
    pub(crate) fn burn(self) {
        let now = thread_cpu_time();
        let worked = now.saturating_sub(BURNT_UP_TO.get());
        let until = now + worked.mul_f64(self.share);
        while thread_cpu_time() < until {
            hint::spin_loop();
        }
        BURNT_UP_TO.set(thread_cpu_time());
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_at_least_its_share_more() {
        assert_eq!(Handicap::of(0), None);
        let handicap = Handicap::of(100).expect("more than nothing");
        handicap.burn();
        let before = thread_cpu_time();
        let until = before + Duration::from_millis(20);
        while thread_cpu_time() < until {}
        handicap.burn();
        assert!(thread_cpu_time().saturating_sub(before) >= Duration::from_millis(40));
    }
}
