//! Record values: made up to a stated size and compressibility, or the user's
//! own.
//!
//! Made-up values are slices of a pool, walked through in order, so that a
//! value costs no more than a copy. The pool alternates noise, which no codec
//! can shrink, with runs of one byte, which every codec removes almost wholly:
//! so the share that goes is the share that was asked for, whichever the
//! codec. It is longer than the windows over which codecs find repeats in a
//! batch.

use super::{InputError, Purpose, Worker, random, sample::Sample, sizes::Sizes};
use crate::language::{PayloadSpec, RecordSpec, SizeSpec};
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Bytes of made-up data, unless a record needs more.
const POOL_BYTES: usize = 4 * 1024 * 1024;

/// Lengths of one stretch of noise and the run after it, together.
const STRETCH_BYTES: std::ops::RangeInclusive<usize> = 128..=384;

/// Values of a cell, prepared and shared by its workers.
#[derive(Clone, Debug)]
pub(super) enum PayloadPool {
    Synthetic {
        pool: Arc<[u8]>,
        sizes: Sizes,
        spec: SizeSpec,
    },
    Sample(Arc<Sample>),
}

/// One worker's values.
#[derive(Clone, Debug)]
pub struct Payloads {
    pool: PayloadPool,
    rng: ChaCha8Rng,
    /// Where the next value starts: a byte of the pool, or a record's number.
    at: usize,
}

impl PayloadPool {
    pub(super) fn prepare(records: &RecordSpec, seed: u64) -> Result<Self, InputError> {
        Ok(match records.payload() {
            PayloadSpec::Sample { .. } => Self::Sample(Arc::new(Sample::load(records)?)),
            PayloadSpec::Synthetic {
                size,
                compressibility,
            } => {
                let length = POOL_BYTES.max(size.max().len());
                let mut rng = random(seed, Purpose::Pool, 0);
                Self::Synthetic {
                    pool: make_pool(length, compressibility.get(), &mut rng).into(),
                    sizes: Sizes::of(size),
                    spec: size.clone(),
                }
            }
        })
    }

    pub(super) fn mean_bytes(&self) -> f64 {
        match self {
            Self::Synthetic { spec, .. } => spec.mean_bytes(),
            Self::Sample(sample) => sample.mean_bytes(),
        }
    }

    pub(super) fn max_bytes(&self) -> usize {
        match self {
            Self::Synthetic { spec, .. } => spec.max().len(),
            Self::Sample(sample) => sample.max_bytes(),
        }
    }

    /// The values of one worker. Workers start at different places, so that
    /// they do not send the same values at the same time.
    pub(super) fn worker(&self, worker: Worker, seed: u64) -> Payloads {
        let length = match self {
            Self::Synthetic { pool, .. } => pool.len(),
            Self::Sample(sample) => sample.count(),
        };
        let part = length / worker.of.max(1) as usize;
        Payloads {
            pool: self.clone(),
            rng: random(seed, Purpose::Sizes, worker.index),
            at: part * worker.index as usize,
        }
    }
}

impl Payloads {
    /// The next value, the key that stands in it if keys are a field of the
    /// sample, and the value's number if the same value comes again under it.
    #[expect(
        clippy::should_implement_trait,
        reason = "the item borrows from the generator"
    )]
    pub fn next(&mut self) -> (&[u8], Option<&[u8]>, Option<usize>) {
        match &self.pool {
            PayloadPool::Synthetic { pool, sizes, .. } => {
                let size = sizes.draw(&mut self.rng);
                if self.at + size > pool.len() {
                    self.at = 0;
                }
                let start = self.at;
                self.at += size;
                let value = pool.get(start..start + size).unwrap_or_default();
                let repeats = matches!(sizes, Sizes::Fixed(_)) && start.is_multiple_of(size);
                (value, None, repeats.then(|| start / size))
            }
            PayloadPool::Sample(sample) => {
                let at = self.at;
                self.at = (at + 1) % sample.count();
                (sample.record(at), sample.key(at), Some(at))
            }
        }
    }

    /// Puts the next value at the end of `buffer`.
    pub fn fill(&mut self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(self.next().0);
    }
}

/// Data of which the share `compressible` can be removed.
fn make_pool(length: usize, compressible: f64, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut pool = vec![0; length];
    let mut at = 0;
    while at < length {
        let stretch = rng.random_range(STRETCH_BYTES).min(length - at);
        let noise = (stretch as f64 * (1.0 - compressible)).round() as usize;
        let (noisy, same) = pool[at..at + stretch].split_at_mut(noise);
        rng.fill_bytes(noisy);
        same.fill(b' ');
        at += stretch;
    }
    pool
}

#[cfg(test)]
mod tests;
