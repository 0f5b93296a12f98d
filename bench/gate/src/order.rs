//! Which side of a pair runs first.
//!
//! The signed-rank test rests on it: each pair's order is a coin toss of its
//! own, independent of everything that was measured.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws the order of pairs from a seed.
#[derive(Clone, Debug)]
pub struct Order(ChaCha8Rng);

impl Order {
    /// The order that belongs to a seed.
    pub fn seeded(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Whether A runs first in the next pair.
    pub fn a_first(&mut self) -> bool {
        self.0.random_bool(0.5)
    }

    /// A seed for the records of the next pair, which both sides share.
    pub fn records_seed(&mut self) -> u64 {
        self.0.random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coin_is_fair_and_a_seed_tosses_it_the_same_way() {
        let tosses = |seed| {
            let mut order = Order::seeded(seed);
            (0..1_000).map(|_| order.a_first()).collect::<Vec<bool>>()
        };
        let heads = tosses(1).into_iter().filter(|first| *first).count();
        assert!((450..=550).contains(&heads), "{heads}");
        assert_eq!(tosses(7), tosses(7));
        assert_ne!(tosses(7), tosses(8));
    }
}
