//! The rank-sum test of Wilcoxon, Mann and Whitney, exact for any ties, for two
//! groups of values that are not pairs.
//!
//! Under "nothing changed" every choice of which values belong to the second
//! group is as likely as any other. The distribution of their rank sum is
//! counted out in full, conditional on the ties.

/// Values that one group may have: beyond it counting out takes too long.
pub const GROUP_MAX: usize = 60;

/// The probability, when nothing changed, that the values of `b` rank at least
/// as high against those of `a` as they do. 1 when a group is empty.
pub fn p_greater(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let mut pooled: Vec<(f64, bool)> = a.iter().map(|v| (*v, false)).collect();
    pooled.extend(b.iter().map(|v| (*v, true)));
    pooled.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut doubled_ranks, mut observed) = (Vec::with_capacity(pooled.len()), 0);
    let mut start = 0;
    for tie in pooled.chunk_by(|x, y| x.0 == y.0) {
        // Ranks start+1 ..= start+len have the mean (2·start + len + 1) / 2.
        let doubled_rank = 2 * start + tie.len() + 1;
        observed += doubled_rank * tie.iter().filter(|(_, in_b)| *in_b).count();
        doubled_ranks.extend(std::iter::repeat_n(doubled_rank, tie.len()));
        start += tie.len();
    }
    let chosen = subset_sums(&doubled_ranks, b.len());
    chosen.iter().skip(observed).rev().sum::<f64>().min(1.0)
}

/// `result[s]` is the probability that `size` of the ranks, chosen at random,
/// sum to `s`.
fn subset_sums(ranks: &[usize], size: usize) -> Vec<f64> {
    let total: usize = ranks.iter().sum();
    let mut by_size = vec![vec![0.0; total + 1]; size + 1];
    by_size[0][0] = 1.0;
    for (seen, rank) in ranks.iter().enumerate() {
        for k in (1..=size.min(seen + 1)).rev() {
            let (smaller, larger) = by_size.split_at_mut(k);
            let (without, with) = (&smaller[k - 1], &mut larger[0]);
            for sum in *rank..=total {
                with[sum] += without[sum - rank];
            }
        }
    }
    let mut chosen = by_size.swap_remove(size);
    let ways: f64 = chosen.iter().sum();
    chosen.iter_mut().for_each(|count| *count /= ways);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &[f64], b: &[f64], expected: f64) {
        let p = p_greater(a, b);
        assert!((p - expected).abs() < 1e-12, "p = {p}, expected {expected}");
    }

    #[test]
    fn separate_groups_have_the_smallest_probability_there_is() {
        check(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 1.0 / 20.0);
        check(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0], 1.0);
        check(&[1.0], &[2.0], 0.5);
        check(&[], &[2.0], 1.0);
    }

    #[test]
    fn ties_share_their_ranks() {
        // Ranks 1, 2.5, 2.5, 4: of six choices of two, {2.5, 4} twice reach 6.5.
        check(&[1.0, 2.0], &[2.0, 3.0], 2.0 / 6.0);
        check(&[1.0, 1.0], &[1.0, 1.0], 1.0);
    }

    #[test]
    fn the_largest_groups_are_still_counted_out() {
        let a: Vec<f64> = (0..GROUP_MAX).map(|i| i as f64).collect();
        let b: Vec<f64> = a.iter().map(|v| v + 0.5).collect();
        let p = p_greater(&a, &b);
        assert!(p > 0.4 && p < 0.6, "{p}");
    }
}
