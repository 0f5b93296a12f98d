//! Draws record keys.
//!
//! A key is `k` and ten digits; the hot key split by salt has a suffix, as in
//! `k0000000000-007`. Key number 0 is the most frequent one.

use super::{Purpose, Worker, random};
use crate::language::KeySpec;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::Zipf;

/// Bytes of a key without salt: `k` and the digits.
const KEY_BYTES: usize = 11;

/// Bytes of a key with salt: a dash and three digits more.
const SALTED_BYTES: usize = KEY_BYTES + 4;

/// One worker's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    choice: Choice,
    rng: ChaCha8Rng,
    key: [u8; SALTED_BYTES],
}

#[derive(Clone, Debug)]
enum Choice {
    /// No key, or one that the record brings.
    None,
    RoundRobin {
        next: u64,
        step: u64,
        keys: u64,
    },
    Uniform {
        keys: u64,
    },
    Zipf(Zipf<f64>),
    Hot {
        keys: u64,
        share: f64,
        salt: u32,
    },
}

impl Keys {
    /// The keys of one worker. In a round robin the workers take turns.
    pub fn new(spec: &KeySpec, worker: Worker, seed: u64) -> Self {
        let choice = match *spec {
            KeySpec::None | KeySpec::Field(_) => Choice::None,
            KeySpec::RoundRobin(keys) => Choice::RoundRobin {
                next: u64::from(worker.index),
                step: u64::from(worker.of.max(1)),
                keys: keys.get().max(1),
            },
            KeySpec::Uniform(keys) => Choice::Uniform {
                keys: keys.get().max(1),
            },
            KeySpec::Zipf { keys, exponent } => {
                match Zipf::new(keys.get().max(1) as f64, exponent) {
                    Ok(zipf) => Choice::Zipf(zipf),
                    Err(_) => Choice::Uniform {
                        keys: keys.get().max(1),
                    },
                }
            }
            KeySpec::Hot { keys, share, salt } => Choice::Hot {
                keys: keys.get().max(1),
                share: share.get(),
                salt: salt.max(1),
            },
        };
        Self {
            choice,
            rng: random(seed, Purpose::Keys, worker.index),
            key: *b"k0000000000-000",
        }
    }

    /// The next record's key; `None` when records have none of ours.
    #[expect(
        clippy::should_implement_trait,
        reason = "the item borrows from the generator"
    )]
    pub fn next(&mut self) -> Option<&[u8]> {
        let (number, salt) = match &mut self.choice {
            Choice::None => return None,
            Choice::RoundRobin { next, step, keys } => {
                let number = *next % *keys;
                *next = (number + *step) % *keys;
                (number, None)
            }
            Choice::Uniform { keys } => (self.rng.random_range(0..*keys), None),
            Choice::Zipf(zipf) => (self.rng.sample(*zipf) as u64 - 1, None),
            Choice::Hot { keys, share, salt } => {
                if *keys > 1 && self.rng.random::<f64>() >= *share {
                    (self.rng.random_range(1..*keys), None)
                } else if *salt > 1 {
                    (0, Some(self.rng.random_range(0..*salt)))
                } else {
                    (0, None)
                }
            }
        };
        write_digits(&mut self.key[1..KEY_BYTES], number);
        let Some(salt) = salt else {
            return Some(&self.key[..KEY_BYTES]);
        };
        write_digits(&mut self.key[KEY_BYTES + 1..], u64::from(salt));
        Some(&self.key)
    }
}

/// Writes `number` in decimal, with zeros in front. Cuts what does not fit.
fn write_digits(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests;
