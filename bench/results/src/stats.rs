//! Statistics over repeats: distribution-free, exact, and honest about few
//! repeats.
//!
//! The unit is the run of a cell. Nothing here assumes normality or has a
//! random part. An interval always carries its exact confidence, because with
//! three repeats no distribution-free interval reaches 95 %, and saying less
//! is better than assuming more. One value has no interval.
//!
//! Sources: order statistics for the median; Hodges and Lehmann (1963) for
//! shifts, with the signed-rank null distribution when values are paired and
//! the rank-sum null distribution when they are not.

/// The confidence that intervals aim for when the repeats allow it.
pub const CONFIDENCE: f64 = 0.95;

/// An interval with the confidence it really has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Probability, in 0..1, that such an interval covers the truth.
    pub confidence: f64,
}

impl Interval {
    /// Whether the interval holds `value`.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The spread of one metric over the repeats of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Number of repeats.
    pub n: usize,
    /// Median.
    pub median: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Interval of the median; absent for a single repeat.
    pub interval: Option<Interval>,
}

impl Spread {
    /// The spread of `values`; `None` when there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self {
            n: sorted.len(),
            median: middle(&sorted),
            min,
            max,
            interval: median_interval(&sorted),
        })
    }

    /// Whether the repeats differ at all, so that a whisker would show.
    pub fn has_width(&self) -> bool {
        self.max > self.min
    }
}

/// An estimated difference between two sets of repeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The Hodges–Lehmann estimate.
    pub estimate: f64,
    /// Its interval; absent when either side has a single value.
    pub interval: Option<Interval>,
    /// Pairs when paired, the smaller side's repeats otherwise.
    pub n: usize,
    /// Whether values were paired by block.
    pub paired: bool,
}

impl Shift {
    /// The shift seen through a monotonic function, such as `exp`.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let interval = self.interval.map(|i| Interval {
            low: f(i.low),
            high: f(i.high),
            confidence: i.confidence,
        });
        Self {
            estimate: f(self.estimate),
            interval,
            ..self
        }
    }

    /// Whether the interval excludes `value`; false without an interval.
    pub fn excludes(&self, value: f64) -> bool {
        self.interval.is_some_and(|i| !i.contains(value))
    }
}

/// The shift of paired differences: median of their Walsh averages.
pub fn paired_shift(differences: &[f64]) -> Option<Shift> {
    let n = differences.len();
    let mut walsh = Vec::with_capacity(n * (n + 1) / 2);
    for (i, a) in differences.iter().enumerate() {
        walsh.extend(differences[i..].iter().map(|b| f64::midpoint(*a, *b)));
    }
    let walsh = sorted(&walsh);
    if walsh.is_empty() {
        return None;
    }
    let interval = (n > 1).then(|| symmetric_interval(&walsh, &signed_rank_counts(n)));
    Some(Shift {
        estimate: middle(&walsh),
        interval,
        n,
        paired: true,
    })
}

/// The shift from `a` to `b` when their values are not paired: median of all
/// differences.
pub fn unpaired_shift(a: &[f64], b: &[f64]) -> Option<Shift> {
    let all: Vec<f64> = b
        .iter()
        .flat_map(|y| a.iter().map(move |x| y - x))
        .collect();
    let all = sorted(&all);
    if all.is_empty() {
        return None;
    }
    let few = a.len().min(b.len());
    let interval = (few > 1).then(|| symmetric_interval(&all, &rank_sum_counts(a.len(), b.len())));
    Some(Shift {
        estimate: middle(&all),
        interval,
        n: few,
        paired: false,
    })
}

/// The ratio `b / a` of positive values, not paired; `None` when a value is not
/// positive.
pub fn unpaired_ratio(a: &[f64], b: &[f64]) -> Option<Shift> {
    Some(unpaired_shift(&logs(a)?, &logs(b)?)?.map(f64::exp))
}

