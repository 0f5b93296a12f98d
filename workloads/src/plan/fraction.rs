//! A stated fraction of a full factorial.
//!
//! A combination is taken when a weighted sum of its levels leaves a certain
//! remainder: with two levels an axis this is the textbook half or quarter,
//! with three the Latin square. Whatever the weights, the result is only taken
//! if every pair of values of every two axes still comes together in some
//! cell, so that no axis is mistaken for another.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Weightings tried before a fraction is refused.
const TRIES: usize = 256;

/// The combinations to keep, in the order given; `None` when no choice of this
/// size keeps the axes apart.
pub(super) fn choose(
    combinations: &[Vec<usize>],
    levels: &[usize],
    denominator: u32,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<Vec<usize>>> {
    if denominator == 1 {
        return Some(combinations.to_vec());
    }
    if levels.is_empty() {
        return None;
    }
    let denominator = denominator as usize;
    (0..TRIES).find_map(|attempt| {
        // Equal weights give the most balanced choice, so they come first.
        let weight = |rng: &mut ChaCha8Rng| match attempt {
            0 => 1,
            _ => rng.random_range(1..=denominator),
        };
        let weights: Vec<_> = levels.iter().map(|_| weight(rng)).collect();
        let remainder = rng.random_range(0..denominator);
        let taken = |combination: &&Vec<usize>| {
            let pairs = combination.iter().zip(&weights);
            let sum: usize = pairs.map(|(level, weight)| level * weight).sum();
            sum % denominator == remainder
        };
        let chosen: Vec<_> = combinations.iter().filter(taken).cloned().collect();
        let small = chosen.len() <= combinations.len().div_ceil(denominator);
        (small && covers_pairs(&chosen, levels)).then_some(chosen)
    })
}

/// Whether every two axes show each pair of their values, and a single axis
/// each of its values.
fn covers_pairs(chosen: &[Vec<usize>], levels: &[usize]) -> bool {
    let axes = 0..levels.len();
    let covered = |a: usize, b: usize| {
        let mut seen = vec![false; levels[a] * levels[b]];
        for combination in chosen {
            seen[combination[a] * levels[b] + combination[b]] = true;
        }
        let pairs = seen.iter().filter(|&&seen| seen).count();
        pairs == if a == b { levels[a] } else { seen.len() }
    };
    axes.clone().all(|a| axes.clone().all(|b| covered(a, b)))
}

#[cfg(test)]
mod tests {
    use super::super::expand::combinations;
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_fraction_keeps_every_pair_of_values_or_is_refused() {
        let check = |levels: &[usize], denominator: u32, expected: Option<usize>| {
            for seed in 0..20 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let chosen = choose(&combinations(levels), levels, denominator, &mut rng);
                let count = chosen.as_ref().map(Vec::len);
                assert_eq!(
                    count, expected,
                    "1/{denominator} of {levels:?}, seed {seed}"
                );
                assert!(chosen.is_none_or(|chosen| covers_pairs(&chosen, levels)));
            }
        };
        check(&[2, 3, 2], 1, Some(12));
        check(&[2, 3, 2], 2, Some(6));
        check(&[2, 2, 2], 2, Some(4));
        check(&[3, 3, 3], 3, Some(9));
        check(&[2, 2], 2, None);
        check(&[4], 2, None);
        check(&[2, 3, 2], 3, None);
        check(&[], 2, None);
    }
}
