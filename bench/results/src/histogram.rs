//! Latency histograms: recorded per worker, merged, then summarised.
//!
//! Values are nanoseconds, three significant digits, up to one hour. Nothing
//! is dropped: a value at or below zero is recorded as zero and counted in
//! `not_positive`; one beyond the range is recorded at its end and counted in
//! `clamped`.

use crate::{Latency, LatencyKind, LatencySummary};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::de::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use std::time::Duration;

/// Digits that a recorded value keeps.
pub const SIGNIFICANT_DIGITS: u8 = 3;
/// The largest value recorded as itself: one hour in nanoseconds.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;

/// The fractions at which a spectrum is sampled, as `1 / (1 − fraction)`:
/// nine steps a decade up to one in 10⁷.
const SPECTRUM_DECADES: u32 = 7;
const SPECTRUM_STEPS: u32 = 9;

/// One distribution of latencies.
#[derive(Clone, Debug)]
pub struct Histogram {
    inner: Hdr<u64>,
    not_positive: u64,
    clamped: u64,
}

/// A histogram in JSON: V2 deflate in base 64, and beside it the counts that
/// the format has no place for.
#[derive(Serialize, Deserialize)]
struct Packed {
    values: String,
    not_positive: u64,
    clamped: u64,
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut packed = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.inner, &mut packed)
            .map_err(serde::ser::Error::custom)?;
        let packed = Packed {
            values: BASE64.encode(packed),
            not_positive: self.not_positive,
            clamped: self.clamped,
        };
        packed.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = Packed::deserialize(deserializer)?;
        let bytes = BASE64.decode(packed.values).map_err(D::Error::custom)?;
        let values: Hdr<u64> = hdrhistogram::serialization::Deserializer::new()
            .deserialize(&mut &bytes[..])
            .map_err(D::Error::custom)?;
        let mut own = Self::new();
        own.inner.add(&values).map_err(D::Error::custom)?;
        own.not_positive = packed.not_positive;
        own.clamped = packed.clamped;
        Ok(own)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram with all its memory: recording never allocates.
    pub fn new() -> Self {
        let inner = Hdr::new_with_bounds(1, HIGHEST_NS, SIGNIFICANT_DIGITS)
            .unwrap_or_else(|_| unreachable!("the bounds are constants that hdrhistogram accepts"));
        Self {
            inner,
            not_positive: 0,
            clamped: 0,
        }
    }

    /// Records a difference of two clocks in nanoseconds, which may be negative.
    pub fn record_ns(&mut self, ns: i64) {
        self.record_ns_times(ns, 1);
    }

    /// Records `times` equal values.
    pub fn record_ns_times(&mut self, ns: i64, times: u64) {
        if ns <= 0 {
            self.not_positive += times;
        }
        let value = u64::try_from(ns).unwrap_or(0);
        if value > HIGHEST_NS {
            self.clamped += times;
        }
        self.inner.saturating_record_n(value.min(HIGHEST_NS), times);
    }

    /// Records a duration.
    pub fn record(&mut self, latency: Duration) {
        self.record_ns(i64::try_from(latency.as_nanos()).unwrap_or(i64::MAX));
    }

    /// Adds another worker's values.
    pub fn merge(&mut self, other: &Self) {
        self.inner.add(&other.inner).unwrap_or_else(|_| {
            unreachable!("both histograms have the same constant bounds");
        });
        self.not_positive += other.not_positive;
        self.clamped += other.clamped;
    }

    /// Forgets everything, keeping the memory.
    pub fn reset(&mut self) {
        self.inner.reset();
        self.not_positive = 0;
        self.clamped = 0;
    }

    /// Values recorded.
    pub fn count(&self) -> u64 {
        self.inner.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The value at a percentile in 0..=100, in microseconds; 0 when empty.
    pub fn percentile_us(&self, percentile: f64) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        us(self.inner.value_at_quantile(percentile / 100.0))
    }

    /// The largest value, in microseconds; 0 when empty.
    pub fn max_us(&self) -> f64 {
        us(self.inner.max()).min(us(HIGHEST_NS))
    }

    /// The numbers, or `None` when nothing was recorded.
    pub fn summary(&self) -> Option<LatencySummary> {
        if self.is_empty() {
            return None;
        }
        Some(LatencySummary {
            count: self.count(),
            min_us: us(self.inner.min()),
            mean_us: round_ns(self.inner.mean() / 1e3),
            p50_us: self.percentile_us(50.0),
            p90_us: self.percentile_us(90.0),
            p99_us: self.percentile_us(99.0),
            p999_us: self.percentile_us(99.9),
            max_us: self.max_us(),
            not_positive: self.not_positive,
            clamped: self.clamped,
            spectrum: self.spectrum(),
        })
    }

    /// `(percentile, µs)` from 0 to 100, as far as the count resolves the tail.
    pub fn spectrum(&self) -> Vec<(f64, f64)> {
        if self.is_empty() {
            return Vec::new();
        }
        let fractions = (1..=SPECTRUM_DECADES * SPECTRUM_STEPS)
            .map(|step| 10f64.powf(f64::from(step) / f64::from(SPECTRUM_STEPS)))
            .take_while(|one_in| *one_in <= self.count() as f64)
            .map(|one_in| round_percentile(100.0 * (1.0 - 1.0 / one_in)));
        let mut wanted = fractions.peekable();
        let mut points = vec![(0.0, us(self.inner.min()))];
        let mut below = 0;
        for bar in self.inner.iter_recorded() {
            below += bar.count_since_last_iteration();
            let reached = |p: &f64| (p / 100.0 * self.count() as f64).ceil() as u64 <= below;
            while let Some(percentile) = wanted.next_if(reached) {
                let value = us(bar.value_iterated_to()).min(self.max_us());
                points.push((percentile, value));
            }
        }
        points.push((100.0, self.max_us()));
        points
    }

    /// The histogram itself, in nanoseconds, for serialisation.
    pub(crate) fn hdr(&self) -> &Hdr<u64> {
        &self.inner
    }

    /// Takes over values from a deserialised histogram of nanoseconds.
    pub(crate) fn from_hdr(other: &Hdr<u64>) -> Self {
        let mut histogram = Self::new();
        for bar in other.iter_recorded() {
            let ns = i64::try_from(bar.value_iterated_to()).unwrap_or(i64::MAX);
            histogram.record_ns_times(ns, bar.count_since_last_iteration());
        }
        histogram
    }
}