/// The ratio `b / a` of pairs of positive values `(a, b)`.
pub fn paired_ratio(pairs: &[(f64, f64)]) -> Option<Shift> {
    let differences: Vec<f64> = pairs.iter().map(|&(a, b)| (b / a).ln()).collect();
    if differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    Some(paired_shift(&differences)?.map(f64::exp))
}

fn logs(values: &[f64]) -> Option<Vec<f64>> {
    values
        .iter()
        .map(|&v| (v > 0.0 && v.is_finite()).then(|| v.ln()))
        .collect()
}

/// The narrowest symmetric pair of order statistics with 95 % coverage, or the
/// whole range with the coverage it has.
fn median_interval(sorted: &[f64]) -> Option<Interval> {
    let n = sorted.len();
    if n < 2 {
        return None;
    }
    let total = 2f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let mut binomial = vec![0.0; n + 1];
    let mut term = 1.0;
    for (k, slot) in binomial.iter_mut().enumerate() {
        *slot = term / total;
        term = term * (n - k) as f64 / (k + 1) as f64;
    }
    Some(symmetric_interval(sorted, &binomial))
}

/// The narrowest interval between the `k`-th smallest and `k`-th largest value
/// whose coverage is at least [`CONFIDENCE`], or the widest there is. `null[k]`
/// is the probability that exactly `k` of the sorted values lie below the
/// truth.
fn symmetric_interval(sorted: &[f64], null: &[f64]) -> Interval {
    let last = sorted.len() - 1;
    let mut tail = null[0];
    let mut depth = 0;
    while depth < last / 2 {
        let next = tail + null[depth + 1];
        if 1.0 - 2.0 * next < CONFIDENCE {
            break;
        }
        tail = next;
        depth += 1;
    }
    Interval {
        low: sorted[depth],
        high: sorted[last - depth],
        confidence: 1.0 - 2.0 * tail,
    }
}

/// Null distribution of the signed-rank statistic for `n` pairs: the sum of a
/// random subset of 1..=n.
fn signed_rank_counts(n: usize) -> Vec<f64> {
    let mut probability = vec![0.0; n * (n + 1) / 2 + 1];
    probability[0] = 1.0;
    for rank in 1..=n {
        for sum in (0..probability.len()).rev() {
            let with = sum.checked_sub(rank).map_or(0.0, |less| probability[less]);
            probability[sum] = f64::midpoint(probability[sum], with);
        }
    }
    probability
}

