//! A rate over sliding windows, as Kafka measures what quotas bound: a few
//! samples of equal span, of which the oldest are forgotten.
//!
//! It is pure: the time is an argument and never goes back.

use crate::config::QuotaWindows;
use plimsoll_wire::time::Instant;
use std::collections::VecDeque;
use std::time::Duration;

impl QuotaWindows {
    /// The span of all samples.
    pub(crate) fn whole(&self) -> Duration {
        self.span.saturating_mul(self.samples)
    }

    /// The span that is full at any time: of all but the one being filled.
    pub(crate) fn full(&self) -> Duration {
        self.span
            .saturating_mul(self.samples.saturating_sub(1).max(1))
    }
}

/// What was counted since a moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    since: Instant,
    amount: f64,
}

/// A rate that is measured.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    samples: VecDeque<Sample>,
}

impl Rate {
    /// Counts; a negative amount takes back what was counted.
    pub(crate) fn record(&mut self, windows: &QuotaWindows, amount: f64, now: Instant) {
        self.forget(windows, now);
        match self.samples.back_mut() {
            Some(last) if now.since(last.since) < windows.span => last.amount += amount,
            _ => self.samples.push_back(Sample { since: now, amount }),
        }
    }

    /// How long whoever caused this must rest until the rate is down to `bound`
    /// a second.
    pub(crate) fn excess(&mut self, windows: &QuotaWindows, bound: f64, now: Instant) -> Duration {
        self.forget(windows, now);
        let span = self.span(windows, now);
        let amount: f64 = self.samples.iter().map(|sample| sample.amount).sum();
        let due = amount / bound - span.as_secs_f64();
        Duration::try_from_secs_f64(due).unwrap_or_default()
    }

    /// Whether nothing is left of what was counted.
    pub(crate) fn is_idle(&self, windows: &QuotaWindows, now: Instant) -> bool {
        let last = self.samples.back();
        last.is_none_or(|last| now.since(last.since) >= windows.whole())
    }

    fn forget(&mut self, windows: &QuotaWindows, now: Instant) {
        let is_old = |sample: &Sample| now.since(sample.since) >= windows.whole();
        while self.samples.front().is_some_and(is_old) {
            self.samples.pop_front();
        }
    }

    /// What the amount is spread over: at least all samples but the one that is
    /// being filled, so that whoever begins may not fill them at once.
    fn span(&self, windows: &QuotaWindows, now: Instant) -> Duration {
        let oldest = self.samples.front();
        let elapsed = oldest.map_or(Duration::ZERO, |oldest| now.since(oldest.since));
        let begun = elapsed.as_nanos() % windows.span.as_nanos().max(1);
        let begun = Duration::from_nanos(u64::try_from(begun).unwrap_or(0));
        elapsed.max(windows.full().saturating_add(begun).min(windows.whole()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOWS: QuotaWindows = QuotaWindows {
        samples: 11,
        span: Duration::from_secs(1),
    };

    fn at(ms: u64) -> Instant {
        Instant(Duration::from_millis(ms))
    }

    fn excess_ms(rate: &mut Rate, bound: f64, ms: u64) -> u128 {
        rate.excess(&WINDOWS, bound, at(ms)).as_millis()
    }

    #[test]
    fn who_stays_within_the_bound_never_rests() {
        let mut rate = Rate::default();
        for second in 0..60 {
            rate.record(&WINDOWS, 990.0, at(second * 1000));
            assert_eq!(excess_ms(&mut rate, 1000.0, second * 1000 + 999), 0);
        }
    }

    #[test]
    fn who_begins_may_use_what_it_could_have_used() {
        let mut rate = Rate::default();
        rate.record(&WINDOWS, 10_000.0, at(0));
        assert_eq!(excess_ms(&mut rate, 1000.0, 0), 0);
        // Two seconds' worth more rests for two seconds.
        rate.record(&WINDOWS, 2000.0, at(0));
        assert_eq!(excess_ms(&mut rate, 1000.0, 0), 2000);
        rate.record(&WINDOWS, -2000.0, at(0));
        assert_eq!(excess_ms(&mut rate, 1000.0, 0), 0);
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut rate = Rate::default();
        rate.record(&WINDOWS, 50_000.0, at(0));
        assert!(excess_ms(&mut rate, 1000.0, 5000) > 0);
        assert!(!rate.is_idle(&WINDOWS, at(10_999)));
        assert!(rate.is_idle(&WINDOWS, at(11_000)));
        assert_eq!(excess_ms(&mut rate, 1000.0, 11_000), 0);
    }

    proptest! {
        /// Who rests as long as it is told keeps to the bound, though samples that
        /// are forgotten whole forgive a little.
        #[test]
        fn resting_keeps_the_bound(
            amounts in proptest::collection::vec(1.0f64..1000.0, 200),
            bound in 1000.0f64..5000.0,
        ) {
            let (mut rate, mut now, mut total) = (Rate::default(), at(0), 0.0);
            for amount in amounts {
                rate.record(&WINDOWS, amount, now);
                total += amount;
                now = now.after(rate.excess(&WINDOWS, bound, now).max(Duration::from_millis(1)));
            }
            let allowed = bound * (now.since(at(0)) + 2 * WINDOWS.whole()).as_secs_f64();
            prop_assert!(total <= allowed, "{total} of {allowed}");
        }
    }
}
