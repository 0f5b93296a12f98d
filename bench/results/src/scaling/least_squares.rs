//! Weighted least squares with no parameter below zero.

use super::{Law, Sample};

/// Least squares over every set of parameters that may be above zero: the best
/// one in which none is negative is the constrained optimum.
pub(super) fn weighted(samples: &[Sample], weights: &[f64]) -> Law {
    const SETS: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];
    let rows: Vec<([f64; 3], f64)> = samples
        .iter()
        .zip(weights)
        .map(|(s, w)| {
            let columns = [1.0, s.n - 1.0, s.n * (s.n - 1.0)];
            (columns.map(|c| c * w), s.n / s.value * w)
        })
        .collect();
    let error = |x: &[f64; 3]| -> f64 {
        let residual = |(row, y): &([f64; 3], f64)| {
            let sum: f64 = row.iter().zip(x).map(|(a, b)| a * b).sum();
            (sum - y).powi(2)
        };
        rows.iter().map(residual).sum()
    };
    let solutions = SETS.iter().filter_map(|set| solve(&rows, set));
    let feasible = solutions.filter(|x| x[0] > 0.0 && x[1] >= 0.0 && x[2] >= 0.0);
    let found = feasible.min_by(|x, y| error(x).total_cmp(&error(y)));
    let [alone, waiting, crosstalk] = found.unwrap_or([1.0, 0.0, 0.0]);
    Law {
        gamma: 1.0 / alone,
        sigma: waiting / alone,
        kappa: crosstalk / alone,
    }
}

/// The normal equations of the columns in `set`, by elimination with columns
/// scaled to length one; `None` when they are not independent.
fn solve(rows: &[([f64; 3], f64)], set: &[usize]) -> Option<[f64; 3]> {
    const SINGULAR: f64 = 1e-13;
    let scale = [0, 1, 2].map(|c: usize| rows.iter().map(|(r, _)| r[c] * r[c]).sum::<f64>().sqrt());
    if set.iter().any(|&c| scale[c] <= 0.0) {
        return None;
    }
    let size = set.len();
    let mut system = vec![vec![0.0; size + 1]; size];
    for (i, &a) in set.iter().enumerate() {
        for (j, &b) in set.iter().enumerate() {
            system[i][j] =
                rows.iter().map(|(r, _)| r[a] * r[b]).sum::<f64>() / (scale[a] * scale[b]);
        }
        system[i][size] = rows.iter().map(|(r, y)| r[a] * y).sum::<f64>() / scale[a];
    }
    for pivot in 0..size {
        if system[pivot][pivot].abs() < SINGULAR {
            return None;
        }
        let upper = system[pivot].clone();
        for row in system.iter_mut().skip(pivot + 1) {
            let factor = row[pivot] / upper[pivot];
            for (cell, above) in row.iter_mut().zip(&upper) {
                *cell -= factor * above;
            }
        }
    }
    let mut x = [0.0; 3];
    for i in (0..size).rev() {
        let known: f64 = (i + 1..size)
            .map(|j| system[i][j] * x[set[j]] * scale[set[j]])
            .sum();
        x[set[i]] = (system[i][size] - known) / system[i][i] / scale[set[i]];
    }
    Some(x)
}