/// Null distribution of the rank-sum (Mann–Whitney U) statistic for sides of
/// `m` and `n`, by the recurrence on which side the largest value belongs to.
fn rank_sum_counts(m: usize, n: usize) -> Vec<f64> {
    let mut rows: Vec<Vec<f64>> = vec![vec![1.0]; n + 1];
    for i in 1..=m {
        let mut next: Vec<Vec<f64>> = vec![vec![1.0]];
        for j in 1..=n {
            let total = (i + j) as f64;
            let mut row = vec![0.0; i * j + 1];
            for (u, p) in rows[j].iter().enumerate() {
                row[u + j] += p * i as f64 / total;
            }
            for (u, p) in next[j - 1].iter().enumerate() {
                row[u] += p * j as f64 / total;
            }
            next.push(row);
        }
        rows = next;
    }
    rows.swap_remove(n)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        f64::midpoint(sorted[half - 1], sorted[half])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_spread(values: &[f64], median: f64, interval: Option<(f64, f64, f64)>) {
        let spread = Spread::of(values).expect("values");
        assert_eq!(spread.median, median);
        let got = spread.interval.map(|i| (i.low, i.high, i.confidence));
        match (got, interval) {
            (Some(got), Some(want)) => {
                assert_eq!((got.0, got.1), (want.0, want.1));
                assert!((got.2 - want.2).abs() < 1e-9, "{} for {}", got.2, want.2);
            }
            (got, want) => assert_eq!(got, want),
        }
    }

    #[test]
    fn the_median_interval_has_its_exact_coverage() {
        check_spread(&[3.0], 3.0, None);
        check_spread(&[5.0, 1.0], 3.0, Some((1.0, 5.0, 0.5)));
        check_spread(&[3.0, 1.0, 2.0], 2.0, Some((1.0, 3.0, 0.75)));
        check_spread(&[1.0, 2.0, 3.0, 4.0, 5.0], 3.0, Some((1.0, 5.0, 0.9375)));
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        check_spread(&ten, 5.5, Some((2.0, 9.0, 0.978_515_625)));
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[f64::NAN]), None);
    }

    #[track_caller]
    fn check_shift(shift: Option<Shift>, estimate: f64, low: f64, high: f64, confidence: f64) {
        let shift = shift.expect("a shift");
        let interval = shift.interval.expect("an interval");
        let got = [
            shift.estimate,
            interval.low,
            interval.high,
            interval.confidence,
        ];
        for (got, want) in got.iter().zip([estimate, low, high, confidence]) {
            assert!((got - want).abs() < 1e-9, "{got:?} for {want:?}");
        }
    }

    #[test]
    fn shifts_are_hodges_lehmann_with_exact_intervals() {
        check_shift(paired_shift(&[1.0, 2.0, 4.0]), 2.25, 1.0, 4.0, 0.75);
        let six = [1.1, 2.2, 0.4, 3.1, 1.9, 2.6];
        check_shift(paired_shift(&six), 1.9, 0.4, 3.1, 0.96875);
        check_shift(
            unpaired_shift(&[1.0, 2.0, 3.0], &[11.0, 12.0, 14.0]),
            10.0,
            8.0,
            13.0,
            0.9,
        );
        check_shift(
            unpaired_ratio(&[10.0, 10.0], &[20.0, 40.0]),
            800f64.sqrt() / 10.0,
            2.0,
            4.0,
            1.0 - 2.0 / 6.0,
        );
        assert_eq!(paired_ratio(&[(0.0, 1.0)]), None);
        assert_eq!(paired_shift(&[]), None);
        assert_eq!(paired_shift(&[2.0]).and_then(|s| s.interval), None);
        assert_eq!(
            unpaired_shift(&[1.0], &[2.0]).map(|s| s.estimate),
            Some(1.0)
        );
    }

    #[test]
    fn null_distributions_match_published_tables() {
        let cumulative = |null: &[f64], k: usize| null[..=k].iter().sum::<f64>();
        // Signed rank, n = 10: P(T ≤ 8) = 0.0244; rank sum, 5 and 5: P(U ≤ 2) = 4/252.
        assert!((cumulative(&signed_rank_counts(10), 8) - 25.0 / 1024.0).abs() < 1e-12);
        assert!((cumulative(&rank_sum_counts(5, 5), 2) - 4.0 / 252.0).abs() < 1e-12);
        for (m, n) in [(1, 1), (2, 5), (7, 3)] {
            let null = rank_sum_counts(m, n);
            assert_eq!(null.len(), m * n + 1);
            assert!((null.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn intervals_hold_their_estimate(values in prop::collection::vec(-1e6f64..1e6, 2..40)) {
            let spread = Spread::of(&values).expect("values");
            let interval = spread.interval.expect("two values");
            prop_assert!(interval.contains(spread.median));
            prop_assert!(spread.min <= interval.low && interval.high <= spread.max);
            let shift = paired_shift(&values).expect("values");
            prop_assert!(shift.interval.expect("two values").contains(shift.estimate));
            prop_assert!(interval.confidence > 0.0 && interval.confidence < 1.0);
        }

        #[test]
        fn shifting_one_side_shifts_the_estimate(a in prop::collection::vec(-1e3f64..1e3, 2..10), by in -1e3f64..1e3) {
            let b: Vec<f64> = a.iter().map(|v| v + by).collect();
            let shift = unpaired_shift(&a, &b).expect("values");
            prop_assert!((shift.estimate - by).abs() < 1e-6);
        }
    }
}
