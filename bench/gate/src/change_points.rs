//! Finds the runs at which a metric's level moved, in history kept over weeks.
//!
//! E-divisive: the best place to cut a series in two is where the two sides lie
//! furthest apart by the energy distance; each side is then searched again. A
//! cut counts only if Student's t-test with the sample variance (n − 1) finds the
//! two neighbouring stretches different and the level moved by more than the
//! margin. The caller compares runs of one machine fingerprint only.
//!
//! Sources: Matteson and James (2014) for the divergence; Fleming et al.,
//! "Hunter" (ICPE 2023) for the t-test in place of a random permutation test,
//! which makes the answer the same every time.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A level that changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChangePoint {
    /// The first run of the new level.
    pub index: usize,
    /// Mean of the stretch before.
    pub before: f64,
    /// Mean of the stretch from here to the next change point.
    pub after: f64,
    /// Probability of such a difference when nothing changed.
    pub p_value: f64,
}

impl ChangePoint {
    /// The change as a fraction of the level before.
    pub fn change(&self) -> f64 {
        self.after / self.before - 1.0
    }
}

/// How sure and how large a change must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensitivity {
    /// Largest p-value that counts. Default 0.001.
    pub p_value: f64,
    /// Smallest change that counts, as a fraction. Default 0.03.
    pub margin: f64,
}

impl Default for Sensitivity {
    fn default() -> Self {
        Self {
            p_value: 0.001,
            margin: 0.03,
        }
    }
}

/// A stretch shorter than this has no variance worth the name.
const SHORTEST_STRETCH: usize = 3;

/// The change points of a series in order.
pub fn change_points(series: &[f64], sensitivity: &Sensitivity) -> Vec<ChangePoint> {
    let mut cuts = Vec::new();
    search(series, 0, sensitivity, &mut cuts);
    cuts.sort_unstable();
    settle(series, cuts, sensitivity)
}

/// Cuts `series` where its sides differ most and searches both sides.
fn search(series: &[f64], start: usize, sensitivity: &Sensitivity, cuts: &mut Vec<usize>) {
    let Some(cut) = best_cut(series) else { return };
    let (left, right) = series.split_at(cut);
    if student_p_value(left, right).is_none_or(|p| p > sensitivity.p_value) {
        return;
    }
    cuts.push(start + cut);
    search(left, start, sensitivity, cuts);
    search(right, start + cut, sensitivity, cuts);
}

/// A cut was judged against whole sides that later cuts broke up. Judge each
/// against its neighbouring stretches, drop the weakest that no longer counts,
/// and repeat until all count.
fn settle(series: &[f64], mut cuts: Vec<usize>, sensitivity: &Sensitivity) -> Vec<ChangePoint> {
    loop {
        let found: Vec<ChangePoint> = (0..cuts.len()).map(|i| point(series, &cuts, i)).collect();
        let weakest = found
            .iter()
            .enumerate()
            .filter(|(_, point)| {
                point.p_value > sensitivity.p_value || point.change().abs() < sensitivity.margin
            })
            .max_by(|a, b| a.1.p_value.total_cmp(&b.1.p_value));
        match weakest {
            Some((index, _)) => cuts.remove(index),
            None => return found,
        };
    }
}

fn point(series: &[f64], cuts: &[usize], position: usize) -> ChangePoint {
    let start = if position == 0 { 0 } else { cuts[position - 1] };
    let end = cuts.get(position + 1).copied().unwrap_or(series.len());
    let index = cuts[position];
    let (left, right) = (&series[start..index], &series[index..end]);
    ChangePoint {
        index,
        before: mean(left),
        after: mean(right),
        p_value: student_p_value(left, right).unwrap_or(1.0),
    }
}

/// Where the energy distance between the two sides is largest.
fn best_cut(series: &[f64]) -> Option<usize> {
    let last = series.len().checked_sub(SHORTEST_STRETCH)?;
    (SHORTEST_STRETCH..=last)
        .map(|cut| (cut, divergence(series, cut)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(cut, _)| cut)
}

/// The scaled energy distance between both sides of a cut.
fn divergence(series: &[f64], cut: usize) -> f64 {
    let (left, right) = series.split_at(cut);
    let (m, n) = (left.len() as f64, right.len() as f64);
    let between = left
        .iter()
        .flat_map(|x| right.iter().map(move |y| (x - y).abs()))
        .sum::<f64>();
    let distance = 2.0 * between / (m * n) - within(left) - within(right);
    m * n / (m + n) * distance
}

/// Mean distance between two different values of one side.
fn within(side: &[f64]) -> f64 {
    let n = side.len() as f64;
    let pairs = side.iter().enumerate();
    let sum: f64 = pairs
        .flat_map(|(i, x)| side[..i].iter().map(move |y| (x - y).abs()))
        .sum();
    2.0 * sum / (n * (n - 1.0))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample variance, with n − 1.
fn variance(values: &[f64]) -> f64 {
    let centre = mean(values);
    values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// Two-sided p-value of Student's t-test, whose variance is pooled from both
/// sides: three values that happen to lie close together must not pass for a
/// quiet machine. `None` for a side of one value.
pub fn student_p_value(left: &[f64], right: &[f64]) -> Option<f64> {
    if left.len() < 2 || right.len() < 2 {
        return None;
    }
    let (m, n) = (left.len() as f64, right.len() as f64);
    let freedom = m + n - 2.0;
    let pooled = ((m - 1.0) * variance(left) + (n - 1.0) * variance(right)) / freedom;
    let difference = (mean(left) - mean(right)).abs();
    if pooled == 0.0 {
        return Some(if difference == 0.0 { 1.0 } else { 0.0 });
    }
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    let error = (pooled * (1.0 / m + 1.0 / n)).sqrt();
    Some(2.0 * student.sf(difference / error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// `levels` of 30 runs each with uniform noise of ± 3 %.
    fn series(seed: u64, levels: &[f64]) -> Vec<f64> {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let noisy = |level: &f64| level * dice.random_range(0.97..1.03);
        levels
            .iter()
            .flat_map(|level| std::iter::repeat_n(level, 30))
            .map(noisy)
            .collect()
    }

    #[track_caller]
    fn check(levels: &[f64], expected: &[usize]) {
        for seed in 0..20 {
            let found = change_points(&series(seed, levels), &Sensitivity::default());
            let indices: Vec<usize> = found.iter().map(|point| point.index).collect();
            let near = indices.len() == expected.len()
                && indices
                    .iter()
                    .zip(expected)
                    .all(|(a, b)| a.abs_diff(*b) <= 2);
            assert!(
                near,
                "seed {seed}: found {indices:?}, expected {expected:?}"
            );
        }
    }

    #[test]
    fn finds_the_steps_and_nothing_else() {
        check(&[100.0, 100.0], &[]);
        check(&[100.0, 110.0], &[30]);
        check(&[100.0, 90.0, 110.0], &[30, 60]);
        check(&[100.0, 110.0, 100.0, 120.0], &[30, 60, 90]);
    }

    #[test]
    fn a_real_but_tiny_step_is_left_out() {
        let exact: Vec<f64> = [100.0; 20].into_iter().chain([101.0; 20]).collect();
        assert_eq!(change_points(&exact, &Sensitivity::default()), []);
    }

    #[test]
    fn short_and_constant_series_have_no_change_points() {
        for series in [vec![], vec![1.0], vec![1.0; 5], vec![1.0; 50]] {
            assert_eq!(change_points(&series, &Sensitivity::default()), []);
        }
    }
}
