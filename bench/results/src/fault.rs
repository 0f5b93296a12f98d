//! A fault that was caused on purpose, and what it did to the throughput.

use crate::cell::Second;
use crate::stats::Spread;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Throughput counts as recovered from this share of what it was before.
const RECOVERED: f64 = 0.9;

/// What was done to a node of the embedded cluster. Times are in seconds since
/// the measured window began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// What was done, in words: `kill node 1`.
    pub what: String,
    /// Its kind, as in the workload: `kill`, `pause`, `cut` or `slow-disk`.
    pub kind: String,
    /// The node that it was done to.
    pub node: u32,
    /// When it began.
    pub from_s: f64,
    /// When it ended; absent when it lasted until the cell was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_s: Option<f64>,
    /// What it did to the throughput; absent where there was nothing before or
    /// nothing after it to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dip: Option<Dip>,
}

/// Throughput around a fault, by whole seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dip {
    /// Records acknowledged per second before it: the median of the seconds
    /// since the last fault.
    pub before_records_per_s: f64,
    /// Records acknowledged in the worst second from its begin until the
    /// throughput had recovered.
    pub lowest_records_per_s: f64,
    /// Seconds from its begin until the first second that reached nine tenths of
    /// what was there before, after those that did not; 0 when none fell below,
    /// absent when it did not recover before the next fault or the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_after_s: Option<f64>,
}

impl Fault {
    /// What the fault did to a cell of this timeline. `since` is when the fault
    /// before it began or ended, `until` when the next one begins.
    pub fn dip(&self, timeline: &[Second], since: f64, until: f64) -> Option<Dip> {
        let starts = |second: &Second| f64::from(second.second);
        let calm: Vec<f64> = timeline
            .iter()
            .filter(|second| starts(second) >= since && starts(second) + 1.0 <= self.from_s)
            .map(|second| second.records as f64)
            .collect();
        let before = Spread::of(&calm)?.median;
        if before <= 0.0 {
            return None;
        }
        let mut dip = Dip {
            before_records_per_s: before,
            lowest_records_per_s: before,
            recovered_after_s: Some(0.0),
        };
        let mut is_low = false;
        let hit = timeline.iter().filter(|second| {
            let at = starts(second);
            at + 1.0 > self.from_s && at + 1.0 <= until
        });
        let mut seen = false;
        for second in hit {
            seen = true;
            let records = second.records as f64;
            if records < before * RECOVERED {
                is_low = true;
                dip.recovered_after_s = None;
                dip.lowest_records_per_s = dip.lowest_records_per_s.min(records);
            } else if is_low {
                dip.recovered_after_s = Some((starts(second) - self.from_s).max(0.0));
                break;
            }
        }
        seen.then_some(dip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(records: &[u64]) -> Vec<Second> {
        let seconds = (0..).zip(records).map(|(second, records)| Second {
            second,
            records: *records,
            ..Second::default()
        });
        seconds.collect()
    }

    fn check(records: &[u64], from_s: f64, expected: Option<(f64, Option<f64>)>) {
        let fault = Fault {
            from_s,
            ..Fault::default()
        };
        let dip = fault.dip(&timeline(records), 0.0, f64::INFINITY);
        let tenths = |seconds: f64| (seconds * 10.0).round() / 10.0;
        let found = dip.map(|dip| (dip.lowest_records_per_s, dip.recovered_after_s.map(tenths)));
        assert_eq!(found, expected, "{records:?} from {from_s}");
    }

    #[test]
    fn a_dip_is_the_worst_second_and_ends_with_the_first_good_one() {
        check(&[10, 10, 10, 2, 0, 9, 30], 3.2, Some((0.0, Some(1.8))));
        check(&[10, 10, 10, 10], 2.5, Some((10.0, Some(0.0))));
        check(&[10, 10, 5, 5], 2.0, Some((5.0, None)));
        // The second in which the fault begins may still look well.
        check(&[10, 10, 10, 0, 10], 2.9, Some((0.0, Some(1.1))));
        // Two dips of one fault: the first good second after the first ends it.
        check(&[10, 10, 0, 10, 0], 2.0, Some((0.0, Some(1.0))));
    }

    #[test]
    fn without_a_before_or_an_after_there_is_no_dip() {
        check(&[10, 10], 0.5, None);
        check(&[0, 0, 0], 2.0, None);
        check(&[10, 10], 2.0, None);
    }

    #[test]
    fn other_faults_are_left_out() {
        let fault = Fault {
            from_s: 4.0,
            ..Fault::default()
        };
        // The second in which the next one begins is that one's.
        let dip = fault.dip(&timeline(&[90, 90, 10, 10, 1, 1, 0]), 2.0, 6.9);
        let dip = dip.expect("a dip");
        assert_eq!(
            (dip.before_records_per_s, dip.lowest_records_per_s),
            (10.0, 1.0)
        );
        assert_eq!(dip.recovered_after_s, None);
    }
}
