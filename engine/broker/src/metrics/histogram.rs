//! How long something took, in buckets.

use super::family::Spread;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets, in microseconds; the last has none.
const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// Times in buckets, which any thread adds to.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Takes note of one time.
    #[inline]
    pub fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What was noted, in milliseconds.
    pub fn spread(&self) -> Spread {
        let mut count = 0;
        let bounds = BOUNDS_US.iter().map(|us| *us as f64 / 1000.0);
        let buckets = bounds
            .chain([f64::INFINITY])
            .zip(&self.buckets)
            .map(|(bound, bucket)| {
                let n = bucket.load(Ordering::Relaxed);
                count += n;
                (bound, n)
            })
            .collect();
        Spread {
            buckets,
            count,
            sum: self.sum_us.load(Ordering::Relaxed) as f64 / 1000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_first_bucket_that_reaches_it() {
        let check = |us: u64, bound_ms: f64| {
            let times = Histogram::default();
            times.record(Duration::from_micros(us));
            let spread = times.spread();
            let hit: Vec<f64> = spread
                .buckets
                .iter()
                .filter(|(_, n)| *n == 1)
                .map(|(bound, _)| *bound)
                .collect();
            assert_eq!((hit, spread.count), (vec![bound_ms], 1), "{us} us");
            assert!((spread.sum - us as f64 / 1000.0).abs() < 1e-9);
        };
        check(0, 0.1);
        check(100, 0.1);
        check(101, 0.25);
        check(10_000_000, 10_000.0);
        check(10_000_001, f64::INFINITY);
    }
}