/// The distributions of one worker or one cell.
#[derive(Clone, Debug, Default)]
pub struct Histograms {
    /// Intended → acknowledged.
    pub response: Histogram,
    /// Handed off → acknowledged.
    pub service: Histogram,
    /// Intended → handed off.
    pub schedule_lag: Histogram,
    /// Intended → consumed.
    pub end_to_end: Histogram,
    /// Commit asked for → answered.
    pub commit: Histogram,
    /// Commit asked for → record read.
    pub visibility: Histogram,
}

impl Histograms {
    /// Empty histograms.
    pub fn new() -> Self {
        Self::default()
    }

    /// One of them.
    pub const fn get(&self, kind: LatencyKind) -> &Histogram {
        match kind {
            LatencyKind::Response => &self.response,
            LatencyKind::Service => &self.service,
            LatencyKind::ScheduleLag => &self.schedule_lag,
            LatencyKind::EndToEnd => &self.end_to_end,
            LatencyKind::Commit => &self.commit,
            LatencyKind::Visibility => &self.visibility,
        }
    }

    /// One of them, to record in.
    pub const fn get_mut(&mut self, kind: LatencyKind) -> &mut Histogram {
        match kind {
            LatencyKind::Response => &mut self.response,
            LatencyKind::Service => &mut self.service,
            LatencyKind::ScheduleLag => &mut self.schedule_lag,
            LatencyKind::EndToEnd => &mut self.end_to_end,
            LatencyKind::Commit => &mut self.commit,
            LatencyKind::Visibility => &mut self.visibility,
        }
    }

