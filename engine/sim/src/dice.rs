//! All chance in a world, from one seed.
//!
//! Every part of the world draws from dice of its own, so that a change to one
//! actor does not change the luck of the others more than it must.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// A source of chance. The same seed gives the same throws in every build.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Dice of their own for a part of the world.
    pub fn fork(&mut self) -> Self {
        Self::new(self.0.random())
    }

    /// Any number: a seed for somebody else's generator.
    pub fn number(&mut self) -> u64 {
        self.0.random()
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            return 0;
        }
        self.0.random_range(0..bound)
    }

    /// True in `in_thousand` of 1000 throws.
    pub fn chance(&mut self, in_thousand: u32) -> bool {
        self.0.random_range(0..1000) < in_thousand
    }

    /// A time between two, each end included, in whole microseconds.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let (least, most) = (micros(least), micros(most));
        Duration::from_micros(self.0.random_range(least..=most.max(least)))
    }

    /// A number between two, each end included.
    pub fn range(&mut self, least: i64, most: i64) -> i64 {
        self.0.random_range(least..=most.max(least))
    }

    /// One of a few.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.below(of.len());
        of.get(at).expect("there is something to pick from")
    }

    /// Puts things in a random order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = self.below(last + 1);
            things.swap(last, other);
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_its_throws_for_ever() {
        let mut dice = Dice::new(7);
        let throws: Vec<usize> = (0..6).map(|_| dice.below(100)).collect();
        assert_eq!(throws, [14, 15, 18, 16, 27, 70]);
        let mut order = [0, 1, 2, 3, 4];
        dice.shuffle(&mut order);
        assert_eq!(order.iter().sum::<i32>(), 10);
    }
}
