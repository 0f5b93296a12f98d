//! How far two machines' clocks are apart, and how well that is known.
//!
//! One side sends its time, the other answers with its own, the first notes
//! when the answer came. The other's clock was read between sending and
//! receiving, whatever the network did, so each exchange confines the offset to
//! an interval as long as the round trip; exchanges together confine it to
//! their intersection, widened by what the clocks may have drifted between
//! them. Nothing is assumed of the network: its delays may be as lopsided as
//! they like. (Cristian, 1989; Marzullo and Owicki, 1983.)
//!
//! Pure. On one machine there is one monotonic clock and nothing to bound.

/// Most that two clocks drift apart: quartz, and a disciplining daemon's slew.
const DRIFT_PER_SECOND_NANOS: i64 = 1_000_000;

/// One question and its answer, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Our clock when the question left.
    pub sent: i64,
    /// The other's clock when it answered.
    pub theirs: i64,
    /// Our clock when the answer came.
    pub received: i64,
}

/// Where the other's clock is, seen from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockBound {
    /// What to add to our clock to get the other's, in nanoseconds.
    pub offset: i64,
    /// The most by which that may be wrong.
    pub bound: i64,
}

impl ClockBound {
    /// The same clock on both sides.
    pub const SAME: Self = Self {
        offset: 0,
        bound: 0,
    };

    /// The bound at `now` by our clock, from exchanges before it. `None` when
    /// there is none, or when they contradict each other: then a clock was
    /// stepped, and no offset holds for all of them.
    pub fn of(exchanges: &[Exchange], now: i64) -> Option<Self> {
        let mut low = i64::MIN;
        let mut high = i64::MAX;
        for exchange in exchanges.iter().filter(|e| e.received >= e.sent) {
            let age = now.saturating_sub(exchange.sent).max(0);
            let drift = age / 1_000_000_000 * DRIFT_PER_SECOND_NANOS
                + age % 1_000_000_000 * DRIFT_PER_SECOND_NANOS / 1_000_000_000;
            let slowest = exchange.theirs.saturating_sub(exchange.received);
            let fastest = exchange.theirs.saturating_sub(exchange.sent);
            low = low.max(slowest.saturating_sub(drift));
            high = high.min(fastest.saturating_add(drift));
        }
        if exchanges.is_empty() || low > high || low == i64::MIN {
            return None;
        }
        let bound = high.saturating_sub(low) / 2;
        Some(Self {
            offset: low.saturating_add(bound),
            bound: bound + 1,
        })
    }

    /// Whether the true offset may be `offset`.
    pub const fn admits(self, offset: i64) -> bool {
        offset.abs_diff(self.offset) <= self.bound.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    /// An exchange with a peer `skew` ahead over a network with these delays.
    fn exchange(sent: i64, skew: i64, there: i64, back: i64) -> Exchange {
        Exchange {
            sent,
            theirs: sent + there + skew,
            received: sent + there + back,
        }
    }

    #[test]
    fn fifty_milliseconds_of_skew_lie_inside_the_bound() {
        for skew in [-50 * MS, 50 * MS] {
            let exchanges = [
                exchange(0, skew, 9 * MS, MS / 5),
                exchange(20 * MS, skew, MS / 5, 7 * MS),
                exchange(40 * MS, skew, MS / 4, MS / 3),
            ];
            let bound = ClockBound::of(&exchanges, 60 * MS).expect("they agree");
            assert!(bound.admits(skew), "{bound:?}");
            assert!(!bound.admits(0), "no skew at all is ruled out: {bound:?}");
            assert!(bound.bound < MS, "the quickest exchange decides: {bound:?}");
        }
    }

    #[test]
    fn a_clock_that_was_stepped_is_noticed() {
        let exchanges = [
            exchange(0, 0, MS / 5, MS / 5),
            exchange(20 * MS, 50 * MS, MS / 5, MS / 5),
        ];
        assert_eq!(ClockBound::of(&exchanges, 40 * MS), None);
        assert_eq!(ClockBound::of(&[], 0), None);
    }

    proptest! {
        #[test]
        fn the_truth_is_never_outside(
            skew in -10_000 * MS..10_000 * MS,
            delays in proptest::collection::vec((0..200 * MS, 0..200 * MS), 1..20),
            drift_ppm in -900i64..900,
        ) {
            let at = |index: usize| index as i64 * 500 * MS;
            let drifted = |time: i64| skew + time / 1_000_000 * drift_ppm;
            let exchanges: Vec<Exchange> = delays
                .iter()
                .enumerate()
                .map(|(index, (there, back))| {
                    exchange(at(index), drifted(at(index)), *there, *back)
                })
                .collect();
            let now = at(delays.len()) + 400 * MS;
            let bound = ClockBound::of(&exchanges, now);
            prop_assert!(bound.is_some_and(|bound| bound.admits(drifted(now))), "{bound:?}");
        }
    }
}