    /// Adds another worker's values.
    pub fn merge(&mut self, other: &Self) {
        for kind in LatencyKind::ALL {
            self.get_mut(kind).merge(other.get(kind));
        }
    }

    /// Forgets everything, keeping the memory.
    pub fn reset(&mut self) {
        for kind in LatencyKind::ALL {
            self.get_mut(kind).reset();
        }
    }

    /// The summaries; empty histograms are absent.
    pub fn summary(&self) -> Latency {
        Latency {
            response: self.response.summary(),
            service: self.service.summary(),
            schedule_lag: self.schedule_lag.summary(),
            clock_bound_us: None,
            end_to_end: self.end_to_end.summary(),
            commit: self.commit.summary(),
            visibility: self.visibility.summary(),
        }
    }
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

fn round_ns(us: f64) -> f64 {
    (us * 1e3).round() / 1e3
}

fn round_percentile(percentile: f64) -> f64 {
    (percentile * 1e7).round() / 1e7
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(values_ns: &[i64], percentile: f64, expected_us: f64) {
        let mut histogram = Histogram::new();
        for &ns in values_ns {
            histogram.record_ns(ns);
        }
        let got = histogram.percentile_us(percentile);
        let tolerance = expected_us * 1e-3 + 1e-3;
        assert!(
            (got - expected_us).abs() <= tolerance,
            "p{percentile} of {values_ns:?} is {got} µs, expected {expected_us}"
        );
    }

    #[test]
    fn percentiles_are_values_that_were_recorded() {
        check(&[1_000, 2_000, 3_000], 50.0, 2.0);
        check(&[1_000, 2_000, 3_000], 100.0, 3.0);
        check(&[], 50.0, 0.0);
        check(&[-7, -3, 4_000], 50.0, 0.0);
    }

    #[test]
    fn nothing_is_dropped() {
        let mut histogram = Histogram::new();
        histogram.record_ns(-1);
        histogram.record_ns(0);
        histogram.record_ns(i64::MAX);
        histogram.record(Duration::from_micros(5));
        let summary = histogram.summary().expect("not empty");
        assert_eq!(
            (summary.count, summary.not_positive, summary.clamped),
            (4, 2, 1)
        );
        assert_eq!(summary.max_us, HIGHEST_NS as f64 / 1e3);
    }

    #[test]
    fn the_spectrum_ends_where_the_count_does() {
        let mut histogram = Histogram::new();
        for i in 1..=1_000 {
            histogram.record_ns(i * 1_000);
        }
        let spectrum = histogram.spectrum();
        assert_eq!(spectrum.first(), Some(&(0.0, 1.0)));
        assert_eq!(spectrum.last().map(|p| p.0), Some(100.0));
        let before_last = spectrum[spectrum.len() - 2].0;
        assert_eq!(before_last, 99.9);
        assert!(spectrum.iter().any(|p| p.0 == 99.0));
        for (percentile, us) in &spectrum[1..] {
            assert_eq!(*us, histogram.percentile_us(*percentile), "p{percentile}");
        }
        assert!(spectrum.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn merging_equals_recording_in_one(values in prop::collection::vec(-1_000i64..10_000_000_000, 1..200), cut in 0usize..200) {
            let cut = cut.min(values.len());
            let (mut whole, mut left, mut right) = (Histogram::new(), Histogram::new(), Histogram::new());
            for (i, &ns) in values.iter().enumerate() {
                whole.record_ns(ns);
                if i < cut { left.record_ns(ns) } else { right.record_ns(ns) }
            }
            left.merge(&right);
            prop_assert_eq!(left.summary(), whole.summary());
        }
    }
}
